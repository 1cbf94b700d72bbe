"""The loops of the banded join, compiled by numba when they are first called and kept in its cache.

Only :mod:`imgmatch.joins.banded` imports this module, and only for sets large enough to be worth numba's start. All
kernels stand in this one file because numba's cache looks at the file of a kernel alone, not at what the kernel calls.

Rows are counted in int32 (two thousand million fingerprints fill 64 GB), bits of fingerprints are uint64: numba turns
uint64 beside int64 into float64, so the two never meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.compiled import kernel
from imgmatch.joins.lanes import LANES, near_lanes, ones
from imgmatch.joins.shapes import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.joins.shapes import Area, Found, Rule


_ROW, _BUCKET = 32, 8
"""What a row and an empty bucket cost, as so many pairs looked at."""


@kernel
def _read(words: NDArray[np.uint64], row: int, start: int, width: int) -> np.uint64:
    """The ``width`` bits from bit ``start`` on, at most 32."""
    word, low = start >> 6, np.uint64(start & 63)
    bits = words[row, word] >> low
    if (start & 63) + width > 64:  # noqa: PLR2004 -- a word has 64 bits, the rest is in the next one
        bits |= words[row, word + 1] << (np.uint64(64) - low)
    return np.uint64(bits & np.uint64((1 << width) - 1))


@kernel
def sort_by_band(words: NDArray[np.uint64], start: int, width: int) -> Column:
    """Counting sort by the ``width`` bits from bit ``start`` on."""
    rows = len(words)
    keys = np.empty(rows, np.int32)
    order = np.empty(rows, np.int32)
    placed = np.empty((rows, 4), np.uint64)
    starts = np.zeros((1 << width) + 2, np.int32)
    first = np.empty(rows + LANES, np.uint64)
    second = np.empty(rows + LANES, np.uint64)
    first[rows:] = 0
    second[rows:] = 0
    one, other = ((start >> 6) + 2) % 4, ((start >> 6) + 3) % 4
    for row in range(rows):
        key = np.int32(_read(words, row, start, width))
        keys[row] = key
        starts[key + 2] += 1
    for value in range(1 << width):
        starts[value + 2] += starts[value + 1]
    for row in range(rows):  # moves each start to its end, which is the start of the next key, one place further
        place = starts[keys[row] + 1]
        starts[keys[row] + 1] = place + 1
        order[place] = row
        for word in range(4):
            placed[place, word] = words[row, word]
    for place in range(rows):
        first[place] = placed[place, one]
        second[place] = placed[place, other]
    for value in range(1 << width):
        keys[starts[value] : starts[value + 1]] = value
    return Column(placed, order, keys, starts, first, second)


@kernel
def _is_first(rule: Rule, differ: tuple[np.uint64, np.uint64, np.uint64, np.uint64]) -> bool:
    """Whether no earlier band has given this pair."""
    for band in range(rule.band):
        bits = np.uint64(0)
        for word in range(4):
            bits += ones(differ[word] & rule.bands[band, word])
        if bits <= np.uint64(rule.flips[band]):
            return False
    return True


@kernel
def _seek(
    addresses: tuple[np.uintp, np.uintp], one: np.uint64, two: np.uint64, radius: np.uint64, span: tuple[int, int]
) -> tuple[int, np.uint64]:
    """The next place of a stretch where one of eight rows may be near, and which are; its end if there is none.

    Half of the bits tell: of 128 random ones about 64 differ, never 31.
    """
    j, high = span
    while j < high:
        near = near_lanes(addresses[0] + np.uintp(j * 8), one, addresses[1] + np.uintp(j * 8), two, radius)
        if near:
            return j, near
        j += LANES
    return high, np.uint64(0)


@kernel
def _take(left: Column, right: Column, rule: Rule, i: int, j: int, found: Found, written: int) -> int:
    """Compare two rows in full; returns how many pairs are written now."""
    differ = (
        left.words[i, 0] ^ right.words[j, 0],
        left.words[i, 1] ^ right.words[j, 1],
        left.words[i, 2] ^ right.words[j, 2],
        left.words[i, 3] ^ right.words[j, 3],
    )
    distance = ones(differ[0]) + ones(differ[1]) + ones(differ[2]) + ones(differ[3])
    if distance > np.uint64(rule.radius) or not _is_first(rule, differ):
        return written
    a, b = left.order[i], right.order[j]
    if rule.itself and b < a:
        a, b = b, a
    found.left[written] = a
    found.right[written] = b
    found.distances[written] = np.int16(distance)
    return written + 1


@kernel
def scan(left: Column, right: Column, rule: Rule, area: Area, state: NDArray[np.int64], found: Found) -> bool:
    """Find the pairs of some rows of the left side, as far as room and patience last.

    Args:
        left: one side.
        right: the other, sorted by the same band.
        rule: what makes a pair.
        area: which rows.
        state: where to go on, shape (5,): mask, place of the left side, place of the right side (0: from its start);
            then, for the caller to read, pairs looked at and pairs written by this call.
        found: where the pairs go; at least eight have room.

    Returns:
        whether the area is done; if not, call again with the same state.
    """
    i, resume, looked, written = state[1], state[2], 0, 0
    patience, room, radius = area.patience, len(found.left) - LANES, np.uint64(rule.radius)
    addresses = np.uintp(right.first.ctypes.data), np.uintp(right.second.ctypes.data)
    for number in range(state[0], len(rule.masks)):
        flip = rule.masks[number]
        triangle = rule.itself and flip == 0
        while i < area.stop:
            key = left.keys[i]
            same = min(int(left.starts[key + 1]), area.stop)
            other = key ^ flip
            begin, high = max(int(right.starts[other]), area.begin), min(int(right.starts[other + 1]), area.end)
            if begin >= high or (rule.itself and other < key):  # of two keys the smaller asks
                i = same
                patience -= _BUCKET
            while i < same:
                low = max(i + 1 if triangle else begin, begin, resume)
                one, two = left.first[i], left.second[i]
                j, near = _seek(addresses, one, two, radius, (low, high))
                while j < high and written <= room:
                    while near:
                        rest = near & (near - np.uint64(1))  # without its lowest bit, whose place is below
                        place = j + int(ones(~near & (near - np.uint64(1))))
                        if place < high:
                            written = _take(left, right, rule, i, place, found, written)
                        near = rest
                    j, near = _seek(addresses, one, two, radius, (j + LANES, high))
                looked += max(j - low, 0)
                full, patience = j < high, patience - _ROW - (j - low)
                if full or patience < 0:
                    state[:] = number, i if full else i + 1, j if full else 0, looked, written
                    return False
                resume = 0
                i += 1
        i = area.start
    state[3], state[4] = looked, written
    return True


@kernel
def tally(
    left: NDArray[np.uint64], right: NDArray[np.uint64], pairs: NDArray[np.int64], bands: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """How many of some pairs differ in each band by 0, 1, ... ``most`` bits.

    Args:
        left: fingerprints, shape (n, 4).
        right: others, shape (m, 4).
        pairs: a row of either side, shape (p, 2).
        bands: start and width of each, shape (b, 2).
        most: bits.

    Returns:
        shape (b, most + 1).
    """
    counts = np.zeros((len(bands), most + 1), np.int64)
    for pair in range(len(pairs)):
        a, b = pairs[pair]
        for band in range(len(bands)):
            start, width = bands[band]
            bits = np.int64(ones(_read(left, a, start, width) ^ _read(right, b, start, width)))
            if bits <= most:
                counts[band, bits] += 1
    return counts
