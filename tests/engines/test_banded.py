from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from codes import on_one_core, queries, random_codes, rows, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.engines.banded import MOST_DISTANCE, BandedEngine, BandedSegment, _flips
from imgmatch.engines.flat import FlatSegment
from imgmatch.engines.linear import LinearEngine, LinearSegment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.engines.base import Codes, Ids

DISTANCES = (0, 15, 16, 31, 32, 40, 47, 48, 256)


class AlwaysByBands(BandedSegment):
    """However few there are, and however many candidates."""

    least = 0
    look_up = 0
    share = 1e9


class NowAndThenByBands(BandedSegment):
    """Queries with more candidates than a quarter of the set are compared with everything."""

    least = 0
    look_up = 0
    share = 0.25


KINDS = (AlwaysByBands, NowAndThenByBands)


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


def skewed(seed: int, count: int) -> Codes:
    """Fingerprints that agree in all bands but one or two; shape (count, 32)."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(random_codes(seed, 1), count, axis=0)
    for _ in range(2):
        codes[np.arange(count), rng.integers(0, 32, count)] = rng.integers(0, 256, count)
    return codes


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(held=stored(), asked=queries(), max_distance=st.sampled_from(DISTANCES) | st.integers(-1, 64))
def test_bands_find_what_comparing_with_everything_finds(
    kind: type[BandedSegment], held: tuple[Ids, Codes], asked: Codes, max_distance: int
) -> None:
    found = kind(*held).search(asked, max_distance)
    assert rows(found) == rows(LinearSegment(*held).search(asked, max_distance))
    assert [found.queries.dtype, found.ids.dtype, found.distances.dtype] == [np.int64, np.int64, np.int32]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60), max_distance=st.sampled_from(DISTANCES))
def test_bands_find_all_and_each_once_also_where_all_share_their_bands(
    kind: type[BandedSegment], seed: int, count: int, max_distance: int
) -> None:
    held = np.arange(count, dtype=np.int64)[::-1].copy(), skewed(seed, count)
    asked = np.concatenate([held[1][:2], random_codes(seed, 2)])
    assert rows(kind(*held).search(asked, max_distance)) == rows(LinearSegment(*held).search(asked, max_distance))


@pytest.mark.parametrize("max_distance", range(MOST_DISTANCE + 1))
def test_a_fingerprint_as_far_away_as_may_be_is_found_however_its_bits_are_spread(max_distance: int) -> None:
    bits = np.zeros((200, 256), np.uint8)
    rng = np.random.default_rng(max_distance)
    for row in bits[1:100]:
        row[rng.choice(256, max_distance, replace=False)] = 1
    for turn, row in enumerate(bits[100:]):  # as evenly over the bands as can be, the worst there is
        row[[16 * ((place + turn) % 16) + (place + turn) // 16 % 16 for place in range(max_distance)]] = 1
    segment = AlwaysByBands(np.arange(200, dtype=np.int64), np.packbits(bits, axis=1))
    assert len(segment.search(np.zeros((1, 32), np.uint8), max_distance)) == 200


@pytest.mark.parametrize("max_distance", range(MOST_DISTANCE + 1))
def test_no_pair_within_the_distance_can_differ_by_more_than_every_band_looks(max_distance: int) -> None:
    flips, tried = _flips(max_distance)
    assert (flips + 1).sum() == max_distance + 1
    values = [sum(1 for _ in combinations(range(16), count)) for count in range(3)]
    assert tried.tolist() == [sum(values[: flip + 1]) for flip in flips.tolist()]


@given(bits=st.lists(st.integers(0, 16), min_size=16, max_size=16), beyond=st.integers(0, 47))
def test_some_band_and_the_next_are_as_near_as_is_looked_for(bits: list[int], beyond: int) -> None:
    while sum(bits) > MOST_DISTANCE:
        bits[bits.index(max(bits))] -= 1
    flips = _flips(min(sum(bits) + beyond, MOST_DISTANCE))[0].tolist()
    pairs = zip(bits, bits[1:] + bits[:1], flips, flips[1:] + flips[:1], strict=True)
    assert any(one <= flip and one + two <= flip + other + 1 for one, two, flip, other in pairs)


def test_as_many_hits_as_there_are_fingerprints_are_all_found() -> None:
    count = 40_000
    codes, asked = np.repeat(random_codes(1, 1), count, axis=0), random_codes(1, 1)
    hits = AlwaysByBands(np.arange(count, dtype=np.int64), codes).search(np.repeat(asked, 3, axis=0), 31)
    assert hits.queries.tolist() == np.repeat([0, 1, 2], count).tolist()
    assert hits.ids.tolist() == [*range(count)] * 3
    assert not hits.distances.any()


def test_a_large_set_is_searched_by_bands_and_gives_what_the_flat_engine_gives() -> None:
    ids = np.random.default_rng(2).permutation(60_000).astype(np.int64)
    codes = np.random.default_rng(3).integers(0, 256, (60_000, 32), dtype=np.uint8)
    asked = codes[:40] ^ np.packbits(np.random.default_rng(4).random((40, 256)) < 0.05, axis=1)
    segment, flat = BandedSegment(ids, codes), FlatSegment(ids, codes)
    for max_distance in (15, 31, 40):
        hits = segment.search(asked, max_distance)
        assert len(hits)
        assert rows(hits) == rows(flat.search(asked, max_distance))
    assert segment._tables is not None  # noqa: SLF001 -- seen nowhere else


def test_nothing_is_sorted_before_the_first_search_that_needs_it() -> None:
    ids, codes = np.arange(25_000, dtype=np.int64), random_codes(1, 25_000, centres=25_000)
    segment = BandedSegment(ids, codes)
    segment.search(codes[:1], 48)
    segment.search(codes[:1], 40)  # too few for so many values
    segment.search(codes[:0], 0)
    assert segment._tables is None  # noqa: SLF001 -- seen nowhere else
    segment.search(codes[:1], 15)
    assert segment._tables is not None  # noqa: SLF001 -- seen nowhere else


def test_threads_that_come_first_together_all_find_what_is_there() -> None:
    ids, codes = np.arange(3_000, dtype=np.int64), random_codes(1, 3_000)
    segment = AlwaysByBands(ids, codes)
    alone = [rows(LinearSegment(ids, codes).search(codes[at : at + 5], 31)) for at in range(0, 40, 5)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda at: rows(segment.search(codes[at : at + 5], 31)), range(0, 40, 5)))
    assert together == alone


def test_a_file_is_searched_as_memory_is(tmp_path: Path) -> None:
    class Engine(BandedEngine):
        kind = AlwaysByBands

    ids, codes = np.arange(500, dtype=np.int64), random_codes(1, 500)
    engine = Engine.empty().appended((ids, codes), 499)
    engine.removed(ids[:9]).save(tmp_path / "file")
    opened = Engine.open(tmp_path / "file", 499)
    expected = rows(LinearEngine.empty().appended((ids[9:], codes[9:]), 499).search(codes[:20], 31))
    assert rows(opened.search(codes[:20], 31)) == expected
    assert rows(engine.removed(ids[:9]).search(codes[:20], 31)) == expected


SEARCHED = """
import numpy as np
from imgmatch.engines.banded import BandedSegment
codes = np.random.default_rng(1).integers(0, 256, (30_000, 32), dtype=np.uint8)
segment = BandedSegment(np.arange(30_000), codes)
for _ in range(2):
    print(segment.search(codes[7:8], 31).ids.tolist())
"""


@pytest.mark.slow
def test_without_a_numba_that_works_a_search_warns_once_and_finds_the_same() -> None:
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", SEARCHED], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "[7]\n[7]\n"
    assert done.stderr.count("RuntimeWarning: numba cannot be used, so look-ups are slow: NUMBA_DISABLE_JIT") == 1


@pytest.mark.slow
def test_a_small_set_is_searched_without_numba() -> None:
    few = SEARCHED.replace("30_000", "10_000") + "import sys; assert 'numba' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", few], capture_output=True, text=True, check=True)
    assert done.stdout == "[7]\n[7]\n"
