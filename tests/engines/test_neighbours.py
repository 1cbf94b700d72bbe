from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest
from codes import on_one_core
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.engines.ivf import IvfEngine, IvfSegment
from imgmatch.engines.neighbours import Neighbours, nearest_codes
from imgmatch.engines.postings import Postings, piece_of
from imgmatch.engines.voting import CUT, NEIGHBOURS
from imgmatch.features.codebook import floats, shipped
from imgmatch.features.describe import LENGTH
from imgmatch.features.extract import Features
from imgmatch.features.record import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.features.codebook import F32

    Record = tuple[int, Stored]

BOOK = shipped()
GANG = 60
"""Copies of one picture that differ in a few codes: at nearly every point more are equally near than are kept."""

POINTS = 12


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


def record(rng: np.random.Generator) -> Stored:
    points = np.column_stack([rng.random((POINTS, 2)), np.full(POINTS, 0.02), rng.uniform(0, 6, POINTS)])
    lists = rng.integers(0, BOOK.lists, POINTS).astype(np.uint16)
    return Stored(points.astype(np.float32), lists, rng.integers(0, 256, (POINTS, 16), dtype=np.uint8), 1.0, 0.8)


def near_copy(of: Stored, rng: np.random.Generator) -> Stored:
    codes = of.codes.copy()
    changed = rng.random(POINTS) < 0.2
    codes[changed, rng.integers(0, 16)] ^= 1
    return Stored(of.points, of.lists, codes, of.width, of.height)


def records_of(seed: int) -> list[Record]:
    """Two gangs of near copies and twenty others, under row ids in any order."""
    rng = np.random.default_rng(seed)
    gangs = [record(rng) for _ in range(2)]
    every = [near_copy(one, rng) for one in gangs for _ in range(GANG)] + [record(rng) for _ in range(20)]
    return list(zip((rng.permutation(len(every)) + 1).tolist(), every, strict=True))


def asked(records: Sequence[Record], seed: int) -> F32:
    """The descriptors of every stored point of a few pictures, as a photo has them: bytes, a little off."""
    rng = np.random.default_rng(seed)
    chosen = [records[0][1], records[GANG][1], records[-1][1]]
    vectors = np.concatenate([BOOK.decode(one.lists, one.codes) for one in chosen])
    vectors = np.clip(np.rint((vectors + rng.normal(0, 0.01, vectors.shape)) * 512), 0, 255)
    return floats(vectors.astype(np.uint8))


def segments(records: Sequence[Record], edges: Sequence[int]) -> list[IvfSegment]:
    parts = [records[start:end] for start, end in pairwise(edges)]
    return [IvfSegment(BOOK, Postings((piece_of(part, BOOK.lists),), len(part), BOOK.lists)) for part in parts]


def nearest(parts: Sequence[IvfSegment], vectors: F32, at_once: int = 10_000) -> list[tuple[int, float, int]]:
    found = []
    for at in range(0, len(vectors), at_once):
        far, lists = BOOK.nearest(vectors[at : at + at_once], BOOK.probes)
        found += listed(nearest_codes(parts, vectors[at : at + at_once], far, lists, count=NEIGHBOURS, cut=CUT), at)
    return found


def listed(found: Neighbours, start: int = 0) -> list[tuple[int, float, int]]:
    rows = (found.queries + start).tolist()
    return sorted(zip(rows, found.distances.tolist(), found.ids.tolist(), strict=True))


def by_sorting_all(records: Sequence[Record], vectors: F32) -> list[tuple[int, float, int]]:
    """The oracle: every code of the lists looked through, sorted by distance and id, the first ten of each vector."""
    (whole,) = segments(records, [0, len(records)])
    far, lists = BOOK.nearest(vectors, BOOK.probes)
    distances, ids = whole.nearest(vectors, far, lists, POINTS * len(records))
    found = []
    for row, (every, names) in enumerate(zip(distances.tolist(), ids.tolist(), strict=True)):
        hits = sorted((far, name) for far, name in zip(every, names, strict=True) if name >= 0 and far < CUT)
        found += [(row, *hit) for hit in hits[:NEIGHBOURS]]
    return found


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 2 * GANG + 20), max_size=9),
    at_once=st.sampled_from([1, 7, 64]),
)
def test_the_nearest_codes_are_the_first_of_all_by_distance_and_id_however_they_are_split(
    seed: int, cuts: list[int], at_once: int
) -> None:
    records = records_of(seed)
    vectors = asked(records, seed)
    expected = by_sorting_all(records, vectors)
    assert len(expected) > NEIGHBOURS * 2 * POINTS - NEIGHBOURS
    parts = segments(records, [0, *sorted(cuts), len(records)])
    assert nearest(parts, vectors) == nearest(parts, vectors, at_once) == expected


def test_more_codes_equally_near_than_a_segment_is_first_asked_for_leave_the_smallest_ids() -> None:
    rng = np.random.default_rng(1)
    one = record(rng)
    names = (rng.permutation(1_500) + 1).tolist()
    vectors = floats(np.clip(np.rint(BOOK.decode(one.lists, one.codes) * 512), 0, 255).astype(np.uint8))
    for edges in ([0, 1_500], [0, 30, 700, 1_500]):
        found = nearest(segments([(name, one) for name in names], edges), vectors)
        rows = {query: [hit[2] >> 24 for hit in found if hit[0] == query] for query in range(POINTS)}
        assert list(rows.values()) == [list(range(1, NEIGHBOURS + 1))] * POINTS


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_nearest_codes_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    records = records_of(7)
    vectors = asked(records, 7)
    faiss.omp_set_num_threads(threads)
    try:
        assert nearest(segments(records, [0, 50, len(records)]), vectors) == by_sorting_all(records, vectors)
    finally:
        faiss.omp_set_num_threads(1)


def query_of(vectors: F32) -> Features:
    points: NDArray[np.float32] = np.column_stack(
        [np.random.default_rng(5).random((len(vectors), 2)), np.full(len(vectors), 0.02), np.zeros(len(vectors))]
    ).astype(np.float32)
    return Features(points, np.clip(np.rint(vectors * 512), 0, 255).astype(np.uint8), 1.0, 0.8)


def test_candidates_among_near_copies_are_the_same_in_one_segment_in_ten_and_written_anew() -> None:
    records = sorted(records_of(11), key=lambda one: one[0])
    query = query_of(asked(records, 11))
    assert query.descriptors.shape == (3 * POINTS, LENGTH)
    whole = IvfEngine.empty(BOOK).appended(records, len(records))
    ten = IvfEngine(BOOK, tuple(segments(records, np.linspace(0, len(records), 11).astype(int).tolist())), len(records))
    expected = whole.search([query], 25)
    assert len(expected[0]) > NEIGHBOURS
    with TemporaryDirectory() as folder:
        ten.save(Path(folder) / "file")
        written = IvfEngine.open(BOOK, Path(folder) / "file", len(records))
        for parts in (ten, written):
            assert parts.search([query], 25) == expected
            assert parts.search([query] * 3, 25) == expected * 3
