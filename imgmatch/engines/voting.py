"""From the features of a query to candidates, wherever the codes are that its descriptors are near.

What depends on the whole set of codes is asked for in one place, :data:`Nearest`: it may be one engine, or many that
hold a part each and whose answers are merged. All else is a function of the query, of the codebook and of that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from imgmatch.engines.base import Candidate
from imgmatch.engines.neighbours import I64, Neighbours
from imgmatch.engines.packed import are_worth_it, nearest_lists
from imgmatch.engines.votes import Votes
from imgmatch.features.codebook import F32, U8, Codebook, floats

if TYPE_CHECKING:
    from imgmatch.features.extract import Features

NEIGHBOURS = 10
"""Codes kept for one descriptor."""

CUT = 0.55
"""Largest squared distance of unit descriptors that counts."""

AT_ONCE = 2_048
"""Lists read at once, those of one descriptor after the other: FAISS makes 2 KB of tables for each, 4 MB in all. For
many more, memory is taken anew from the system with each search, which is half of what a search of few codes costs."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Descriptors, and the lists of codes that are read for each of them.

    Attributes:
        descriptors: shape (n, 128), dtype uint8.
        far: squared distances of the centroids of the lists, shape (n, p), dtype float32.
        lists: their numbers, nearest first, shape (n, p), dtype int64; -1 where there is none.
    """

    descriptors: U8
    far: F32
    lists: I64

    def __len__(self) -> int:
        return len(self.descriptors)

    def between(self, start: int, end: int) -> Probes:
        """Those of some of the descriptors."""
        some = slice(start, end)
        return Probes(self.descriptors[some], self.far[some], self.lists[some])

    @classmethod
    def of(cls, codebook: Codebook, descriptors: U8, count: int) -> Probes:
        """The ``count`` nearest lists of each descriptor."""
        far, lists = np.empty((len(descriptors), count), np.float32), np.empty((len(descriptors), count), np.int64)
        step, compiled = max(AT_ONCE // count, 1), are_worth_it(len(descriptors))
        for some in (slice(at, at + step) for at in range(0, len(descriptors), step)):
            if compiled:
                far[some], lists[some] = nearest_lists(codebook, descriptors[some], count)
            else:
                far[some], lists[some] = codebook.nearest(floats(descriptors[some]), count)
        return cls(descriptors, far, lists)


Nearest: TypeAlias = Callable[[Probes], Neighbours]
"""Of each descriptor the ``NEIGHBOURS`` nearest codes of all there are, of equally near ones the smaller ids."""


def candidates(
    codebook: Codebook, nearest: Nearest, queries: Sequence[Features], limit: int, least: float
) -> list[list[Candidate]]:
    """For each query, as given and mirrored, the ``limit`` pictures with most votes, ``least`` or more.

    Args:
        codebook: that of the codes.
        nearest: asked once for all queries that read as many lists.
        queries: some may have no points.
        limit: pictures of each query.
        least: votes.
    """
    answers: list[list[Candidate]] = [[] for _ in queries]
    asked: dict[int, list[int]] = {}
    for number, query in enumerate(queries):
        if len(query):
            asked.setdefault(codebook.probes_for(len(query)), []).append(number)
    for probes, numbers in asked.items():
        sides = [(queries[number], queries[number].mirrored()) for number in numbers]
        descriptors = np.concatenate([side.descriptors for both in sides for side in both])
        found = nearest(Probes.of(codebook, descriptors, probes))
        for number, (both, own) in zip(numbers, _each(sides, found), strict=True):
            answers[number] = _ranked(both, own, limit, least)
    return answers


def _each(
    sides: Sequence[tuple[Features, Features]], found: Neighbours
) -> Iterator[tuple[tuple[Features, Features], Neighbours]]:
    """Each query with what is near to its own descriptors."""
    start = 0
    for both in sides:
        end = start + len(both[0]) + len(both[1])
        span = slice(*np.searchsorted(found.queries, [start, end]).tolist())
        yield both, Neighbours(found.queries[span] - start, found.ids[span], found.distances[span])
        start = end


def _ranked(both: tuple[Features, Features], found: Neighbours, limit: int, least: float) -> list[Candidate]:
    points = np.concatenate([side.points for side in both])
    mirrored = np.arange(len(points)) >= len(both[0])
    keys, votes = Votes(found.ids, CUT - found.distances, found.queries, points, mirrored, least).ranked(least)
    best: dict[int, Candidate] = {}
    for key, vote in zip(keys.tolist(), votes.tolist(), strict=True):
        if len(best) == limit:
            break
        best.setdefault(key // 2, Candidate(key // 2, vote, bool(key % 2)))
    return list(best.values())
