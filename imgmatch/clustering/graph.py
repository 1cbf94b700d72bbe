"""The graph of a night: pictures, tied by their fingerprints or by their features, cut into stars."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.pair_scores import PairScore, read_pair_scores, scored_pairs
from imgmatch.clustering.cannot_link import Dismissals
from imgmatch.clustering.collages import uncollaged
from imgmatch.clustering.confirming import crossing, joined
from imgmatch.clustering.judging import confirm, confirm_near
from imgmatch.clustering.nodes import Nodes, read_nodes, turned_by
from imgmatch.clustering.search import Searched, Tied, search_new
from imgmatch.clustering.star_cover import Edges, Star, gather
from imgmatch.features import pair_model as rules
from imgmatch.joins.blocks import Terms
from imgmatch.joins.near import Pairs, near_pairs
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from imgmatch.clustering.cannot_link import Apart
    from imgmatch.index import Index

FEATURES_COST = 1_000
"""What a tie by features costs, in bits: more than any tie by fingerprints, so that those come first."""


Ties = dict[tuple[int, int], tuple[PairScore, float]]
"""Ties by the two nodes, the smaller one first, each with its score."""


@dataclass(frozen=True, slots=True)
class Night:
    """How to look.

    Attributes:
        max_distance: bits in which copies may differ; ``None`` takes the hasher's own.
        min_score: what a tie by features scores at least; ``None`` takes the rule's own.
        search: look up the features of new pictures first, which writes what it finds; else take what is on record.
        progress: hears how far the run is.
    """

    max_distance: int | None = None
    min_score: float | None = None
    search: bool = True
    progress: Progress = SILENT


@dataclass(frozen=True)
class Graph:
    """What a night has found.

    Attributes:
        nodes: the pictures.
        near: those tied by fingerprints.
        ties: those tied by features, by their two nodes, the smaller one first, with the score.
        stars: groups of two nodes or more, and single nodes that stand for several accounts.
        searched: what the search did.
    """

    nodes: Nodes
    near: Pairs
    ties: Ties
    stars: list[Star]
    searched: Searched = field(default_factory=Searched)


def draw_graph(index: Index, night: Night) -> Graph:
    """Join, search, gather and confirm.

    Raises:
        IndexLockedError: another process is writing, and there is something to write.
    """
    profile = index.hasher.profile
    allowed = profile.max_distance if night.max_distance is None else night.max_distance
    with index.catalog.read() as connection:
        dismissals = Dismissals(connection)
        nodes = read_nodes(connection, index.header.hashers[0], dismissals.apart)
    apart = dismissals.among(nodes)
    near = _near(index, nodes, allowed, apart, night)
    searched = Searched()
    if night.search and nodes.pictures:
        tied = Tied(nodes, near.left, near.right)
        searched = search_new(index, nodes, tied, night.progress)
        loose = _chosen(near, _is_loose(near, nodes, profile.sure_distance))
        confirm_near(index, nodes, loose, searched, night.progress)
    found = _ties(index, nodes, night)
    near = _chosen(near, ~_is_loose(near, nodes, profile.sure_distance) | ~_is_refused(index, nodes, near, found))
    pairs, ties = _edges(found, near, apart)
    everything = _both(pairs, ties)
    stars = gather(everything, nodes.weights, apart)
    stars = uncollaged(stars, everything, nodes.weights, _whole(found, ties, nodes), apart)
    asked = crossing(stars, everything, len(nodes))
    if night.search:
        confirm(index, nodes, asked, searched, night.progress)
        found = _ties(index, nodes, night)
    confirmed = [pair for pair in asked if (min(pair), max(pair)) in found]
    stars = joined(stars, confirmed, ties, apart, len(nodes))
    return Graph(nodes, near, found, _with_single(stars, nodes), searched)


def _near(index: Index, nodes: Nodes, allowed: int, apart: Apart, night: Night) -> Pairs:
    pairs = near_pairs(turned_by(index.hasher, nodes.bits), allowed, Terms(progress=night.progress))
    return _chosen(pairs, ~apart.mask(pairs.left, pairs.right))


def _chosen(pairs: Pairs, chosen: NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.left[chosen], pairs.right[chosen], pairs.distances[chosen], pairs.orientations[chosen])


def _is_loose(pairs: Pairs, nodes: Nodes, sure: int) -> NDArray[np.bool_]:
    """Which pairs are not so near that their fingerprints are enough, and can be laid over each other."""
    one, other = nodes.features[pairs.left], nodes.features[pairs.right]
    loose: NDArray[np.bool_] = (pairs.distances > sure) & (one >= 0) & (other >= 0) & (one != other)
    return loose


def _is_refused(index: Index, nodes: Nodes, pairs: Pairs, found: Ties) -> NDArray[np.bool_]:
    """Which pairs were laid over each other and are no copies."""
    with index.catalog.read() as connection:
        judged = scored_pairs(connection)
    one, other = nodes.features[pairs.left], nodes.features[pairs.right]
    rows = zip(np.minimum(one, other).tolist(), np.maximum(one, other).tolist(), strict=True)
    ends = zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    refused = (pair in judged and end not in found for pair, end in zip(rows, ends, strict=True))
    return np.fromiter(refused, bool, len(pairs))


def _ties(index: Index, nodes: Nodes, night: Night) -> Ties:
    """Ties that count, by nodes; of several between two nodes the best."""
    rule = rules.shipped_ties()
    least = rule.accept if night.min_score is None else night.min_score
    with index.catalog.read() as connection:
        found = [
            tie for tie in read_pair_scores(connection) if tie.low in nodes.pictures and tie.high in nodes.pictures
        ]
    scores = rule.probabilities(np.array([tie.log_odds for tie in found], np.float64)).tolist()
    best: Ties = {}
    for tie, score in zip(found, scores, strict=True):
        ends = nodes.pictures[tie.low], nodes.pictures[tie.high]
        if score < least or ends[0] == ends[1]:
            continue
        for one, other in product(*(nodes.of_picture(end) for end in ends)):
            key = (min(one, other), max(one, other))
            if key not in best or score > best[key][1]:
                best[key] = tie, score
    return best


def _whole(found: Ties, ties: Edges, nodes: Nodes) -> Callable[[int, int], float]:
    """What tells which share of one node is seen, and looks the same, in another; all where fingerprints tie them."""
    seen: dict[tuple[int, int], float] = {}
    for low, high in zip(ties.left.tolist(), ties.right.tolist(), strict=True):
        tie, _ = found[low, high]
        as_told = nodes.fingerprints[nodes.pictures[tie.low]] == nodes.fingerprints[low]
        alike = 1.0 if tie.agreement is None else tie.agreement
        of_low, of_high = alike * (tie.overlap_low or 0.0), alike * (tie.overlap_high or 0.0)
        seen[low, high], seen[high, low] = (of_low, of_high) if as_told else (of_high, of_low)
    return lambda one, other: seen.get((one, other), 1.0)


def _edges(ties: Ties, near: Pairs, apart: Apart) -> tuple[Edges, Edges]:
    """Edges by fingerprints and, where there are none of those, by features."""
    pairs = Edges(near.left, near.right, near.distances.astype(np.int64))
    known = set((near.left << 32 | near.right).tolist())
    keys = sorted(key for key in ties if key[0] << 32 | key[1] not in known)
    ends = np.array(keys, dtype=np.int64).reshape(-1, 2)
    by_features = Edges(ends[:, 0], ends[:, 1], np.full(len(ends), FEATURES_COST, np.int64))
    return pairs, by_features.where(~apart.mask(by_features.left, by_features.right))


def _both(one: Edges, other: Edges) -> Edges:
    def end(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(one, name), getattr(other, name)])

    return Edges(end("left"), end("right"), end("costs"))


def _with_single(stars: list[Star], nodes: Nodes) -> list[Star]:
    """Also the pictures that need no other to tie accounts."""
    taken = np.zeros(len(nodes), dtype=bool)
    for _, members in stars:
        taken[list(members)] = True
    single = np.flatnonzero(~taken)
    return sorted([*stars, *((int(node), (int(node),)) for node in single)])
