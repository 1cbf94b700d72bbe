"""Which pictures people have said have nothing to do with each other: such a pair never stands in one group again.

A decision is kept by fingerprints and accounts, not by rows of the catalog, so that it outlives a re-scan, a rebuild
and any threshold. Two pictures that were dismissed are so on whatever accounts they stand; one picture on two accounts
(two profiles of one person) is dismissed for these accounts only.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.decisions import read_decided_photos, verdicts_of
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session
    from imgmatch.clustering.nodes import Nodes

_Cluster = tuple[int, int]
"""A decision and one of the pictures it is about: its photos were held to be copies of one picture, or dismissed."""


class CannotLink:
    """Pairs that were dismissed, the latest decision on a pair counting."""

    def __init__(self, session: Session, fingerprints: Collection[bytes] | None = None) -> None:
        """What was decided on these ``fingerprints``, 32 bytes each, or on any."""
        decided = list(read_decided_photos(session, fingerprints))
        verdicts = verdicts_of(session, {decision for decision, _ in decided})
        holders: dict[_Cluster, dict[bytes, set[str]]] = defaultdict(lambda: defaultdict(set))
        for decision, photo in decided:  # a decision that is gone by damage says nothing
            if verdicts.get(decision, Verdict.COMMON) != Verdict.COMMON:
                holders[decision, photo.picture][photo.bits].add(photo.account)
        self._dismissed = {cluster for cluster in holders if verdicts[cluster[0]] == Verdict.DISMISS}
        self._by_bits: dict[bytes, set[_Cluster]] = defaultdict(set)
        self._by_holder: dict[tuple[bytes, str], set[_Cluster]] = defaultdict(set)
        split: dict[bytes, set[str]] = defaultdict(set)
        for cluster, pictures in holders.items():
            for bits, accounts in pictures.items():
                self._by_bits[bits].add(cluster)
                for account in accounts:
                    self._by_holder[bits, account].add(cluster)
                if len(accounts) > 1 and cluster in self._dismissed:
                    split[bits] |= accounts
        self.split: Mapping[bytes, frozenset[str]] = {bits: frozenset(accounts) for bits, accounts in split.items()}
        """For some fingerprints the accounts that carry it and were dismissed as a pair."""

    def among(self, nodes: Nodes) -> CannotLinkNodes:
        """The same for the nodes of a graph."""
        keys = [nodes.bits[node].tobytes() for node in range(len(nodes))] if self._dismissed else []
        clusters = {node: self._by_bits[bits] for node, bits in enumerate(keys) if bits in self._by_bits}
        held = {node: self._by_holder.get((keys[node], account), set()) for node, account in nodes.only.items()}
        return CannotLinkNodes(nodes, clusters, held, self._dismissed)


class CannotLinkNodes:
    """Which nodes must not stand in one group."""

    def __init__(
        self,
        nodes: Nodes,
        clusters: Mapping[int, set[_Cluster]],
        held: Mapping[int, set[_Cluster]],
        dismissed: set[_Cluster],
    ) -> None:
        self._fingerprints = nodes.fingerprints
        self._clusters = clusters
        self._held = held
        self._dismissed = dismissed
        self.any = bool(dismissed) and bool(clusters)
        """Whether there may be a pair at all."""
        self._marked = np.zeros(len(nodes), dtype=bool)
        self._marked[list(clusters)] = True

    def __call__(self, one: int, other: int) -> bool:
        """Whether these two were dismissed."""
        same = self._fingerprints[one] == self._fingerprints[other]
        known: Mapping[int, set[_Cluster]] = self._held if same else self._clusters
        both = known.get(one, set()) & known.get(other, set())
        return bool(both) and max(both) in self._dismissed

    def mask(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The same for many pairs, shape (p,)."""
        dismissed = np.zeros(len(left), dtype=bool)
        for place in np.flatnonzero(self._marked[left] & self._marked[right]).tolist():
            dismissed[place] = self(int(left[place]), int(right[place]))
        return dismissed
