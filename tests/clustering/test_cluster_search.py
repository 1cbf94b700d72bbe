from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hearing import Heard

from imgmatch.catalog import schema
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores, search_watermark, store_search_watermark
from imgmatch.clustering import search as searching
from imgmatch.clustering.judging import confirm
from imgmatch.clustering.nodes import Nodes, read_nodes
from imgmatch.clustering.search import LARGE, Searched, Tied, search_new
from imgmatch.features.pair_model import shipped_ties
from imgmatch.index import Index
from imgmatch.matching.stored_pairs import rule_name
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

SIZE = (480, 600)
NO_PAIRS = np.empty(0, np.int64)


class Night:
    """An index to plant photos in and to search at night."""

    def __init__(self, home: Path, index: Index) -> None:
        self.home = home
        self.index = index
        self.heard = Heard()

    def plant(self, name: str, image: Image.Image) -> Path:
        path = self.home / f"{name}.jpg"
        path.write_bytes(photos.jpeg(image, 90))
        self.index.add([NewPhoto.at(path, account=name, photo_id=name)])
        return path

    def nodes(self) -> Nodes:
        with self.index.catalog.read() as session:
            return read_nodes(session, "phash", {})

    def search(self, left: np.ndarray = NO_PAIRS, right: np.ndarray = NO_PAIRS) -> Searched:
        nodes = self.nodes()
        self.heard = Heard()
        return search_new(self.index, nodes, Tied(nodes, left, right), self.heard)

    def ties(self) -> list[PairScore]:
        with self.index.catalog.read() as session:
            return list(read_pair_scores(session))

    def copies(self) -> set[tuple[int, int]]:
        """Pairs of pictures, numbered as they were planted, that the rule takes for copies."""
        order = {row: number for number, row in enumerate(self.nodes().pictures)}
        odds = np.array([tie.log_odds for tie in self.ties()])
        passed = shipped_ties().probabilities(odds) >= shipped_ties().accept
        return {(order[tie.low], order[tie.high]) for tie, passes in zip(self.ties(), passed, strict=True) if passes}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("search") / "index") as index:
        yield index


@pytest.fixture
def night(opened: Index, tmp_path: Path) -> Iterator[Night]:
    yield Night(tmp_path, opened)
    with opened.catalog.write() as session:
        for table in reversed(schema.metadata.sorted_tables):
            if table is not schema.versions:
                session.sql.execute(table.delete())
    opened.rebuild()


def crop(image: Image.Image) -> Image.Image:
    return image.crop((60, 90, 420, 490))


def screenshot(image: Image.Image) -> Image.Image:
    """A large picture that shows another one as a fifth of its height."""
    screen = photos.picture(99, (900, 1500))
    screen.paste(image.resize((256, 320)), (300, 600))
    assert max(screen.size) > LARGE
    return screen


def test_new_pictures_are_looked_up_once_among_all_and_the_old_ones_not_again(night: Night) -> None:
    picture = photos.picture(1, SIZE)
    night.plant("whole", picture)
    night.plant("stranger", photos.picture(2, SIZE))
    first = night.search()
    assert (first.pictures, first.read_again, first.unreadable) == (2, 0, 0)
    assert night.copies() == set()
    night.plant("crop", crop(picture))
    second = night.search()
    assert second.pictures == 1
    assert second.judged >= 1
    assert night.copies() == {(0, 2)}
    before = night.ties()
    assert night.search() == Searched()
    assert night.ties() == before


def test_what_the_join_has_tied_and_pictures_of_one_fingerprint_are_not_judged(night: Night) -> None:
    picture = photos.picture(3, SIZE)
    night.plant("whole", picture)
    night.plant("crop", crop(picture))
    assert night.search(np.array([1]), np.array([0])).judged == 0
    assert night.ties() == []


def test_pairs_that_are_tied_are_known_by_their_fingerprints_in_either_order(night: Night) -> None:
    for seed in range(3):
        night.plant(f"n{seed}", photos.picture(seed, (160, 200)))
    nodes = night.nodes()
    first, second, third = nodes.fingerprints.tolist()
    tied = Tied(nodes, np.array([2, 1]), np.array([0, 2]))
    known = {(first, third), (second, third)}
    for one in (first, second, third, third + 1):
        for other in (first, second, third, third + 1):
            assert ((one, other) in tied) == ((one, other) in known or (other, one) in known)
    assert (first, second) not in Tied(nodes, NO_PAIRS, NO_PAIRS)


def test_a_large_picture_is_read_again_and_then_shows_what_is_a_small_part_of_it(night: Night) -> None:
    picture = photos.picture(4, SIZE)
    night.plant("whole", picture)
    night.plant("screen", screenshot(picture))
    done = night.search()
    assert (done.pictures, done.read_again, done.unreadable) == (2, 1, 0)
    assert night.copies() == {(0, 1)}


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_large_picture_whose_file_is_gone_or_changed_is_counted_and_searched_by_what_is_kept(
    night: Night, what: str
) -> None:
    large = photos.picture(5, (900, 1125))
    night.plant("crop", large.crop((60, 90, 830, 1000)).resize((480, 567)))
    path = night.plant("large", large)
    if what == "gone":
        path.unlink()
    else:
        path.write_bytes(photos.jpeg(photos.picture(6, (900, 1125))))
    done = night.search()
    assert (done.pictures, done.read_again, done.unreadable) == (2, 0, 1)
    assert night.copies() == {(0, 1)}


def test_progress_is_told_and_how_far_was_searched_is_kept_batch_by_batch(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "AT_ONCE", 2)
    for seed in range(5):
        night.plant(f"n{seed}", photos.picture(seed, (160, 200)))
    assert night.search().pictures == 5
    assert night.heard.steps == [("pictures searched", done, 5) for done in (2, 4, 5)]
    with night.index.catalog.read() as session:
        rule = rule_name(night.index.header.codebook)
        assert search_watermark(session, rule) == max(night.nodes().pictures)


def test_a_night_that_was_killed_goes_on_where_it_was(night: Night) -> None:
    picture = photos.picture(7, SIZE)
    rows = []
    for name, image in (("whole", picture), ("stranger", photos.picture(8, SIZE)), ("crop", crop(picture))):
        night.plant(name, image)
        rows = list(night.nodes().pictures)
    with night.index.catalog.write() as session:
        store_search_watermark(session, rule_name(night.index.header.codebook), rows[1])
    assert night.search().pictures == 1
    assert night.copies() == {(0, 2)}


def test_after_another_rule_all_pictures_are_looked_up_anew(night: Night) -> None:
    picture = photos.picture(9, SIZE)
    night.plant("whole", picture)
    night.plant("crop", crop(picture))
    night.search()
    before = night.ties()
    with night.index.catalog.write() as session:
        store_search_watermark(session, "another", 99_999)
    assert night.search().pictures == 2
    assert night.ties() == before != []


def test_pairs_are_confirmed_once_also_those_that_are_no_copies(night: Night) -> None:
    picture = photos.picture(10, SIZE)
    night.plant("whole", picture)
    night.plant("crop", crop(picture))
    night.plant("stranger", photos.picture(11, SIZE))
    nodes, counted, heard = night.nodes(), Searched(), Heard()
    pairs = [(nodes.pictures[row], 0) for row in nodes.pictures]
    confirm(night.index, nodes, pairs, counted, heard)
    assert (counted.judged, heard.steps) == (4, [("copies confirmed", 2, 2)])  # two pairs, each as it is and mirrored
    assert len(night.ties()) == 2
    assert night.copies() == {(0, 1)}
    confirm(night.index, nodes, pairs, counted, heard)
    assert (counted.judged, len(heard.steps)) == (4, 1)
