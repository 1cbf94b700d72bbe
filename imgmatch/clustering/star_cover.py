"""Groups: photos that are copies of one picture, gathered round one of them.

Never by chaining (a near b, b near c, so a with c), which ends in one group of thousands of unrelated pictures: every
member is tied to the group's medoid itself. An edge that may turn out to be none, a loose one, is looked into only
where one of its ends is to be the medoid of the other: of a gang's n copies that are n pairs, not n * n.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Star = tuple[int, tuple[int, ...]]
"""A medoid and its members, the medoid among them, in order; both are positions."""

FIRST_ASKED = 16
"""Loose edges of a node that are looked into first, the nearest ones; each time after, twice as many."""

MOST_REFUSED = 16
"""A node of which so many loose edges were refused, and more than were not, has no others: a blank wall has a
fingerprint near those of thousands of other walls."""

_Rank = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Edges:
    """What ties nodes: four arrays of shape (e,), each pair once.

    Attributes:
        left: position of one node, dtype int64.
        right: position of the other, dtype int64.
        costs: how far apart they are, dtype int64; bits, or more than any bits where features tie them.
        loose: whether they have to be compared before they count, dtype bool.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    costs: NDArray[np.int64]
    loose: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.left)

    def and_these(self, others: Edges) -> Edges:
        """These and others."""
        both = ([getattr(self, name), getattr(others, name)] for name in self.__slots__)
        return Edges(*map(np.concatenate, both))

    def where(self, chosen: NDArray[np.bool_]) -> Edges:
        """Some of them."""
        return Edges(self.left[chosen], self.right[chosen], self.costs[chosen], self.loose[chosen])


def unconstrained(one: int, other: int) -> bool:
    """Let any two nodes stand in one star."""
    del one, other
    return False


def all_hold(node: int, others: Sequence[int]) -> list[bool]:
    """Take every loose edge for a true one."""
    del node
    return [True] * len(others)


def gather(
    edges: Edges,
    weights: NDArray[np.int64],
    cannot_link: Callable[[int, int], bool] = unconstrained,
    hold: Callable[[int, Sequence[int]], Sequence[bool]] = all_hold,
) -> tuple[list[Star], Edges]:
    """Cut the graph into stars.

    Again and again the node with the heaviest free neighbourhood becomes a medoid and takes its free neighbours. Ties
    go to the smaller sum of costs, then to the earlier node: the outcome is one and the same on every run. Before that
    its loose edges are looked into; if more than half of its neighbourhood is none, its turn comes later.

    Args:
        edges: what ties ``n`` nodes; none of them joins two that must be apart.
        weights: how much each node counts (the accounts behind it), at least 1, shape (n,).
        cannot_link: whether two nodes must not stand in one star; of two such neighbours the nearer one is taken.
        hold: which of the loose edges of a node with some others are true ones.

    Returns:
        the stars in order of their medoids, a node with no free neighbour being a star of its own; and the edges
        without those that are none.
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
        # Taking nodes or edges away only ever worsens a rank, so a rank that still holds is the best of all.
        if graph.rank(node) == rank and graph.look_into(rank, hold):
            stars.append((node, graph.take(node, cannot_link)))
        else:
            heapq.heappush(waiting, graph.rank(node))
    return sorted(stars), edges.where(graph.left_over())


class _Graph:
    """Edges by node, each at both its ends, and which nodes are still free."""

    def __init__(self, edges: Edges, weights: NDArray[np.int64]) -> None:
        count = len(edges)
        self.free = np.ones(len(weights), dtype=bool)
        self._weights = weights
        ends = np.concatenate([edges.left, edges.right])
        order = np.argsort(ends, kind="stable")
        self._others = np.concatenate([edges.right, edges.left])[order]
        self._costs = np.concatenate([edges.costs, edges.costs])[order]
        self._starts = np.searchsorted(ends[order], np.arange(len(weights) + 1))
        self._edge = order % max(count, 1)
        # By edge, not by end:
        self._there = np.ones(count, dtype=bool)
        self._unasked = edges.loose.copy()
        # By node:
        self._refused, self._held = np.zeros((2, len(weights)), np.int64)

    def _span(self, node: int) -> slice:
        return slice(int(self._starts[node]), int(self._starts[node + 1]))

    def _free_ends(self, node: int) -> NDArray[np.int64]:
        """Places of the edges to its free neighbours."""
        span = self._span(node)
        free: NDArray[np.bool_] = self.free[self._others[span]] & self._there[self._edge[span]]
        return np.arange(span.start, span.stop)[free]

    def rank(self, node: int) -> _Rank:
        """Smaller is better: heavy first, then near, then early."""
        ends = self._free_ends(node)
        weight = self._weights[self._others[ends]].sum() + self._weights[node]
        return -int(weight), int(self._costs[ends].sum()), node

    def look_into(self, rank: _Rank, hold: Callable[[int, Sequence[int]], Sequence[bool]]) -> bool:
        """Look into the loose edges of the node of this rank to its free neighbours.

        Returns:
            whether at least half of its neighbourhood is left.
        """
        node = rank[-1]
        ends = self._free_ends(node)
        ends = ends[self._unasked[self._edge[ends]]]
        if not len(ends):
            return True
        for some in _growing(ends[np.lexsort((self._others[ends], self._costs[ends]))]):
            still = some[self._there[self._edge[some]]]
            others = self._others[still]
            held = np.array(hold(node, others.tolist()), dtype=bool)
            self._unasked[self._edge[still]] = False
            self._there[self._edge[still[~held]]] = False
            self._held[others[held]] += 1
            self._refused[others[~held]] += 1
            self._held[node] += int(held.sum())
            self._refused[node] += int((~held).sum())
            self._give_up([node, *others[~held].tolist()])
        return 2 * self.rank(node)[0] <= rank[0]

    def _give_up(self, nodes: Sequence[int]) -> None:
        """Take away the edges nobody has looked into of nodes of which too many were refused."""
        for node in nodes:
            if self._refused[node] >= MOST_REFUSED and self._refused[node] > self._held[node]:
                edges = self._edge[self._span(node)]
                self._there[edges[self._unasked[edges]]] = False

    def take(self, node: int, cannot_link: Callable[[int, int], bool]) -> tuple[int, ...]:
        """Take the node and its free neighbours out; returns them in order."""
        ends = self._free_ends(node)
        others = self._others[ends]
        members = [node]
        for other in others[np.lexsort((others, self._costs[ends]))].tolist():
            if cannot_link is unconstrained or not any(cannot_link(other, member) for member in members):
                members.append(other)
        self.free[members] = False
        return tuple(sorted(members))

    def left_over(self) -> NDArray[np.bool_]:
        """Which edges were not refused, shape (e,)."""
        return self._there


def _growing(places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """These in parts, each twice as large as the one before."""
    start, size = 0, FIRST_ASKED
    while start < len(places):
        yield places[start : start + size]
        start, size = start + size, 2 * size
