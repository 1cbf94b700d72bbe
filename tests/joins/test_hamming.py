from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joining import by_comparing_all, clustered, pairs_of

from imgmatch.joins.banded import banded_join, choose
from imgmatch.joins.blocks import JoinOptions, words_of
from imgmatch.joins.brute import brute_join
from imgmatch.joins.hamming import FEW, cross_join, self_join
from imgmatch.joins.plan import Band, Sizes, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.joins.blocks import PairBlock

    Join = Callable[..., Iterator[PairBlock]]

METHODS = [brute_join, banded_join]


def joined(
    method: Join, left: NDArray[np.uint8], right: NDArray[np.uint8] | None, radius: int, at_most: int = 1 << 18
) -> set[tuple[int, int, int]]:
    other = None if right is None else words_of(right)
    return pairs_of(method(words_of(left), other, radius, JoinOptions(at_most, threads=2)), at_most)


def cheapest(count: int, radius: int) -> tuple[Band, ...]:
    """Bands of random fingerprints, as many as ``count``: narrow or wide ones, with few or many flips."""

    def measured(cut: Sequence[Band]) -> NDArray[np.float64]:
        return np.zeros((len(cut), 5))

    return plan(Sizes(count, count, itself=True), radius, measured)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [*range(41), 45, 50, 57, 64, 100, 255, 256])
def test_bands_find_what_comparing_all_finds_at_every_radius(radius: int) -> None:
    codes = clustered(radius, 400, flips=radius // 2 + 6, equal=0.05)
    expected = by_comparing_all(codes, None, radius)
    assert joined(brute_join, codes, None, radius) == expected
    for count in (10**3, 10**5, 10**7 if radius > 30 else 10**6):  # the plans of sets that large, used on a small one
        method = partial(banded_join, bands=cheapest(count, radius))
        assert joined(method, codes, None, radius) == expected
        assert joined(method, codes[:150], codes[100:], radius) == by_comparing_all(codes[:150], codes[100:], radius)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 120),
    split=st.integers(0, 120),
    radius=st.integers(0, 64),
    copies=st.sampled_from([0.0, 0.3, 1.0]),
    equal=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    planned_for=st.sampled_from([10**3, 10**5, 10**6]),
    at_most=st.sampled_from([8, 9, 64, 1 << 18]),
)
def test_any_set_is_joined_as_by_comparing_all(  # noqa: PLR0913 -- hypothesis chooses them all
    *, seed: int, count: int, split: int, radius: int, copies: float, equal: float, planned_for: int, at_most: int
) -> None:
    codes = clustered(seed, count, flips=radius, copies=copies, equal=equal)
    bands = cheapest(planned_for, radius)
    expected = by_comparing_all(codes, None, radius)
    across = by_comparing_all(codes[:split], codes[split:], radius)
    for method in (brute_join, partial(banded_join, bands=bands), banded_join):
        assert joined(method, codes, None, radius, at_most) == expected
        assert joined(method, codes[:split], codes[split:], radius, at_most) == across


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), widths=st.lists(st.integers(1, 24), min_size=1, max_size=12), data=st.data())
def test_any_bands_that_satisfy_the_pigeonhole_find_every_pair_once(
    seed: int, widths: list[int], data: st.DataObject
) -> None:
    starts = np.cumsum([0, *widths[:-1]]).tolist()
    bands = [Band(start, width, data.draw(st.integers(0, 2))) for start, width in zip(starts, widths, strict=True)]
    bands = [band for band in bands if band.start + band.width <= 256]
    radius = sum(band.flips + 1 for band in bands) - 1
    codes = clustered(seed, 150, flips=radius)
    assert joined(partial(banded_join, bands=bands), codes, None, radius) == by_comparing_all(codes, None, radius)


@pytest.mark.parametrize("radius", [0, 12, 31, 40])
@pytest.mark.parametrize("count", [1_024, 1_030, 4_500])
def test_the_edges_of_tasks_and_blocks_lose_nothing(count: int, radius: int) -> None:
    codes = clustered(count, count, flips=20, copies=0.4, equal=0.01)
    expected = joined(brute_join, codes, None, radius)
    assert joined(banded_join, codes, None, radius, at_most=100) == expected
    assert joined(partial(banded_join, bands=cheapest(10**6, radius)), codes, None, radius, at_most=8) == expected
    assert joined(banded_join, codes, codes[::7], radius) == joined(brute_join, codes, codes[::7], radius)


@pytest.mark.slow
def test_a_large_set_is_joined_as_by_comparing_all() -> None:
    codes = clustered(5, 20_000, flips=30, copies=0.1, equal=0.002)
    assert len(codes) ** 2 > FEW
    assert pairs_of(self_join(codes, 31)) == joined(brute_join, codes, None, 31)
    assert pairs_of(cross_join(codes[:8_000], codes[8_000:], 31)) == joined(
        brute_join, codes[:8_000], codes[8_000:], 31
    )


@pytest.mark.parametrize("method", METHODS)
def test_rows_that_are_all_equal_give_every_pair_and_no_large_block(method: Join) -> None:
    codes = np.full((600, 32), 7, np.uint8)
    assert joined(method, codes, None, 31, at_most=1_000) == {(a, b, 0) for a in range(600) for b in range(a + 1, 600)}
    assert joined(method, codes[:9], codes[:70], 0, at_most=100) == {(a, b, 0) for a in range(9) for b in range(70)}


def test_a_quadratic_result_begins_at_once_and_is_not_held() -> None:
    codes = np.zeros((200_000, 32), np.uint8)
    codes[::2, 0] = 1
    blocks = self_join(codes, 31)  # 20,000,000,000 pairs
    assert [len(next(blocks)) for _ in range(3)] == [1 << 18] * 3


def test_distinct_rows_that_are_all_near_stream_too() -> None:
    near = np.packbits(np.random.default_rng(1).random((30_000, 256)) < 0.02, axis=1)
    blocks = self_join(near, 40, JoinOptions(pairs_at_once=5_000))  # nearly all of 450,000,000 pairs
    found = [next(blocks) for _ in range(20)]
    assert all(len(block) <= 5_000 for block in found)
    for block in found:
        bits = np.bitwise_count(near[block.left] ^ near[block.right]).sum(axis=1)
        assert (bits == block.distances).all()
        assert (block.left < block.right).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("radius", [0, 31, 256])
def test_nothing_and_a_single_row_have_no_pairs(method: Join, radius: int) -> None:
    none, one = np.empty((0, 32), np.uint8), np.ones((1, 32), np.uint8)
    for codes in (none, one):
        assert joined(method, codes, None, radius) == set()
        assert joined(method, codes, none, radius) == set()
        assert joined(method, none, codes, radius) == set()
    assert joined(method, one, one, radius) == {(0, 0, 0)}


def test_rows_whose_short_hashes_collide_are_not_taken_for_equal() -> None:
    # The mixing of the first words is undone by the last one: two different rows, one hash.
    words = np.random.default_rng(2).integers(0, 2**63, (2, 4), dtype=np.uint64)
    mixed = [row[0] for row in words.copy()]
    with np.errstate(over="ignore"):
        for column in (1, 2, 3):
            mixed = [
                (m ^ (m >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15) + row[column]
                for m, row in zip(mixed, words, strict=True)
            ]
        words[1, 3] += mixed[0] - mixed[1]
    codes = np.concatenate([words, words]).view(np.uint8)
    assert joined(banded_join, codes, None, 0) == {(0, 2, 0), (1, 3, 0)}
    assert joined(banded_join, codes, None, 256) == by_comparing_all(codes, None, 256)


def test_pairs_come_in_the_same_order_on_every_run_and_with_any_number_of_threads() -> None:
    codes = words_of(clustered(3, 6_000, flips=24, copies=0.7, equal=0.01))
    runs = [list(banded_join(codes, None, 31, JoinOptions(1_000, threads=threads))) for threads in (1, 2, 2)]
    left, right = ([np.concatenate([getattr(b, side) for b in run]) for run in runs] for side in ("left", "right"))
    assert all((left[0] == one).all() for one in left)
    assert all((right[0] == one).all() for one in right)


def test_fingerprints_in_any_memory_are_joined() -> None:
    codes = clustered(4, 300, flips=10)
    expected = by_comparing_all(codes, None, 31)
    shifted = np.frombuffer(b"x" + codes.tobytes(), np.uint8)[1:].reshape(-1, 32)
    for same in (codes, shifted, np.asfortranarray(codes), np.repeat(codes, 2, axis=0)[::2]):
        assert joined(banded_join, same, None, 31) == expected
        assert joined(brute_join, same, None, 31) == expected


@pytest.mark.parametrize("method", METHODS)
def test_a_set_given_as_both_sides_has_each_pair_from_both_of_them(method: Join) -> None:
    codes = clustered(8, 300, flips=20, equal=0.1)
    words = words_of(codes)
    assert pairs_of(method(words, words, 31, JoinOptions())) == by_comparing_all(codes, codes, 31)


def test_real_plans_satisfy_the_pigeonhole_and_do_not_overlap() -> None:
    codes = words_of(clustered(6, 30_000))
    for radius in range(65):
        bands = choose(codes, codes, radius)
        used = [set(range(band.start, band.start + band.width)) for band in bands]
        assert len(set().union(*used)) == sum(map(len, used))
        assert sum(band.flips + 1 for band in bands) == radius + 1 or bands == (Band(0, 0, 0),)


@pytest.mark.parametrize(
    ("codes", "radius"),
    [
        (np.zeros((2, 31), np.uint8), 3),
        (np.zeros((2, 32), np.int8), 3),
        (np.zeros(32, np.uint8), 3),
        (np.zeros((2, 32), np.uint8), -1),
        (np.zeros((2, 32), np.uint8), 257),
    ],
)
def test_what_is_no_fingerprint_or_no_distance_is_refused_at_the_call(codes: NDArray[np.uint8], radius: int) -> None:
    with pytest.raises(ValueError, match=r"fingerprints|between 0 and 256"):
        self_join(codes, radius)
    with pytest.raises(ValueError, match=r"fingerprints|between 0 and 256"):
        cross_join(codes, codes, radius)


def test_more_fingerprints_than_a_row_number_holds_are_refused() -> None:
    many = np.broadcast_to(np.zeros((1, 32), np.uint8), (2**31, 32))
    with pytest.raises(ValueError, match="2,147,483,648 fingerprints are more"):
        self_join(many, 31)


@pytest.mark.parametrize(("pairs", "threads"), [(7, 1), (8, 0)])
def test_terms_that_cannot_be_kept_are_refused(pairs: int, threads: int) -> None:
    with pytest.raises(ValueError, match="less than 8"):
        JoinOptions(pairs, threads)
