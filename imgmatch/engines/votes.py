"""Hits to candidates: which photos received votes that fit one placement of the photo in the query.

Every hit pairs a point of the query with a stored one whose place, scale and angle are in its id, and so proposes a
turn, a change of size and a shift (weak geometric consistency: Jegou, Douze and Schmid, ECCV 2008). First the votes of
each photo are counted in windows of turn and size, then, for the leading windows only, in windows of shift. Captions
and wood grain collect many votes, but scattered ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imgmatch.features.codebook import F32

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

GEOMETRY_BITS = 24  # of an id: x 6, y 6, scale 5, angle 7; 39 bits are left for the photo
TURNS = 16  # steps of the difference of angles; a window is two of them
STEPS = 32  # steps of the difference of scales, two thirds of an octave each; a window is two of them
LEADING = 300  # windows that are looked at for shift
MOST_VOTES = 32  # votes of a window that take part then
REACH = 0.2  # shift that two votes may differ by, in longest sides of the query, seen in the stored photo
_ROUNDING = 1e-6  # by which sums of the same weights may differ
LEAST_REACH = 0.06  # the same in longest sides of the stored photo: places in ids are coarse


def geometry(points: F32) -> I64:
    """(n, 4) points to 24 bits each: x, y in 64ths, scale in thirds of an octave, angle in 128ths of a turn."""
    x, y, scale, angle = points.T.astype(np.float64)
    parts = (
        np.clip(x * 64, 0, 63),
        np.clip(y * 64, 0, 63),
        np.clip(np.rint((np.log2(np.maximum(scale, 1e-6)) + 10) * 3), 0, 31),
        np.rint(angle * (128 / (2 * np.pi))) % 128,
    )
    packed = np.zeros(len(points), np.int64)
    for part, bits in zip(parts, (6, 6, 5, 7), strict=True):
        packed = packed << bits | part.astype(np.int64)
    return packed


def _of_keys_with(key: I64, weight: F32, least: float) -> npt.NDArray[np.intp]:
    """Places of those (h,) whose key has so much weight in all."""
    order = np.argsort(key)
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    totals = np.add.reduceat(weight[order].astype(np.float64), starts) if len(starts) else np.empty(0)
    return order[np.repeat(totals >= least, np.diff(starts, append=len(order)))]


class Votes:
    """Hits of one query: key (photo * 2 + mirrored), weight, and the transform each proposes."""

    def __init__(self, hits: I64, weight: F32, row: I64, points: F32, mirrored: Bool, least: float = 0.0) -> None:
        """hits, weight, row: (h,) ids, weights and rows of the query's `points` (n, 4); mirrored: (n,).

        Photos whose votes come to less than `least` are left out: of nearly all one or two are hit by chance.
        """
        key = (hits >> GEOMETRY_BITS) * 2 + mirrored[row]
        if least > 0:
            some = _of_keys_with(key, weight, least - _ROUNDING)
            key, hits, weight, row = key[some], hits[some], weight[some], row[some]
        # A point of the query speaks once for a photo: repeated patterns would otherwise shout.
        order = np.lexsort((hits, -weight, row, key))
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(key[order]) != 0) | (np.diff(row[order]) != 0)
        chosen = order[first]
        self.key, self.weight, low = key[chosen], weight[chosen].astype(np.float64), hits[chosen]
        x, y, scale, angle = points[row[chosen]].T.astype(np.float64)
        self.turn = (low & 127) * (2 * np.pi / 128) - angle
        self.octaves = (low >> 7 & 31) / 3 - 10 - np.log2(scale)
        stored = ((low >> 18 & 63) + 0.5 + 1j * ((low >> 12 & 63) + 0.5)) / 64
        # Where the middle of the query falls in the stored photo: one place for all votes that agree.
        self.shift = stored + 2**self.octaves * np.exp(1j * self.turn) * (0.5 + 0.5j - (x + 1j * y))

    def windows(self) -> tuple[I64, npt.NDArray[np.intp], F64]:
        """Windows of turn and size: number (w,), the window of each of four copies of the votes (4 h,), sum (w,)."""
        turn = self.turn * (TURNS / (2 * np.pi)) % TURNS
        step_bin = np.clip(self.octaves * 1.5 + STEPS / 2, 1, STEPS - 1).astype(np.int64)
        turn_bin = turn.astype(np.int64)
        # Windows overlap by half, so that what agrees falls whole into one of the four it is counted in.
        cells = [(self.key * STEPS + step_bin - i) * TURNS + (turn_bin - j) % TURNS for i in (0, 1) for j in (0, 1)]
        numbers, place = np.unique(np.concatenate(cells).astype(np.int64), return_inverse=True)
        sums = np.bincount(place, np.tile(self.weight, 4), len(numbers)).astype(np.float64)
        return numbers, place, sums

    def ranked(self, least: float = 0.0) -> tuple[I64, F64]:
        """Keys with the weight that agrees on turn, size and shift, best first, each key once; from `least` on."""
        if not len(self.key):
            return self.key, self.weight
        numbers, place, sums = self.windows()
        leading = np.argsort(-sums, kind="stable")[:LEADING]
        leading = leading[sums[leading] >= least]  # no more of a window can agree on shift as well
        if not len(leading):
            return self.key[:0], self.weight[:0]
        slot = np.full(len(numbers), -1, np.intp)
        slot[leading] = np.arange(len(leading))
        member = np.flatnonzero(slot[place] >= 0)
        agreed = self._agreeing_shift(slot[place[member]], member % len(self.key), len(leading))
        owner = numbers[leading] // (STEPS * TURNS)
        order = np.argsort(-agreed, kind="stable")
        _, first = np.unique(owner[order], return_index=True)
        best = order[np.sort(first)]
        best = best[agreed[best] >= least]
        return owner[best], agreed[best]

    def _agreeing_shift(self, slot: npt.NDArray[np.intp], vote: npt.NDArray[np.intp], count: int) -> F64:
        """(count,) for each window, the most weight of its votes that lies within reach of one of them."""
        order = np.lexsort((-self.weight[vote], slot))
        slot, vote = slot[order], vote[order]
        rank = np.arange(len(slot)) - np.searchsorted(slot, np.arange(count))[slot]
        keep = rank < MOST_VOTES
        slot, vote, rank = slot[keep], vote[keep], rank[keep]
        shift = np.full((count, MOST_VOTES), np.inf + 0j, np.complex64)
        weight, reach = np.zeros((2, count, MOST_VOTES), np.float32)
        shift[slot, rank] = self.shift[vote]
        weight[slot, rank] = self.weight[vote]
        reach[slot, rank] = np.maximum(LEAST_REACH, REACH * 2 ** self.octaves[vote])
        with np.errstate(invalid="ignore"):
            near = np.abs(shift[:, :, None] - shift[:, None, :]) < reach[:, :, None]
        return np.asarray((near @ weight[:, :, None])[:, :, 0].max(1), np.float64)
