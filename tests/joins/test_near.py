from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.joins import near
from imgmatch.joins.near import near_pairs
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def turned_codes(seed: int, orientations: int, count: int) -> NDArray[np.uint8]:
    """Shape (orientations, count, 32): few distinct ones, so that pairs meet in several orientations."""
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 2, (3, 256), dtype=np.uint8)
    bits = few[rng.integers(0, 3, (orientations, count))]
    return np.packbits(bits ^ (rng.random(bits.shape) < rng.choice([0, 0.01, 0.05, 0.5])), axis=2)


def back(orientation: int) -> int:
    mirrored, rotation = ORIENTATIONS[orientation].mirrored, ORIENTATIONS[orientation].rotation
    return orientation if mirrored else [0, 270, 180, 90].index(rotation)


def by_double_loop(turned: NDArray[np.uint8], max_distance: int) -> list[tuple[int, int, int, int]]:
    def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
        return int(np.bitwise_count(one ^ other).sum())

    found = []
    for left in range(turned.shape[1]):
        for right in range(left + 1, turned.shape[1]):
            ways = [(distance(codes[left], turned[0, right]), way) for way, codes in enumerate(turned)]
            ways += [(distance(codes[right], turned[0, left]), back(way)) for way, codes in enumerate(turned)]
            least, way = min(ways)
            if least <= max_distance:
                found.append((left, right, least, way))
    return found


def joined(turned: NDArray[np.uint8], max_distance: int, kind: str = "flat") -> list[tuple[int, ...]]:
    pairs = near_pairs(registry.engine(kind), turned, max_distance)
    columns = (pairs.left, pairs.right, pairs.distances, pairs.orientations)
    assert len(pairs) == len(pairs.left)
    assert [column.dtype for column in columns] == [np.int64, np.int64, np.int32, np.int8]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    orientations=st.sampled_from([1, 2, 4, 8]),
    count=st.integers(0, 14),
    max_distance=st.integers(0, 256),
    kind=st.sampled_from(sorted(registry.ENGINES)),
)
def test_the_join_is_the_double_loop(seed: int, orientations: int, count: int, max_distance: int, kind: str) -> None:
    turned = turned_codes(seed, orientations, count)
    assert joined(turned, max_distance, kind) == by_double_loop(turned, max_distance)


@pytest.mark.parametrize("orientation", range(8))
def test_the_orientation_is_the_one_in_which_left_shows_right(orientation: int) -> None:
    turned = np.random.default_rng(orientation).integers(0, 256, (8, 2, 32), dtype=np.uint8)
    turned[orientation, 0] = turned[0, 1]
    assert joined(turned, 0) == [(0, 1, 0, orientation)]


@pytest.mark.parametrize("orientation", range(8))
def test_a_pair_found_from_its_right_side_is_turned_back(orientation: int) -> None:
    turned = np.random.default_rng(orientation).integers(0, 256, (8, 2, 32), dtype=np.uint8)
    turned[orientation, 1] = turned[0, 0]
    assert joined(turned, 0) == [(0, 1, 0, back(orientation))]


def test_a_set_larger_than_a_block_is_joined_whole() -> None:
    count = near._QUERIES_AT_ONCE + 100  # noqa: SLF001 -- what a block is, is nobody else's business
    codes = np.random.default_rng(1).integers(0, 256, (1, count, 32), dtype=np.uint8)
    codes[0, -1] = codes[0, 0]
    codes[0, -2] = codes[0, -3]
    assert joined(codes, 0) == [(0, count - 1, 0, 0), (count - 3, count - 2, 0, 0)]


def test_a_fingerprint_is_never_its_own_pair() -> None:
    assert joined(np.zeros((8, 1, 32), dtype=np.uint8), 256) == []
