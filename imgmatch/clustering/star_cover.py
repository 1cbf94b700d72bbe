"""Groups: photos that are copies of one picture, gathered round one of them.

Never by chaining (a near b, b near c, so a with c), which ends in one group of thousands of unrelated pictures: every
member is tied to the group's medoid itself.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Star = tuple[int, tuple[int, ...]]
"""A medoid and its members, the medoid among them, in order; both are positions."""

_Rank = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Edges:
    """What ties nodes: three arrays of shape (e,), each pair once.

    Attributes:
        left: position of one node, dtype int64.
        right: position of the other, dtype int64.
        costs: how far apart they are, dtype int64; bits, or more than any bits where features tie them.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    costs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.left)

    def where(self, chosen: NDArray[np.bool_]) -> Edges:
        """Some of them."""
        return Edges(self.left[chosen], self.right[chosen], self.costs[chosen])


def _unconstrained(one: int, other: int) -> bool:
    del one, other
    return False


def gather(
    edges: Edges, weights: NDArray[np.int64], cannot_link: Callable[[int, int], bool] = _unconstrained
) -> list[Star]:
    """Cut the graph into stars.

    Again and again the node with the heaviest free neighbourhood becomes a medoid and takes its free neighbours. Ties
    go to the smaller sum of costs, then to the earlier node: the outcome is one and the same on every run.

    Args:
        edges: what ties ``n`` nodes; none of them joins two that must be apart.
        weights: how much each node counts (the accounts behind it), at least 1, shape (n,).
        cannot_link: whether two nodes must not stand in one star; of two such neighbours the nearer one is taken.

    Returns:
        the stars in order of their medoids; a node with no free neighbour is a star of its own.
    """
    graph = _Graph(edges, weights)
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
        stars.append((node, graph.take(node, cannot_link)))
    return sorted(stars)


class _Graph:
    """Edges by node, and which nodes are still free."""

    def __init__(self, edges: Edges, weights: NDArray[np.int64]) -> None:
        self.free = np.ones(len(weights), dtype=bool)
        self._weights = weights
        ends = np.concatenate([edges.left, edges.right])
        order = np.argsort(ends, kind="stable")
        self._others = np.concatenate([edges.right, edges.left])[order]
        self._costs = np.concatenate([edges.costs, edges.costs])[order]
        self._starts = np.searchsorted(ends[order], np.arange(len(weights) + 1))

    def rank(self, node: int) -> _Rank:
        """Smaller is better: heavy first, then near, then early."""
        span = slice(self._starts[node], self._starts[node + 1])
        free = self.free[self._others[span]]
        weight = self._weights[self._others[span]][free].sum() + self._weights[node]
        return -int(weight), int(self._costs[span][free].sum()), node

    def take(self, node: int, cannot_link: Callable[[int, int], bool]) -> tuple[int, ...]:
        """Take the node and its free neighbours out; returns them in order."""
        span = slice(self._starts[node], self._starts[node + 1])
        others, costs = self._others[span], self._costs[span]
        free = self.free[others]
        members = [node]
        for other in others[free][np.lexsort((others[free], costs[free]))].tolist():
            if not any(cannot_link(other, member) for member in members):
                members.append(other)
        self.free[members] = False
        return tuple(sorted(members))
