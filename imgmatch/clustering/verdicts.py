"""What the pair model says of pairs of nodes: known, asked for as it is needed, or noted where nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.pair_scores import PairScore
from imgmatch.matching.evidence import turned_back
from imgmatch.model import WITH_NEGATIVES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.clustering.nodes import Nodes
    from imgmatch.joins.near import NearPairs

NodePairs = dict[tuple[int, int], tuple[PairScore, float]]
"""Pairs tied by features, by their two nodes, the smaller one first: what is kept of the pair, and its score."""

Way = tuple[bool, int | None, bool]
"""Whether the picture that is asked about is mirrored, how it is turned to lie frame on frame, if that is tried, and
whether it is its negative."""

_AS_IT_IS_AND_MIRRORED: tuple[Way, ...] = ((False, None, False), (True, None, False))
_THE_SAME_OF_ITS_NEGATIVE: tuple[Way, ...] = ((False, None, True), (True, None, True))

_Rows = tuple[int, int]
"""Row ids of the features of two pictures, the smaller one first."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Two pictures that the pair model must be asked about, by row ids of features, and in which ways."""

    row: int
    other: int
    ways: tuple[Way, ...]
    fingerprints: tuple[int, int]

    @property
    def rows(self) -> _Rows:
        """Both, the smaller one first."""
        return min(self.row, self.other), max(self.row, self.other)


Judge = Callable[[Sequence[Unjudged]], Mapping[_Rows, bool]]
"""Asks the pair model: whether pairs are copies. A picture that is gone meanwhile is in none."""


class Verdicts:
    """Which pairs of nodes are copies.

    Args:
        nodes: all of them.
        loose: those whose fingerprints are near, but not near enough, sorted by ``left``, then ``right``.
        negatives: nodes that are near to the negative of another one.
        known: what was judged.
        scored: which of that counts, by nodes.
        judge: asks the pair model; without one what is not known is taken for true.
    """

    def __init__(
        self,
        nodes: Nodes,
        loose: NearPairs,
        negatives: Collection[int],
        known: Iterable[PairScore],
        scored: NodePairs,
        judge: Judge | None,
    ) -> None:
        self._nodes = nodes
        self._loose = loose
        self._keys = loose.left * len(nodes) + loose.right
        self._negatives = negatives
        self._known = {(pair.low, pair.high): pair.negative is not None for pair in known}
        self._scored = scored
        self._judge = judge
        self._answers: dict[_Rows, bool] = {}
        self._noted: dict[_Rows, Unjudged] = {}

    @property
    def unjudged(self) -> list[Unjudged]:
        """What was not known, and nobody was there to ask."""
        return list(self._noted.values())

    def hold(self, node: int, others: Sequence[int]) -> list[bool]:
        """Whether this node and each of the others, whose fingerprints are near, are copies."""
        return self._answered([(min(node, other), max(node, other)) for other in others])

    def confirmed(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of nodes and medoids those that are known to be copies."""
        held = self._answered(pairs)
        noted = self._noted
        return [pair for pair, holds in zip(pairs, held, strict=True) if holds and self._rows(*pair) not in noted]

    def _answered(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        fresh: dict[_Rows, Unjudged] = {}
        for one, other in pairs:
            rows = self._rows(one, other)
            if not self._is_known(one, other) and rows not in self._answers and _can_be_judged(rows):
                fresh.setdefault(rows, self._question(one, other))
        if fresh and self._judge is not None:
            self._answers.update(self._judge(list(fresh.values())))
        elif fresh:
            self._noted.update(fresh)
        return [self._holds(one, other) for one, other in pairs]

    def _holds(self, one: int, other: int) -> bool:
        rows = self._rows(one, other)
        if self._is_known(one, other) or not _can_be_judged(rows):
            return (min(one, other), max(one, other)) in self._scored
        return self._answers.get(rows, True)

    def _is_known(self, one: int, other: int) -> bool:
        """Whether they were judged; also as negatives, where they are to be compared as such."""
        as_negatives = self._known.get(self._rows(one, other))
        if as_negatives is None or as_negatives or not self._negatives:
            return as_negatives is not None
        return not any(negative for *_, negative in self._ways(one, other))

    def _rows(self, one: int, other: int) -> _Rows:
        row, second = int(self._nodes.features[one]), int(self._nodes.features[other])
        return min(row, second), max(row, second)

    def _question(self, one: int, other: int) -> Unjudged:
        """Loose pairs are aligned frame on frame, the lower node in the orientation in which they are near."""
        ways = self._ways(one, other)
        if ways[0][1] is None:
            return self._unjudged(one, other, ways)
        return self._unjudged(min(one, other), max(one, other), ways)

    def _ways(self, one: int, other: int) -> tuple[Way, ...]:
        low, high = min(one, other), max(one, other)
        place = int(np.searchsorted(self._keys, low * len(self._nodes) + high))
        if place < len(self._keys) and self._keys[place] == low * len(self._nodes) + high:
            turn = WITH_NEGATIVES[int(self._loose.orientations[place])]
            return ((turn.mirrored, turned_back(turn), turn.negative),)
        # Who is tied to a member by its negative may lie in the negative of the medoid.
        may_be = one in self._negatives or other in self._negatives
        return (*_AS_IT_IS_AND_MIRRORED, *_THE_SAME_OF_ITS_NEGATIVE) if may_be else _AS_IT_IS_AND_MIRRORED

    def _unjudged(self, one: int, other: int, ways: tuple[Way, ...]) -> Unjudged:
        nodes = self._nodes
        prints = int(nodes.fingerprints[one]), int(nodes.fingerprints[other])
        return Unjudged(int(nodes.features[one]), int(nodes.features[other]), ways, prints)


def _can_be_judged(rows: _Rows) -> bool:
    """Both have features, and they are two pictures."""
    return 0 <= rows[0] < rows[1]
