"""Shards in this process: what they hold between them, and that their answers make that of one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawn_records import BOOK, asked, drawn, drawn_records, near_the_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.catalog.slots import SLOTS
from imgmatch.engines.base import Hits
from imgmatch.engines.flat import FlatEngine
from imgmatch.engines.ivf import IvfEngine
from imgmatch.engines.neighbours import Neighbours
from imgmatch.engines.shards.division import MOST_SHARDS, Division, shards_of_slots
from imgmatch.engines.shards.questions import (
    Asked,
    Both,
    NearestCodes,
    NearFingerprints,
    NoReplyError,
    both_message,
    found_message,
)
from imgmatch.engines.voting import NEIGHBOURS, Probes, candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drawn_records import Record

    from imgmatch.engines.base import Candidate

COUNTS = [1, 4, 16]
RECORDS = drawn_records()


def test_one_shard_more_takes_its_share_of_each_and_nothing_else_moves() -> None:
    for count in range(1, 40):
        before, after = shards_of_slots(count), shards_of_slots(count + 1)
        moved = before != after
        assert set(after[moved].tolist()) == {count}
        assert SLOTS / (count + 1) * 0.6 < moved.sum() < SLOTS / (count + 1) * 1.5


def test_every_slot_is_held_by_one_shard_and_none_by_many_more_than_its_share() -> None:
    for count in (1, 2, 3, 4, 16, MOST_SHARDS):
        held = [Division(count, 0).slots_of(shard) for shard in range(count)]
        assert sorted(slot for slots in held for slot in slots) == list(range(SLOTS))
        assert max(map(len, held)) < 3 * SLOTS / count


def shared_out(rows: Sequence[Record], count: int, appends: int, gone: Sequence[int]) -> list[IvfEngine]:
    """The engines of so many shards, whose rows came in several appends, some of which were removed again."""
    division, engines = Division(count, 0), [IvfEngine.empty(BOOK) for _ in range(count)]
    for start in range(appends):
        for shard, engine in enumerate(engines):
            own = [row for row in rows[start::appends] if division.holds(shard, np.array([row[0]]))[0]]
            engines[shard] = engine.appended(own, start)
    for shard, engine in enumerate(engines):
        left = np.array(gone, np.int64)
        engines[shard] = engine.removed(left[division.holds(shard, left)])
    return engines


def over_the_wire(engines: Sequence[IvfEngine], probes: Probes) -> Neighbours:
    """What the shards answer, through the form it is sent in, merged."""
    question = Asked(NearestCodes(probes), Division(len(engines), 0), (0, 0))
    arrived = NearestCodes.of(*question.message())
    answers = [question.parse(*found_message(engine.nearest(arrived.probes)), n) for n, engine in enumerate(engines)]
    return Neighbours.merged(answers, NEIGHBOURS)


@pytest.mark.slow
@pytest.mark.parametrize("count", COUNTS)
@given(
    appends=st.integers(1, 4),
    gone=st.sets(st.sampled_from([row for row, _ in RECORDS]), max_size=9),
    seed=st.integers(0, 50),
    copies=st.integers(0, 3),
)
@settings(max_examples=12)
def test_pictures_found_through_shards_are_those_that_one_engine_finds(
    count: int, appends: int, gone: set[int], seed: int, copies: int
) -> None:
    """Also where many codes are equally near, because pictures are there several times."""
    rows = [(row + 1_000 * copy, stored) for copy in range(copies + 1) for row, stored in RECORDS]
    whole = IvfEngine.empty(BOOK).appended(rows, 0).removed(np.array(sorted(gone), np.int64))
    engines = shared_out(rows, count, appends, sorted(gone))
    queries = [asked(drawn(seed % 30)), near_the_codes(RECORDS, seed, 60), near_the_codes(RECORDS, seed + 1, 300)]
    found: list[list[Candidate]] = candidates(BOOK, lambda probes: over_the_wire(engines, probes), queries, 20, 0.0)
    assert found == whole.search(queries, 20)
    assert found[1]
    cleared = [engine.cleared() for engine in engines]
    assert candidates(BOOK, lambda probes: over_the_wire(cleared, probes), queries, 20, 0.0) == found


@pytest.mark.parametrize("count", COUNTS)
@given(seed=st.integers(0, 1_000), gone=st.sets(st.integers(0, 399), max_size=50), distance=st.integers(0, 256))
@settings(max_examples=12)
def test_fingerprints_found_through_shards_are_those_that_one_engine_finds(
    count: int, seed: int, gone: set[int], distance: int
) -> None:
    rng, division = np.random.default_rng(seed), Division(count, 0)
    ids, codes = rng.permutation(10_000)[:400], rng.integers(0, 256, (400, 32), np.uint8)
    queries, left = np.concatenate([codes[:5], rng.integers(0, 256, (3, 32), np.uint8)]), ids[sorted(gone)]
    question = Asked(NearFingerprints(queries, distance), division, (0, 0))
    arrived, answers = NearFingerprints.of(*question.message()), []
    for shard in range(count):
        own = division.holds(shard, ids)
        engine = FlatEngine.empty().appended((ids[own], codes[own]), 0).removed(left[division.holds(shard, left)])
        assert len(engine.cleared()) == len(engine)
        found = engine.cleared().search(arrived.queries, arrived.max_distance)
        answers.append(question.parse(*found_message(found), shard))
    merged, whole = Hits.merged(answers), FlatEngine.empty().appended((ids, codes), 0).removed(left)
    expected = whole.search(queries, distance)
    for name in ("queries", "ids", "distances"):
        assert np.array_equal(getattr(merged, name), getattr(expected, name))


def test_both_questions_of_a_check_go_and_come_back_together() -> None:
    """What comes of them is what comes of each alone."""
    codes = np.random.default_rng(4).integers(0, 256, (50, 32), np.uint8)
    prints, features = (
        FlatEngine.empty().appended((np.arange(50), codes), 0),
        IvfEngine.empty(BOOK).appended(RECORDS, 0),
    )
    probes = Probes.of(BOOK, near_the_codes(RECORDS, 5, 60).descriptors, 8)
    question = Asked(Both(NearFingerprints(codes[:4], 125), NearestCodes(probes)), Division(1, 0), (0, 0))
    arrived = Both.of(*question.message())
    hits, near = (
        prints.search(arrived.near.queries, arrived.near.max_distance),
        features.nearest(arrived.nearest.probes),
    )
    answer = both_message(hits, near)
    arrived_hits, arrived_near = question.parse(*answer, 0)
    assert len(hits) > 4
    assert len(near) > 4
    for name in ("queries", "ids", "distances"):
        assert np.array_equal(getattr(arrived_hits, name), getattr(hits, name))
        assert np.array_equal(getattr(arrived_near, name), getattr(near, name))
    for head, body in (({**answer[0], "near": {"found": len(hits) + 1}}, answer[1]), (answer[0], answer[1][20:])):
        with pytest.raises(NoReplyError):
            question.parse(head, body, 0)


QUERIES = np.zeros((2, 32), np.uint8)
OWN = [row for row in range(200) if Division(4, 0).holds(1, np.array([row]))[0]]
OTHERS = [row for row in range(200) if row not in OWN]


@pytest.mark.parametrize(
    ("queries", "ids", "distances"),
    [
        ([2], [OWN[0]], [3]),
        ([-1], [OWN[0]], [3]),
        ([0], [OTHERS[0]], [3]),
        ([0], [-5], [3]),
        ([0], [OWN[0]], [11]),
        ([0], [OWN[0]], [-1]),
    ],
)
def test_hits_that_a_shard_cannot_have_are_no_reply(queries: list[int], ids: list[int], distances: list[int]) -> None:
    question = Asked(NearFingerprints(QUERIES, 10), Division(4, 0), (0, 0))
    sound = Hits(np.array([0]), np.array([OWN[0]]), np.array([10], np.int32))
    assert len(question.parse(*found_message(sound), 1)) == 1
    with pytest.raises(NoReplyError):
        question.parse(*found_message(Hits(np.array(queries), np.array(ids), np.array(distances, np.int32))), 1)


@given(
    head=st.dictionaries(st.text(max_size=5) | st.just("found"), st.integers() | st.text() | st.none()),
    body=st.binary(),
)
def test_garbage_is_no_reply(head: dict[str, object], body: bytes) -> None:
    probes = Probes(np.zeros((3, 128), np.uint8), np.zeros((3, 8), np.float32), np.zeros((3, 8), np.int64))
    questions: list[NearFingerprints | NearestCodes] = [NearFingerprints(QUERIES, 10), NearestCodes(probes)]
    with pytest.raises(NoReplyError):
        Both(NearFingerprints(QUERIES, 10), NearestCodes(probes)).parse(head, body, Division(1, 0), 0)
    for question in questions:
        try:
            found: Hits | Neighbours = question.parse(head, body, Division(1, 0), 0)
        except NoReplyError:
            continue
        assert len(found) == head["found"] == len(body) / 20
