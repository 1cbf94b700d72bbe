"""Which bands a join uses: the tight pigeonhole, and what each choice would cost.

Cut the bits into m bands and give band i a number of flips t_i. If the t_i + 1 add up to at least r + 1, two
fingerprints within r bits differ by at most t_i bits in some band i: else every band would differ by t_i + 1 or more,
and all together by more than r (the general pigeonhole principle of Qin et al., "GPH: Similarity Search in Hamming
Space", ICDE 2018). So it is enough to compare rows whose bands are that near; wide bands with many flips ask
for many buckets that are nearly empty, narrow ones for few that are full.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.model import FINGERPRINT_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

MOST_FLIPS = 4
WIDEST = 24
"""A band's key has a table of four bytes a value: 64 MB."""

_SPARE_BITS = 2
"""Keys may be a few times as many as rows; beyond that a wider band only has more empty buckets."""

_TRIED = 3
"""How many cuts are looked at with the data in hand."""

_SORT_NS, _KEY_NS, _ROW_NS, _PROBE_NS, _LOOK_NS, _COMPARE_NS = 30.0, 2.0, 3.5, 12.0, 0.14, 10.0
"""Measured on one core of an AMD EPYC (Zen 4): to sort a row into a band; to keep a key; to start on a row with a
stretch of the other side; to look a bucket up; to look at a pair; to compare it in full. Other machines differ, and
with them only the time a join takes."""

_HALF = NormalDist(FINGERPRINT_BITS / 4, (FINGERPRINT_BITS / 8) ** 0.5)
"""In how many of the first 128 bits two random fingerprints differ."""


@dataclass(frozen=True, slots=True)
class Band:
    """Some neighbouring bits, and in how many of them a pair may differ for this band to give it."""

    start: int
    width: int
    flips: int

    def masks(self) -> NDArray[np.int32]:
        """All that may be between two keys, shape (v,), dtype int32; the first is 0."""
        chosen = [
            sum(1 << bit for bit in bits) for k in range(self.flips + 1) for bits in combinations(range(self.width), k)
        ]
        return np.array(chosen, np.int32)

    def bits(self) -> NDArray[np.uint64]:
        """What it is made of, shape (4,), dtype uint64."""
        whole = ((1 << self.width) - 1) << self.start
        return np.array([whole >> shift & (2**64 - 1) for shift in range(0, FINGERPRINT_BITS, 64)], np.uint64)


WHOLE_BAND: tuple[Band, ...] = (Band(0, 0, 0),)
"""No bits at all, which never differ: every pair is looked at."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows either side has, the right one no fewer; a set joined with itself has each pair once."""

    left: int
    right: int
    itself: bool

    @property
    def widest(self) -> int:
        """Bits beyond which a band is of no more use."""
        return min(WIDEST, self.right.bit_length() + _SPARE_BITS)

    @property
    def halves(self) -> float:
        """What part of all ordered pairs counts."""
        return 0.5 if self.itself else 1.0


def plan(sizes: Sizes, radius: int, measured: Callable[[Sequence[Band]], NDArray[np.float64]]) -> tuple[Band, ...]:
    """The bands that find all pairs within ``radius`` bits for the least.

    Args:
        sizes: of either side.
        radius: in bits, inclusive.
        measured: for some bands, what share of pairs differs in each by at most 0, 1, ... bits, shape (m, flips + 1);
            real fingerprints meet more often than random ones.
    """
    cuts = sorted((cost, count) for count in range(1, radius + 2) if (cost := _even_cost(sizes, radius, count)) > 0)
    best, least = WHOLE_BAND, sizes.left * sizes.right * sizes.halves * _look_ns(radius)
    for _, count in cuts[:_TRIED]:
        cut = [Band(start, width, 0) for start, width in _cut(count, sizes.widest)]
        costs = _costs(sizes, radius, cut, measured(cut))
        bands, cost = _share_out(cut, costs, radius)
        if cost < least:
            best, least = bands, cost
    return best


def _cut(count: int, widest: int) -> list[tuple[int, int]]:
    """Start and width of ``count`` bands, as even as can be."""
    edges = [number * FINGERPRINT_BITS // count for number in range(count + 1)]
    return [(start, min(end - start, widest)) for start, end in pairwise(edges)]


def _even_cost(sizes: Sizes, radius: int, count: int) -> float:
    """What ``count`` bands would cost on random fingerprints; 0 if they cannot do it."""
    flips, more = divmod(radius + 1, count)
    if flips - 1 + bool(more) > MOST_FLIPS:
        return 0
    width = min(FINGERPRINT_BITS // count, sizes.widest)
    few, many = (_cost(sizes, radius, width, kept, _random_chance(width, kept)) for kept in (flips - 1, flips))
    return (count - more) * few + more * many


def _share_out(cut: Sequence[Band], costs: Sequence[Sequence[float]], radius: int) -> tuple[tuple[Band, ...], float]:
    """Give out the flips, one after another, where the next one costs least; a band may be left out altogether."""
    flips = [-1] * len(cut)
    waiting = [(cost[0], number) for number, cost in enumerate(costs)]
    heapq.heapify(waiting)
    total = 0.0
    for _ in range(radius + 1):
        more, number = heapq.heappop(waiting)
        total += more
        flips[number] += 1
        if flips[number] < MOST_FLIPS:
            here = costs[number]
            heapq.heappush(waiting, (here[flips[number] + 1] - here[flips[number]], number))
    chosen = [Band(band.start, band.width, kept) for band, kept in zip(cut, flips, strict=True) if kept >= 0]
    return tuple(sorted(chosen, key=lambda band: band.flips)), total


def _costs(sizes: Sizes, radius: int, cut: Sequence[Band], chances: NDArray[np.float64]) -> list[list[float]]:
    """Of each band by its flips."""
    return [
        [
            # A sample may miss what is rare.
            _cost(sizes, radius, band.width, flips, max(chance, _random_chance(band.width, flips)))
            for flips, chance in enumerate(chances[number].tolist())
        ]
        for number, band in enumerate(cut)
    ]


def _cost(sizes: Sizes, radius: int, width: int, flips: int, chance: float) -> float:
    """Nanoseconds of one core for one band."""
    keys: int = 2**width
    sides = sizes.left if sizes.itself else sizes.left + sizes.right
    masks = _neighbours(width, flips)
    filled = min(1, sizes.right / keys)
    return (
        _SORT_NS * sides
        + _KEY_NS * keys * (1 if sizes.itself else 2)
        + masks * (_PROBE_NS * min(sizes.left, keys) + _ROW_NS * filled * sizes.left * sizes.halves)
        + sizes.left * sizes.right * sizes.halves * chance * _look_ns(radius)
    )


def _look_ns(radius: int) -> float:
    """At a great radius half of the bits tell nothing, and most pairs are compared in full."""
    return _LOOK_NS + _COMPARE_NS * _HALF.cdf(radius + 0.5)


def _random_chance(width: int, flips: int) -> float:
    return _neighbours(width, flips) * 0.5**width


def _neighbours(width: int, flips: int) -> int:
    return sum(comb(width, k) for k in range(flips + 1))
