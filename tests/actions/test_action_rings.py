from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image, ImageEnhance, ImageOps
from planting import DAY_ONE, Planter, found, shot, who

from imgmatch import registry
from imgmatch.actions.rings import find_rings, options_of
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.clustering.common import CommonCriteria
from imgmatch.features.pair_model import shipped_for_pairs
from imgmatch.formats.records import ring_record
from imgmatch.index import Index
from imgmatch.model import Kind, RingsReport

if TYPE_CHECKING:
    from pathlib import Path


def edits(image: Image.Image) -> list[Image.Image | bytes]:
    brightened = ImageEnhance.Brightness(image).enhance(1.15)
    turned = image.transpose(Image.Transpose.ROTATE_90)
    return [photos.jpeg(image, 30), ImageOps.mirror(image), brightened, image.resize((80, 100)), turned]


@pytest.mark.slow
def test_a_planted_world_gives_back_exactly_its_rings(planter: Planter) -> None:
    """Two rings, one of them held together by an account that carries two pictures, among people of their own."""
    for day, edit in enumerate(edits(shot(1))):
        planter.plant(f"gang{day}", edit, 10 + day, name="Lena" if day % 2 else "Mia")
    planter.plant("victim1", shot(1), 1, name="Anna")
    planter.plant("victim2", shot(2), 2)
    planter.plant("gang0", ImageOps.mirror(shot(2)), 20, name="Lena")
    planter.plant("other1", shot(3), 5)
    planter.plant("other2", photos.jpeg(shot(3), 40), 4)
    for number in range(20):
        planter.plant(f"honest{number}", shot(100 + number), number)
    report = planter.rings()
    one, two = report.rings
    assert who(one) == ["victim1", "victim2", "gang0", "gang1", "gang2", "gang3", "gang4"]
    assert one.first_account == "victim1"
    assert one.names == ("Anna", "Lena", "Mia")  # an account goes by its latest name
    assert [group.accounts[0] for group in one.groups] == ["victim1", "victim2"]
    assert one.opened_at == DAY_ONE + timedelta(days=10)
    assert [(member.first_seen - DAY_ONE).days for member in one.accounts] == [1, 2, 10, 11, 12, 13, 14]
    assert (one.new, one.decision) == (None, None)
    assert who(two) == ["other2", "other1"]
    assert (two.first_account, two.opened_at) == ("other2", DAY_ONE + timedelta(days=5))
    assert report.common == ()


def test_what_a_pair_must_score_hangs_on_how_many_pictures_there_are(planter: Planter) -> None:
    planter.plant("a", shot(1), 1)
    planter.scan()
    parts, rule = planter.index.parts, shipped_for_pairs()
    assert options_of(parts).min_score == rule.accepts_among(1) < rule.accept
    assert options_of(parts, min_score=0.5).min_score == 0.5


def test_the_report_is_the_same_on_every_run_and_after_a_rebuild(planter: Planter) -> None:
    for day, edit in enumerate([*edits(shot(1)), *edits(shot(2))]):
        planter.plant(f"a{day % 7}", edit, day)
    before = planter.rings()
    assert before.rings
    assert found(find_rings(planter.index.parts)) == found(before)
    planter.index.rebuild()
    with Index.open(planter.index.path) as again:
        assert found(find_rings(again.parts)) == found(before)


def test_mirrored_and_turned_copies_tie(planter: Planter) -> None:
    planter.plant("a", shot(1), 1)
    planter.plant("b", ImageOps.mirror(shot(1)), 2)
    planter.plant("c", shot(1).transpose(Image.Transpose.ROTATE_270), 3)
    [ring] = planter.rings().rings
    assert who(ring) == ["a", "b", "c"]
    assert len(ring.groups) == 1


def test_the_same_bytes_on_two_accounts_tie(planter: Planter) -> None:
    data = photos.jpeg(shot(1))
    planter.plant("a", data, 1)
    planter.plant("b", data, 2)
    assert [who(ring) for ring in planter.rings().rings] == [["a", "b"]]


def test_copies_on_one_account_alone_are_no_ring(planter: Planter) -> None:
    for day, edit in enumerate(edits(shot(1))):
        planter.plant("a", edit, day)
    assert found(planter.rings()) == RingsReport((), ())


def chain(index: Index, links: int, step: int) -> None:
    """Give the photos of an index fingerprints that each lie ``step`` bits from the next, and further from the rest."""
    rng = np.random.default_rng(5)
    bits = np.unpackbits(rng.integers(0, 256, 32, dtype=np.uint8))
    with index.parts.catalog.write() as session:
        for link in range(links):
            bits[link * step : (link + 1) * step] ^= 1
            [row] = intern_fingerprints(session, "phash", [np.packbits(bits).tobytes()]).values()
            session.sql.exec_driver_sql(
                "UPDATE photo_fingerprints SET fingerprint_id = ? WHERE photo_id = "
                "(SELECT id FROM photos WHERE photo_id = ?) AND fingerprint_id IN "
                "(SELECT id FROM fingerprints WHERE hasher = 'phash')",
                (row, f"p{link:03}"),
            )


@pytest.mark.sqlite
def test_a_chain_of_near_pictures_is_not_one_group(planter: Planter) -> None:
    for number in range(9):
        planter.plant(f"a{number}", shot(number), number)
    planter.index.add(planter.planted)
    chain(planter.index, links=9, step=20)
    report = find_rings(planter.index.parts, search=False)
    sizes = sorted(len(group.photos) for ring in report.rings for group in ring.groups)
    assert sum(sizes) <= 9
    assert max(sizes) == 3  # a medoid and its neighbour on either side
    assert max(len(ring.accounts) for ring in report.rings) == 3


@pytest.mark.sqlite
def test_near_fingerprints_tie_nobody_once_the_pictures_were_laid_over_each_other(planter: Planter) -> None:
    """Pictures that have nothing in common, with fingerprints 20 bits apart."""
    for number in range(3):
        planter.plant(f"a{number}", shot(number), number)
    planter.index.add(planter.planted)
    chain(planter.index, links=3, step=20)
    assert find_rings(planter.index.parts, search=False).rings != ()
    report = find_rings(planter.index.parts)
    assert (report.rings, report.searched.judged > 0) == ((), True)
    assert find_rings(planter.index.parts, search=False).rings == ()


def test_a_picture_on_very_many_accounts_is_common_and_ties_nobody(planter: Planter) -> None:
    avatar = photos.jpeg(shot(1))
    for number in range(6):
        planter.plant(f"a{number}", avatar, number)
    planter.plant("a0", shot(2), 1)
    planter.plant("a1", photos.jpeg(shot(2), 40), 2)
    for allowed, expected in ((7, [6]), (6, [2])):
        report = planter.rings(CommonCriteria(accounts=allowed, days=0))
        assert [len(ring.accounts) for ring in report.rings] == expected
        assert [len(group.accounts) for group in report.common] == [6] * (allowed == 6)
    [common] = report.common
    assert common.common
    assert common.group == "p000"


def test_accounts_are_counted_once_for_a_common_picture_however_many_photos_they_have(planter: Planter) -> None:
    for number in range(8):
        planter.plant(f"a{number % 2}", photos.jpeg(shot(1), 30 + 8 * number), number)
    report = planter.rings(CommonCriteria(accounts=3, days=0, always=3))
    assert [who(ring) for ring in report.rings] == [["a0", "a1"]]


def test_small_rings_are_left_out_when_asked(planter: Planter) -> None:
    for number, edit in enumerate(edits(shot(1))[:3]):
        planter.plant(f"a{number}", edit, number)
    planter.plant("b0", shot(2), 0)
    planter.plant("b1", photos.jpeg(shot(2), 40), 1)
    report = planter.rings()
    assert report.of_size(2) == report
    assert [len(ring.accounts) for ring in report.rings] == [3, 2]
    assert [len(ring.accounts) for ring in report.of_size(3).rings] == [3]
    assert report.of_size(4).rings == ()


def test_a_ring_keeps_its_id_when_a_later_account_joins(planter: Planter) -> None:
    planter.plant("a", shot(1), 1)
    planter.plant("b", photos.jpeg(shot(1), 40), 2)
    [before] = planter.rings().rings
    planter.plant("c", ImageOps.mirror(shot(1)), 3)
    planter.plant("c", shot(2), 3)
    planter.plant("d", photos.jpeg(shot(2), 50), 4)
    [after] = planter.rings().rings
    assert (after.ring, after.first_account, after.opened_at) == (before.ring, "a", before.opened_at)
    assert who(after) == ["a", "b", "c", "d"]


def test_the_earliest_account_is_first_in_whatever_order_photos_were_scanned(planter: Planter) -> None:
    for day in (5, 2, 9, 1, 7):
        planter.plant(f"day{day}", photos.jpeg(shot(1), 30 + day), day)
    [ring] = planter.rings().rings
    assert who(ring) == ["day1", "day2", "day5", "day7", "day9"]
    assert ring.first_account == "day1"


def test_the_distance_asked_for_is_kept(planter: Planter) -> None:
    planter.plant("a", shot(1), 1)
    planter.plant("b", photos.jpeg(shot(1), 10), 2)
    distance = planter_distance(planter)
    assert distance > 0
    for allowed, rings in ((distance, 1), (distance - 1, 0)):
        # Without a search: else they are tied by their features.
        assert len(find_rings(planter.index.parts, max_distance=allowed, search=False).rings) == rings
    [ring] = find_rings(planter.index.parts, max_distance=distance - 1).rings
    assert [one.kind for one in ring.groups[0].evidence] == [Kind.EXACT, Kind.PARTIAL]


def planter_distance(planter: Planter) -> int:
    """Of the second photo to the first, upright: turning fingerprints is only good to a few bits."""
    planter.index.add(planter.planted)
    result = planter.index.check(planter.folder / "0.jpg")
    return max(match.evidence.distance or 0 for match in result)


def test_fingerprints_that_nobody_carries_any_more_are_not_looked_at(planter: Planter) -> None:
    """As they stand in the catalog while a scan is under way, or after one was killed."""
    planter.plant("a", shot(1), 1)
    planter.index.add(planter.planted)
    near_nobody = (bytes(32), b"\1" + bytes(31), b"\3" + bytes(31))
    with planter.index.parts.catalog.write() as session:
        intern_fingerprints(session, "phash", near_nobody)
    assert found(find_rings(planter.index.parts)) == RingsReport((), ())


def test_an_empty_index_has_no_rings(planter: Planter) -> None:
    assert planter.rings() == RingsReport((), ())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(registry.HASHERS))
def test_rings_are_found_with_every_hasher(tmp_path: Path, name: str) -> None:
    with Index.create(tmp_path / "index", hashers=(name,), engine="linear") as index:
        planter = Planter(tmp_path, index)
        planter.plant("a", shot(1), 1)
        planter.plant("b", photos.jpeg(shot(1), 40), 2)
        planter.plant("c", shot(2), 3)
        [ring] = planter.rings().rings
        assert who(ring) == ["a", "b"]
        assert [photo["account"] for photo in ring_record(ring)["groups"][0]["photos"]] == ["a", "b"]
