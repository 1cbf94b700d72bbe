"""Every pair of fingerprints within a distance, in any of the eight orientations, and of negatives in any of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch.joins.blocks import JoinOptions, PairBlock, words_of
from imgmatch.joins.hamming import cross_join, self_join
from imgmatch.model import FINGERPRINT_BITS, ORIENTATIONS, WITH_NEGATIVES, Orientation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.joins.blocks import Words
    from imgmatch.model import Skipped
    from imgmatch.progress import Progress


def _back(orientation: Orientation) -> Orientation:
    """What undoes it: a quarter turn is undone by the other one, anything mirrored by itself."""
    return orientation if orientation.mirrored else replace(orientation, rotation=-orientation.rotation % 360)


BACK = np.array([WITH_NEGATIVES.index(_back(orientation)) for orientation in WITH_NEGATIVES], dtype=np.int8)
"""For each orientation, and each of the negative, the one that undoes it."""


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Near pairs: four arrays of shape (p,), each pair once with ``left < right``.

    Attributes:
        left: position of one fingerprint, dtype int64.
        right: position of the other, dtype int64.
        distances: in bits, dtype int32, the least over the orientations.
        orientations: which one gave it, an index into ``model.WITH_NEGATIVES``, dtype int8: brought into it, ``left``
            shows ``right``. Of several at the same distance, the first; one of the negative only where the two are not
            near as they are.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.int32]
    orientations: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.left)


_NONE = NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int8))


def with_negatives(turned: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Fingerprints in some orientations, and of their negatives, which are the complements, in the same.

    Args:
        turned: shape (k, n, 32), dtype uint8, in the order of ``model.ORIENTATIONS``.

    Returns:
        both, shape (2k, n, 32), and of each which of ``model.WITH_NEGATIVES`` it is, shape (2k,), dtype int64.
    """
    ways = np.arange(len(turned))
    return np.concatenate([turned, ~turned]), np.concatenate([ways, ways + len(ORIENTATIONS)])


def least_way(
    distances: NDArray[np.int64], ways: NDArray[np.int64], max_distance: int
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """The nearest of several ways, and which it is: one of the negative only where no other is within reach.

    Args:
        distances: of each way, shape (k, p).
        ways: indexes into ``model.WITH_NEGATIVES``, shape (k,).
        max_distance: in bits, inclusive.

    Returns:
        bits and ways, both of shape (p,); of several at the same distance the first.
    """
    bits, count = FINGERPRINT_BITS + 1, len(WITH_NEGATIVES)
    behind = 2 * (distances > max_distance) + (ways >= len(ORIENTATIONS))[:, None]
    least = ((behind * bits + distances) * count + ways[:, None]).min(axis=0)
    return (least // count % bits).astype(np.int32), (least % count).astype(np.int8)


def near_pairs(
    turned: NDArray[np.uint8], max_distance: int, options: JoinOptions | None = None, *, negatives: bool = False
) -> NearPairs:
    """Join a set of fingerprints with itself; the pairs, sorted by left, then right, are all held in memory.

    Args:
        turned: shape (k, n, 32), dtype uint8: ``n`` fingerprints, and the same in ``k - 1`` further orientations, in
            the order of ``model.ORIENTATIONS``.
        max_distance: in bits, inclusive.
        options: how to run.
        negatives: whether to find pairs of which one is a negative, too.
    """
    blocks = [_NONE, *near_blocks(turned, max_distance, options, negatives=negatives)]
    left, right = (np.concatenate([getattr(block, side) for block in blocks]) for side in ("left", "right"))
    distances = np.concatenate([block.distances for block in blocks])
    orientations = np.concatenate([block.orientations for block in blocks])
    order = np.lexsort((right, left))
    return NearPairs(left[order], right[order], distances[order], orientations[order])


def near_blocks(
    turned: NDArray[np.uint8], max_distance: int, options: JoinOptions | None = None, *, negatives: bool = False
) -> Iterator[NearPairs]:
    """The same pairs in blocks, in no order: as many as there are, in bounded memory.

    A pair found in several orientations, or from both its sides, is reported where it is found first, with the least
    of all its distances: they are computed anew for it, so that nothing has to be remembered.
    """
    asked = options or JoinOptions()
    every, ways = with_negatives(turned) if negatives else (turned, np.arange(len(turned)))
    stages = _Stages(asked.progress, len(every))
    inner = replace(asked, progress=stages)
    words = [words_of(codes) for codes in every]
    for number, codes in enumerate(every):
        joined = cross_join(codes, every[0], max_distance, inner) if number else self_join(codes, max_distance, inner)
        for block in joined:
            near = _least(words, ways, block, number, max_distance)
            if len(near):
                yield near
        stages.next()


def _least(
    turned: Sequence[Words], ways: NDArray[np.int64], block: PairBlock, number: int, max_distance: int
) -> NearPairs:
    """Of pairs found in one orientation those that were not found before, with their least distance."""
    apart = block.left != block.right  # a picture that is its own mirror image is no pair
    left, right = block.left[apart], block.right[apart]
    low, high = np.minimum(left, right), np.maximum(left, right)
    distances = _all_ways(turned, low, high)
    found_by = 2 * number - (left < right) if number else np.zeros(len(left), np.int64)
    new = np.argmax(distances <= max_distance, axis=0) == found_by
    # Turning is symmetrical up to the few bits an estimate is off: either side's finding of a pair counts. Found from
    # the other side, the pair is turned back.
    either = np.concatenate([ways[:1], np.stack([ways[1:], BACK[ways[1:]]], axis=1).ravel()])
    return NearPairs(low[new], high[new], *least_way(distances[:, new], either, max_distance))


def _all_ways(turned: Sequence[Words], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distances of pairs in every orientation, from either side, shape (2k - 1, p): 0, then 1 and 1 back, and so on."""
    upright, *others = turned
    pairs = [(upright, low, high), *((words, *way) for words in others for way in ((low, high), (high, low)))]
    return np.stack([_distances(words[one], upright[other]) for words, one, other in pairs])


def _distances(one: Words, other: Words) -> NDArray[np.int64]:
    bits: NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return bits


class _Stages:
    """Progress on several joins, one after another, as on one."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress = progress
        self._count = count
        self._number = 0

    def step(self, work: str, done: float, total: float | None = None) -> None:
        self._progress.step(work, (self._number + done / (total or 1)) / self._count, 1)

    def skipped(self, skipped: Skipped) -> None:
        self._progress.skipped(skipped)

    def next(self) -> None:
        self._number += 1
