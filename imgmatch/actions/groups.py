"""Groups: photos that are copies of one picture, gathered round one of them.

Never by chaining (a near b, b near c, so a with c), which ends in one group of thousands of unrelated pictures: every
member is within ``max_distance`` of the group's medoid itself.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.joins.near import Pairs

Star = tuple[int, tuple[int, ...]]
"""A medoid and its members, the medoid among them, in order; both are positions."""

_Rank = tuple[int, int, int]


def gather(pairs: Pairs, weights: NDArray[np.int64]) -> list[Star]:
    """Cut the graph of near pairs into stars.

    Again and again the node with the heaviest free neighbourhood becomes a medoid and takes its free neighbours. Ties
    go to the smaller sum of distances, then to the earlier node: the outcome is one and the same on every run.

    Args:
        pairs: near pairs among ``n`` nodes.
        weights: how much each node counts (the accounts behind it), at least 1, shape (n,).

    Returns:
        the stars in order of their medoids; a node with no free neighbour is a star of its own.
    """
    graph = _Graph(pairs, weights)
    waiting = [graph.rank(node) for node in range(len(weights))]
    heapq.heapify(waiting)
    stars: list[Star] = []
    while waiting:
        rank = heapq.heappop(waiting)
        node = rank[-1]
        if not graph.free[node]:
            continue
        # Taking nodes away only ever worsens a rank, so a rank that still holds is the best of all.
        fresh = graph.rank(node)
        if fresh != rank:
            heapq.heappush(waiting, fresh)
            continue
        stars.append((node, graph.take(node)))
    return sorted(stars)


class _Graph:
    """Near pairs by node, and which nodes are still free."""

    def __init__(self, pairs: Pairs, weights: NDArray[np.int64]) -> None:
        self.free = np.ones(len(weights), dtype=bool)
        self._weights = weights
        ends = np.concatenate([pairs.left, pairs.right])
        order = np.argsort(ends, kind="stable")
        self._others = np.concatenate([pairs.right, pairs.left])[order]
        self._distances = np.concatenate([pairs.distances, pairs.distances])[order]
        self._starts = np.searchsorted(ends[order], np.arange(len(weights) + 1))

    def rank(self, node: int) -> _Rank:
        """Smaller is better: heavy first, then near, then early."""
        span = slice(self._starts[node], self._starts[node + 1])
        free = self.free[self._others[span]]
        weight = self._weights[self._others[span]][free].sum() + self._weights[node]
        return -int(weight), int(self._distances[span][free].sum()), node

    def take(self, node: int) -> tuple[int, ...]:
        """Take the node and its free neighbours out; returns them in order."""
        others = self._others[self._starts[node] : self._starts[node + 1]]
        members = np.append(others[self.free[others]], node)
        self.free[members] = False
        return tuple(sorted(members.tolist()))
