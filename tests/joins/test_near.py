from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hearing import Heard
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.joins.blocks import JoinOptions
from imgmatch.joins.hamming import FEW
from imgmatch.joins.near import BACK, NearPairs, near_blocks, near_pairs
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
    if orientation >= 8:
        return 8 + back(orientation - 8)
    mirrored, rotation = ORIENTATIONS[orientation].mirrored, ORIENTATIONS[orientation].rotation
    return orientation if mirrored else [0, 270, 180, 90].index(rotation)


def test_what_undoes_an_orientation_is_known_for_each() -> None:
    assert BACK.tolist() == [back(orientation) for orientation in range(16)]
    assert BACK[BACK].tolist() == list(range(16))


def by_double_loop(
    turned: NDArray[np.uint8], max_distance: int, *, negatives: bool = False
) -> list[tuple[int, int, int, int]]:
    def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
        return int(np.bitwise_count(one ^ other).sum())

    found = []
    for left in range(turned.shape[1]):
        for right in range(left + 1, turned.shape[1]):
            ways = [(distance(codes[left], turned[0, right]), way) for way, codes in enumerate(turned)]
            ways += [(distance(codes[right], turned[0, left]), back(way)) for way, codes in enumerate(turned)]
            least, way = min(ways)
            if negatives and least > max_distance:
                ways = [(distance(~codes[left], turned[0, right]), 8 + way) for way, codes in enumerate(turned)]
                ways += [(distance(~codes[right], turned[0, left]), back(8 + way)) for way, codes in enumerate(turned)]
                least, way = min(ways)
            if least <= max_distance:
                found.append((left, right, least, way))
    return found


def rows(pairs: NearPairs) -> list[tuple[int, ...]]:
    columns = (pairs.left, pairs.right, pairs.distances, pairs.orientations)
    assert len(pairs) == len(pairs.left)
    assert [column.dtype for column in columns] == [np.int64, np.int64, np.int32, np.int8]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def joined(turned: NDArray[np.uint8], max_distance: int, *, negatives: bool = False) -> list[tuple[int, ...]]:
    return rows(near_pairs(turned, max_distance, negatives=negatives))


def blocks(
    turned: NDArray[np.uint8], max_distance: int, at_most: int, *, negatives: bool = False
) -> list[tuple[int, ...]]:
    found = []
    for block in near_blocks(turned, max_distance, JoinOptions(at_most), negatives=negatives):
        assert 0 < len(block) <= at_most
        found += rows(block)
    return found


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    orientations=st.sampled_from([1, 2, 4, 8]),
    count=st.integers(0, 14),
    max_distance=st.integers(0, 256),
    negatives=st.booleans(),
)
def test_the_join_is_the_double_loop(
    seed: int, orientations: int, count: int, max_distance: int, *, negatives: bool
) -> None:
    turned = turned_codes(seed, orientations, count)
    if negatives:
        turned[:, ::3] = ~turned[:, ::3]
    expected = by_double_loop(turned, max_distance, negatives=negatives)
    assert joined(turned, max_distance, negatives=negatives) == expected
    assert sorted(blocks(turned, max_distance, at_most=8, negatives=negatives)) == expected


@pytest.mark.parametrize("orientation", range(8))
def test_of_a_negative_it_is_the_one_in_which_the_negative_of_left_shows_right(orientation: int) -> None:
    turned = np.random.default_rng(orientation).integers(0, 256, (8, 2, 32), dtype=np.uint8)
    turned[orientation, 0] = ~turned[0, 1]
    assert joined(turned, 0, negatives=True) == [(0, 1, 0, 8 + orientation)]
    assert joined(turned, 0) == []


def test_what_is_near_as_it_is_and_nearer_as_a_negative_is_near_as_it_is() -> None:
    turned = np.random.default_rng(3).integers(0, 256, (8, 2, 32), dtype=np.uint8)
    turned[5, 0], turned[2, 0] = turned[0, 1], ~turned[0, 1]
    turned[5, 0, :2] ^= 7
    assert joined(turned, 6, negatives=True) == [(0, 1, 6, 5)]
    assert joined(turned, 5, negatives=True) == [(0, 1, 0, 10)]


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


def test_a_large_set_is_joined_in_every_orientation() -> None:
    rng = np.random.default_rng(1)
    turned = rng.integers(0, 256, (8, 6_000, 32), dtype=np.uint8)
    assert turned.shape[1] ** 2 > FEW
    turned[0, -1] = turned[0, 0]
    turned[3, 7] = turned[0, 5_000]
    turned[3, 7, :4] ^= 1
    turned[5, 4_000] = turned[0, 9]
    turned[6, 11] = turned[0, 11]  # its own mirror image
    assert joined(turned, 4) == [(0, 5_999, 0, 0), (7, 5_000, 4, 3), (9, 4_000, 0, back(5))]


def test_a_fingerprint_is_never_its_own_pair() -> None:
    assert joined(np.zeros((8, 1, 32), dtype=np.uint8), 256) == []


def test_copies_of_a_symmetrical_picture_are_pairs_once() -> None:
    same = np.zeros((8, 50, 32), dtype=np.uint8)
    assert joined(same, 0) == [(left, right, 0, 0) for left in range(50) for right in range(left + 1, 50)]
    assert len(blocks(same, 0, at_most=64)) == 50 * 49 // 2


def test_the_progress_of_all_orientations_is_one() -> None:
    heard, turned = Heard(), turned_codes(3, 8, 40)
    options = JoinOptions(progress=heard)
    pairs = near_pairs(turned, 40, options)
    shares = heard.shares("fingerprints joined")
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert options.counts.candidates == 8 * 40 * 40
    assert options.counts.found >= len(pairs) > 0
