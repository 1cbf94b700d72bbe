"""Negatives in rings: near by the complements of fingerprints, and compared as negatives where that is not enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image, ImageOps
from planting import Planter, found, shot, who

from imgmatch.actions.rings import find_rings, options_of
from imgmatch.catalog import schema
from imgmatch.catalog.near_pairs import NearPairRows, store_near_pairs
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores
from imgmatch.clustering.nodes import Nodes, read_bits
from imgmatch.clustering.run import is_current
from imgmatch.clustering.verdicts import Verdicts
from imgmatch.formats.records import ring_record
from imgmatch.joins.near import NearPairs
from imgmatch.model import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from imgmatch.model import Group, Ring, RingsReport

SIZE = (480, 600)


def only(report: RingsReport) -> tuple[Ring, Group]:
    [ring] = report.rings
    [group] = ring.groups
    return ring, group


def faded(image: Image.Image, side: int) -> Image.Image:
    """A copy whose lower right part lies under a veil of grey, by which fingerprints differ in more bits."""
    pixels = np.asarray(image).copy()
    pixels[-side:, -side:] = (0.15 * pixels[-side:, -side:] + 0.85 * 128).astype(np.uint8)
    return Image.fromarray(pixels)


def read_bits_of(planter: Planter) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    with planter.index.parts.catalog.read() as session:
        return read_bits(session, planter.index.parts.hasher_name)


def test_a_negative_is_in_the_group_of_what_it_shows_and_stands_to_it_as_a_check_says(planter: Planter) -> None:
    """A small recompressed negative, mirrored and turned, is so near that its fingerprint is enough."""
    planter.plant("first", photos.picture(3, SIZE), 1)
    planter.plant("copy", photos.jpeg(photos.picture(3, SIZE), 60), 2)
    made = ImageOps.invert(ImageOps.mirror(photos.picture(3, SIZE)).rotate(-90, expand=True)).resize((300, 240))
    planter.plant("negative", photos.jpeg(made, 50), 3)
    planter.plant("stranger", photos.picture(4, SIZE), 4)
    ring, group = only(planter.rings())
    assert who(ring) == ["first", "copy", "negative"]
    evidence = dict(zip((photo.account for photo in group.photos), group.evidence, strict=True))
    assert {name: one.negative for name, one in evidence.items()} == {"first": False, "copy": False, "negative": True}
    negative = evidence["negative"]
    assert (negative.kind, negative.mirrored, negative.rotation) == (Kind.NEAR, True, 90)
    matches = planter.index.check(planter.file("p002"))
    [said] = [match.evidence for match in matches if match.photo == group.medoid]
    assert (said.kind, said.mirrored, said.rotation, said.negative) == (Kind.NEAR, True, 90, True)
    told = ring_record(ring)["groups"][0]["photos"]
    assert [one["negative"] for one in told] == [False, False, True]
    with planter.index.parts.catalog.read() as session:
        assert list(read_pair_scores(session)) == []


@pytest.mark.parametrize("negative_first", [False, True])
def test_a_negative_that_is_not_so_near_is_compared_as_one(planter: Planter, *, negative_first: bool) -> None:
    """Whichever of the two came first, the pair is verified with one of them negated, and is asked about once."""
    whole, negative = photos.picture(3, SIZE), ImageOps.invert(faded(ImageOps.mirror(photos.picture(3, SIZE)), 140))
    for day, (account, image) in enumerate(
        sorted({"whole": whole, "negative": negative}.items(), reverse=not negative_first)
    ):
        planter.plant(account, image, day)
    first = planter.rings()
    _, group = only(first)
    [evidence] = [one for one in group.evidence if one.kind is not Kind.EXACT]
    assert (evidence.kind, evidence.negative, evidence.mirrored) == (Kind.NEAR, True, True)
    assert evidence.distance is not None
    assert evidence.distance > planter.index.parts.hasher.profile.sure_distance
    assert evidence.outline_query is not None
    with planter.index.parts.catalog.read() as session:
        [pair] = read_pair_scores(session)
    assert pair.negative is True
    again = find_rings(planter.index.parts)
    assert found(again) == found(first)
    assert again.searched.judged == 0


def test_what_is_near_to_a_negative_by_its_fingerprint_alone_is_no_copy(planter: Planter) -> None:
    """Strangers whose fingerprints make such a pair are compared as negatives, refused, and not asked about again."""
    planter.plant("one", photos.picture(3, SIZE), 1)
    planter.plant("other", photos.picture(4, SIZE), 2)
    planter.scan()
    ids, _ = read_bits_of(planter)
    with planter.index.parts.catalog.write() as session:
        pair = (ids[:1], ids[1:], np.array([30], np.int32), np.array([12], np.int8))
        store_near_pairs(session, NearPairRows(*pair))
    report = find_rings(planter.index.parts)
    assert report.rings == ()
    with planter.index.parts.catalog.read() as session:
        [score] = read_pair_scores(session)
    assert score.negative is True
    assert score.log_odds < 0
    assert find_rings(planter.index.parts).searched.judged == 0


def test_near_pairs_that_were_kept_before_negatives_were_looked_for_are_joined_once_more(planter: Planter) -> None:
    """A catalog of an earlier version finds its negatives by the next run, whatever came and went until then."""
    planter.plant("whole", shot(1), 1)
    planter.plant("copy", ImageOps.mirror(shot(1)), 2)
    planter.plant("negative", ImageOps.invert(shot(1)), 3)
    expected = planter.rings()
    parts = planter.index.parts
    options = options_of(parts)
    assert is_current(parts, options)
    with parts.catalog.write() as session:
        session.sql.execute(schema.near_pairs.delete().where(schema.near_pairs.c.orientation >= 8))
        session.sql.execute(schema.clusterings.update().values(joined_distance=0))
    assert not is_current(parts, options)
    [ring] = expected.rings
    again = find_rings(parts)
    assert [replace(one, opened_at=ring.opened_at) for one in again.rings] == [ring]
    assert is_current(parts, options)


def verdicts(known: Sequence[PairScore], orientation: int | None, negatives: Collection[int]) -> Verdicts:
    """Of two nodes, with features 5 and 7, that are near in an orientation, or not."""
    rows = np.array([5, 7])
    nodes = Nodes(rows, np.zeros((2, 32), np.uint8), np.ones(2, np.int64), rows, {5: 0, 7: 1}, {}, {})
    there = np.array([] if orientation is None else [0], np.int64)
    ways = np.full(len(there), orientation or 0, np.int8)
    return Verdicts(
        nodes, NearPairs(there, there + 1, np.full(len(there), 30, np.int32), ways), negatives, known, {}, None
    )


def test_who_is_near_to_a_negative_is_compared_with_a_medoid_as_a_negative_too() -> None:
    """It may be tied to the medoid by a member alone; everybody else is compared as it is and mirrored."""
    for negatives, expected in (((), [False, False]), ((1,), [False, False, True, True])):
        asked = verdicts([], None, negatives)
        assert asked.confirmed([(0, 1)]) == []
        [question] = asked.unjudged
        assert [negative for *_, negative in question.ways] == expected


@pytest.mark.parametrize("orientation", [5, 13])
def test_a_near_pair_is_compared_in_the_way_in_which_it_is_near(orientation: int) -> None:
    """The lower one is mirrored, turned and negated as its fingerprint was."""
    asked = verdicts([], orientation, (0, 1) if orientation == 13 else ())
    asked.hold(1, [0])
    [question] = asked.unjudged
    assert (question.row, question.other, question.ways) == (5, 7, ((True, 90, orientation == 13),))


def test_what_was_compared_as_it_is_alone_is_not_known_as_a_negative() -> None:
    """A search by features may have judged the pair before, and says nothing of negatives."""
    plain = PairScore(5, 7, -9.0, mirrored=False, rotation=0, overlap_low=None, overlap_high=None, agreement=None)
    for known, orientation, is_asked in (
        (plain, 13, True),
        (replace(plain, negative=False), 13, False),
        (replace(plain, negative=True), 13, False),
        (plain, 5, False),
        (plain, None, True),
        (replace(plain, negative=False), None, False),
    ):
        asked = verdicts([known], orientation, () if orientation == 5 else (0, 1))
        assert asked.hold(0, [1]) == [is_asked]  # what is not known is taken for true
        assert len(asked.unjudged) == is_asked
