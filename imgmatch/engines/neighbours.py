"""Of each descriptor the nearest codes, whichever segments hold them: a function of the descriptor and the codes alone.

FAISS adds up table entries rounded to one byte, so one descriptor in fifteen has several codes equally far away at the
last place. Which of these FAISS returns depends on the order of the codes in their list and on its segments. Here the
smaller ids win. To know them all, more codes are asked for than are kept; where even the last of those is as near as
the last one kept, more still, until the equally near ones have come to an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from imgmatch.features.codebook import F32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

I64 = NDArray[np.int64]

_FIRST = 20
"""Codes each segment is asked for at first; up to here FAISS keeps them in a heap, which costs what ten would."""

_MORE = 4
"""How many times as many it is asked for the next time."""

_MOST_RETURNED = 1 << 18
"""Codes a segment returns at once, about 8 MB."""


class CodeSegment(Protocol):
    """Codes that can be searched."""

    def nearest(self, vectors: F32, far: F32, lists: I64, count: int) -> tuple[F32, I64]:
        """Squared distances and ids, both (n, count), nearest first, in lists chosen already; -1 where none is."""
        ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest codes of some descriptors: three arrays of shape (h,), sorted by descriptor.

    Attributes:
        queries: which descriptor, dtype int64.
        ids: ids of the codes, dtype int64; two codes may have one id.
        distances: squared, of unit descriptors, dtype float32.
    """

    queries: I64
    ids: I64
    distances: F32

    @classmethod
    def merged(cls, parts: Sequence[Neighbours], count: int) -> Neighbours:
        """The first ``count`` codes of each descriptor among those that lie in different parts of one set of codes.

        Each part brings the first ``count`` of its own, or all that it has: what is merged is then what a search of the
        whole would give.
        """
        none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        return cls.first([none, *_leading(parts, count)], count)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def first(cls, hits: Sequence[tuple[I64, I64, F32]], count: int) -> Neighbours:
        """The first ``count`` hits of each query, from hits in any order: queries, ids and distances."""
        queries, ids, distances = (np.concatenate([part[which] for part in hits]) for which in range(3))
        crowded = (np.bincount(queries)[queries] > count).nonzero()[0]
        order = crowded[np.lexsort((ids[crowded], distances[crowded], queries[crowded]))]
        ordered = queries[order]
        left_out = order[np.arange(len(order)) - np.searchsorted(ordered, ordered) >= count]
        kept = np.delete(np.arange(len(queries)), left_out)
        kept = kept[np.argsort(queries[kept], kind="stable")]
        return cls(queries[kept], ids[kept], distances[kept])


def _leading(parts: Sequence[Neighbours], count: int) -> Iterator[tuple[I64, I64, F32]]:
    """What of each part is as near as the ``count``-th of all, so that few are left to be put in order."""
    most = max((int(part.queries[-1]) + 1 for part in parts if len(part)), default=0)
    every = np.full((most, len(parts) * count), np.inf, np.float32)
    for number, part in enumerate(parts):
        ranks = np.arange(len(part)) - np.searchsorted(part.queries, part.queries)
        every[part.queries, number * count + ranks] = part.distances
    last = np.partition(every, count - 1, axis=1)[:, count - 1] if most else np.empty(0, np.float32)
    for part in parts:
        near = part.distances <= last[part.queries]
        yield part.queries[near], part.ids[near], part.distances[near]


def nearest_codes(
    segments: Sequence[CodeSegment], vectors: F32, far: F32, lists: I64, *, count: int, cut: float
) -> Neighbours:
    """The ``count`` codes nearest to each vector and nearer than ``cut``, of those equally near the smaller ids.

    Args:
        segments: where the codes lie, at least one.
        vectors: unit descriptors, shape (n, 128).
        far: squared distances of the centroids of ``lists``, shape (n, probes).
        lists: which lists to look through, shape (n, probes).
        count: at most ``_FIRST``.
        cut: squared distance from which a code does not count.
    """
    found = [_below(segment.nearest(vectors, far, lists, _FIRST), cut) for segment in segments]
    every = np.concatenate([distances for distances, _ in found], axis=1)
    last = np.partition(every, count - 1, axis=1)[:, count - 1]
    hits = []
    for segment, (distances, ids) in zip(segments, found, strict=True):
        unsure = (distances[:, -1] == last) & np.isfinite(last)
        rows, columns = np.nonzero((distances <= last[:, None]) & np.isfinite(distances) & ~unsure[:, None])
        hits.append((rows, ids[rows, columns], distances[rows, columns]))
        rows = np.flatnonzero(unsure)
        for names, near in _as_near_as(last[rows], segment, vectors[rows], far[rows], lists[rows], rows):
            # Of thousands of near copies all codes are equally near: only those that may be kept go on.
            some = Neighbours.first([near], count)
            hits.append((names[some.queries], some.ids, some.distances))
    return Neighbours.first(hits, count)


def _below(found: tuple[F32, I64], cut: float) -> tuple[F32, I64]:
    """Distances and ids, with an infinite distance where there is no code, or none that counts."""
    distances, ids = found
    return np.where((ids >= 0) & (distances < cut), distances, np.float32(np.inf)), ids


def _as_near_as(
    last: F32, segment: CodeSegment, vectors: F32, far: F32, lists: I64, names: I64
) -> Iterator[tuple[I64, tuple[I64, I64, F32]]]:
    """All codes of a segment up to the distance ``last`` of each vector, of some vectors at a time.

    Yields: names of some vectors, and of their codes which of those vectors they are near, their ids and distances.
    """
    waiting, count = np.arange(len(vectors)), _FIRST * _MORE
    while len(waiting):
        unsure = []
        step = max(1, _MOST_RETURNED // count)
        for rows in (waiting[at : at + step] for at in range(0, len(waiting), step)):
            distances, ids = segment.nearest(vectors[rows], far[rows], lists[rows], count)
            within = (ids >= 0) & (distances <= last[rows, None])
            whole = ~within[:, -1]
            of, columns = np.nonzero(within & whole[:, None])
            yield names[rows], (of, ids[of, columns], distances[of, columns])
            unsure.append(rows[~whole])
        waiting, count = np.concatenate(unsure), count * _MORE
