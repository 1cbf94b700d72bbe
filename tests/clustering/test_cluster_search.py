from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hearing import Heard

from imgmatch.actions.rings import options_of
from imgmatch.catalog import schema
from imgmatch.catalog.near_pairs import NearPairRows, store_near_pairs
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores, search_watermark, store_search_watermark
from imgmatch.clustering import search as searching
from imgmatch.clustering.asking import LARGE, SearchCounts
from imgmatch.clustering.judging import Judging
from imgmatch.clustering.nodes import Nodes, read_nodes
from imgmatch.clustering.run import LEASE
from imgmatch.clustering.search import is_searched, search_new
from imgmatch.clustering.verdicts import Unjudged
from imgmatch.features.pair_model import shipped_for_pairs
from imgmatch.index import Index
from imgmatch.matching.stored_pairs import pair_model_name
from imgmatch.model import NewPhoto, Searched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

SIZE = (480, 600)


class Searching:
    """An index to plant photos in and to search."""

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
        with self.index.parts.catalog.read() as session:
            return read_nodes(session, "phash", {})

    def search(self) -> Searched:
        self.heard, counted, parts = Heard(), SearchCounts(), self.index.parts
        with parts.catalog.lease(LEASE) as lease:
            search_new(parts, lease, options_of(parts), counted, self.heard)
        assert is_searched(parts)
        return counted.result()

    def judge(self, pairs: list[Unjudged], counted: SearchCounts) -> None:
        with self.index.parts.catalog.lease(LEASE) as lease:
            Judging(self.index.parts, lease, counted, self.heard).judge(pairs)

    def ties(self) -> list[PairScore]:
        with self.index.parts.catalog.read() as session:
            return list(read_pair_scores(session))

    def copies(self) -> set[tuple[int, int]]:
        """Pairs of pictures, numbered as they were planted, that the pair model takes for copies."""
        order = {row: number for number, row in enumerate(self.nodes().pictures)}
        odds = np.array([tie.log_odds for tie in self.ties()])
        passed = shipped_for_pairs().probabilities(odds) >= shipped_for_pairs().accept
        return {(order[tie.low], order[tie.high]) for tie, passes in zip(self.ties(), passed, strict=True) if passes}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("search") / "index") as index:
        yield index


@pytest.fixture
def searched(opened: Index, tmp_path: Path) -> Iterator[Searching]:
    yield Searching(tmp_path, opened)
    with opened.parts.catalog.write() as session:
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


def test_new_pictures_are_looked_up_once_among_all_and_the_old_ones_not_again(searched: Searching) -> None:
    picture = photos.picture(1, SIZE)
    searched.plant("whole", picture)
    searched.plant("stranger", photos.picture(2, SIZE))
    first = searched.search()
    assert (first.pictures, first.read_again, first.unreadable) == (2, 0, 0)
    assert searched.copies() == set()
    searched.plant("crop", crop(picture))
    second = searched.search()
    assert second.pictures == 1
    assert second.judged >= 1
    assert searched.copies() == {(0, 2)}
    before = searched.ties()
    assert searched.search() == Searched()
    assert searched.ties() == before


def test_what_near_fingerprints_have_tied_and_pictures_of_one_fingerprint_are_not_judged(searched: Searching) -> None:
    picture = photos.picture(3, SIZE)
    searched.plant("whole", picture)
    searched.plant("crop", crop(picture))
    low, high = (np.array([row]) for row in searched.nodes().fingerprints.tolist())
    with searched.index.parts.catalog.write() as session:
        store_near_pairs(session, NearPairRows(low, high, np.array([36], np.int32), np.array([0], np.int8)))
    assert searched.search().judged == 0
    assert searched.ties() == []


def test_a_large_picture_is_read_again_and_then_shows_what_is_a_small_part_of_it(searched: Searching) -> None:
    picture = photos.picture(4, SIZE)
    searched.plant("whole", picture)
    searched.plant("screen", screenshot(picture))
    done = searched.search()
    assert (done.pictures, done.read_again, done.unreadable) == (2, 1, 0)
    assert searched.copies() == {(0, 1)}


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_large_picture_whose_file_is_gone_or_changed_is_counted_and_searched_by_what_is_kept(
    searched: Searching, what: str
) -> None:
    large = photos.picture(5, (900, 1125))
    searched.plant("crop", large.crop((60, 90, 830, 1000)).resize((480, 567)))
    path = searched.plant("large", large)
    if what == "gone":
        path.unlink()
    else:
        path.write_bytes(photos.jpeg(photos.picture(6, (900, 1125))))
    done = searched.search()
    assert (done.pictures, done.read_again, done.unreadable) == (2, 0, 1)
    assert searched.copies() == {(0, 1)}


def test_progress_is_heard_of_and_how_far_was_searched_is_kept_batch_by_batch(
    searched: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SEARCHED_AT_ONCE", 2)
    for seed in range(5):
        searched.plant(f"n{seed}", photos.picture(seed, (160, 200)))
    assert searched.search().pictures == 5
    assert searched.heard.steps == [("pictures searched", done, 5) for done in (2, 4, 5)]
    with searched.index.parts.catalog.read() as session:
        rule = pair_model_name(searched.index.parts.folder.header().codebook)
        assert search_watermark(session, rule) == max(searched.nodes().pictures)


def test_a_search_that_was_killed_goes_on_where_it_was(searched: Searching) -> None:
    picture = photos.picture(7, SIZE)
    rows = []
    for name, image in (("whole", picture), ("stranger", photos.picture(8, SIZE)), ("crop", crop(picture))):
        searched.plant(name, image)
        rows = list(searched.nodes().pictures)
    with searched.index.parts.catalog.write() as session:
        store_search_watermark(session, pair_model_name(searched.index.parts.folder.header().codebook), rows[1])
    assert searched.search().pictures == 1
    assert searched.copies() == {(0, 2)}


def test_after_another_pair_model_all_pictures_are_looked_up_anew(searched: Searching) -> None:
    picture = photos.picture(9, SIZE)
    searched.plant("whole", picture)
    searched.plant("crop", crop(picture))
    searched.search()
    before = searched.ties()
    with searched.index.parts.catalog.write() as session:
        store_search_watermark(session, "another", 99_999)
    assert searched.search().pictures == 2
    assert searched.ties() == before != []


def test_pairs_are_judged_in_every_way_that_is_asked_for_and_those_that_are_no_copies_kept_too(
    searched: Searching,
) -> None:
    picture = photos.picture(10, SIZE)
    searched.plant("whole", picture)
    searched.plant("crop", crop(picture))
    searched.plant("stranger", photos.picture(11, SIZE))
    nodes, counted = searched.nodes(), SearchCounts()
    prints = nodes.fingerprints.tolist()
    first, *others = nodes.pictures
    ways = ((False, None, False), (True, None, False))
    pairs = [Unjudged(row, first, ways, (prints[nodes.pictures[row]], prints[nodes.pictures[first]])) for row in others]
    searched.judge(pairs, counted)
    assert counted.judged == 4  # two pairs, each as it is and mirrored
    assert len(searched.ties()) == 2
    assert searched.copies() == {(0, 1)}


def test_a_pair_of_which_one_picture_was_erased_meanwhile_is_passed_over(searched: Searching) -> None:
    searched.plant("one", photos.picture(12, SIZE))
    [row] = searched.nodes().pictures
    [print_row] = searched.nodes().fingerprints.tolist()
    gone = Unjudged(row, row + 99, ((False, None, False),), (print_row, print_row + 99))
    counted = SearchCounts()
    searched.judge([gone], counted)
    assert (counted.judged, searched.ties()) == (0, [])
