"""Every pair of fingerprints within a distance, in any of the eight orientations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch.model import ORIENTATIONS, Orientation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.base import Codes, FingerprintEngine, Ids

_QUERIES_AT_ONCE = 8_192
"""Bounds the memory of a block: hits, not fingerprints, are what can be many."""


def _back(orientation: Orientation) -> Orientation:
    """What undoes it: a quarter turn is undone by the other one, anything mirrored by itself."""
    return orientation if orientation.mirrored else Orientation(mirrored=False, rotation=-orientation.rotation % 360)


_BACK = np.array([ORIENTATIONS.index(_back(orientation)) for orientation in ORIENTATIONS], dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Near pairs: four arrays of shape (p,), each pair once with ``left < right``, sorted by left, then right.

    Attributes:
        left: position of one fingerprint, dtype int64.
        right: position of the other, dtype int64.
        distances: in bits, dtype int32, the least over the orientations.
        orientations: which one gave it, an index into ``model.ORIENTATIONS``, dtype int8: brought into it, ``left``
            shows ``right``. Of several at the same distance, the first.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.int32]
    orientations: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.left)


def near_pairs(kind: type[FingerprintEngine], turned: NDArray[np.uint8], max_distance: int) -> Pairs:
    """Join a set of fingerprints with itself.

    Args:
        kind: the engine to search with.
        turned: shape (k, n, 32), dtype uint8: ``n`` fingerprints, and the same in ``k - 1`` further orientations, in
            the order of ``model.ORIENTATIONS``.
        max_distance: in bits, inclusive.
    """
    positions: Ids = np.arange(turned.shape[1], dtype=np.int64)
    engine = kind(positions, turned[0])
    blocks = list(_blocks(engine, turned, max_distance))
    if not blocks:
        empty = np.empty(0, np.int64)
        return Pairs(empty, empty, np.empty(0, np.int32), np.empty(0, np.int8))
    left, right, distances, orientations = (np.concatenate(column) for column in zip(*blocks, strict=True))
    # The least distance of a pair first, then keep the first of each pair.
    order = np.lexsort((orientations, distances, right, left))
    left, right, distances, orientations = left[order], right[order], distances[order], orientations[order]
    first = np.ones(len(left), dtype=bool)
    first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return Pairs(left[first], right[first], distances[first], orientations[first])


def _blocks(
    engine: FingerprintEngine, turned: Codes, max_distance: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]]:
    for orientation, codes in enumerate(turned):
        for start in range(0, len(codes), _QUERIES_AT_ONCE):
            hits = engine.search(codes[start : start + _QUERIES_AT_ONCE], max_distance)
            left, right = hits.queries + start, hits.ids
            # Turning is symmetrical up to the few bits an estimate is off: either side's finding of a pair counts.
            once = left < right if orientation == 0 else left != right
            left, right, distances = left[once], right[once], hits.distances[once]
            low, high = np.minimum(left, right), np.maximum(left, right)
            # Found from the other side, the pair is turned back.
            yield low, high, distances, np.where(left < right, np.int8(orientation), _BACK[orientation])
