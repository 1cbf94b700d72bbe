"""The graph of pictures: tied by fingerprints or by features, cut into groups round medoids.

It is a function of what the catalog holds alone. What it would ask the pair model, and the catalog does not know yet,
it names as unjudged; whoever runs it has those judged and draws it again, until nothing is left to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.near_pairs import near_pairs_among
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores
from imgmatch.clustering.cannot_link import CannotLink
from imgmatch.clustering.collages import uncollaged
from imgmatch.clustering.confirming import crossing, joined
from imgmatch.clustering.nodes import Nodes, in_orientations, read_bits, read_nodes
from imgmatch.clustering.star_cover import Edges, Star, gather
from imgmatch.features import pair_model
from imgmatch.joins.near import NearPairs, near_pairs
from imgmatch.matching.evidence import turned_back
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from imgmatch.catalog.near_pairs import NearPairRows
    from imgmatch.catalog.session import Session
    from imgmatch.clustering.cannot_link import CannotLinkNodes
    from imgmatch.clustering.options import ClusteringOptions
    from imgmatch.hashers.base import Hasher

FEATURES_COST = 1_000
"""What an edge by features costs, in bits: more than any by fingerprints, so that those come first."""

NodePairs = dict[tuple[int, int], tuple[PairScore, float]]
"""Pairs tied by features, by their two nodes, the smaller one first: what is kept of the pair, and its score."""

Way = tuple[bool, int | None]
"""Whether the picture that is asked about is mirrored, and how it is turned to lie frame on frame, if that is tried."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Two pictures that the pair model must be asked about, by row ids of features, and in which ways."""

    row: int
    other: int
    ways: tuple[Way, ...]
    fingerprints: tuple[int, int]


@dataclass(frozen=True)
class Graph:
    """Pictures and what ties them.

    Attributes:
        nodes: the pictures.
        near: those tied by fingerprints.
        scored: those tied by features.
        stars: groups of two nodes or more, and single nodes, which may stand for several accounts.
        unjudged: what is to be judged before the groups are what they will be.
    """

    nodes: Nodes
    near: NearPairs
    scored: NodePairs
    stars: list[Star]
    unjudged: list[Unjudged]


def draw_graph(session: Session, hasher: str, options: ClusteringOptions, fingerprints: Collection[int]) -> Graph:
    """The graph of a component, by its fingerprints, from the near pairs that are kept."""
    bits = read_bits(session, hasher, fingerprints)
    constraints = CannotLink(session, {one.tobytes() for one in bits[1]})
    nodes = read_nodes(session, hasher, constraints.split, fingerprints)
    kept = near_pairs_among(session, fingerprints, options.max_distance)
    return _drawn(session, nodes, _between_nodes(kept, nodes), constraints.among(nodes), options)


def draw_whole_graph(session: Session, hasher: Hasher, options: ClusteringOptions) -> Graph:
    """The graph of everything, joined anew: slow, and obviously right."""
    constraints = CannotLink(session)
    nodes = read_nodes(session, hasher.name, constraints.split)
    near = near_pairs(in_orientations(hasher, nodes.bits), options.max_distance)
    return _drawn(session, nodes, near, constraints.among(nodes), options)


def _between_nodes(kept: NearPairRows, nodes: Nodes) -> NearPairs:
    """Near pairs of fingerprints as pairs of nodes; nodes of one fingerprint are near each other, too."""
    starts = np.searchsorted(nodes.fingerprints, [kept.low, kept.high], "left")
    ends = np.searchsorted(nodes.fingerprints, [kept.low, kept.high], "right")
    if not nodes.only and (ends - starts == 1).all():
        return NearPairs(starts[0], starts[1], kept.distances, kept.orientations)
    rows = [
        (left, right, distance, orientation)
        for low, high, low_end, high_end, distance, orientation in zip(
            *starts.tolist(), *ends.tolist(), kept.distances.tolist(), kept.orientations.tolist(), strict=True
        )
        for left, right in product(range(low, low_end), range(high, high_end))
    ]
    firsts = {nodes.of_fingerprint(int(nodes.fingerprints[node])) for node in nodes.only}
    rows += [(left, right, 0, 0) for span in firsts for left, right in combinations(span, 2)]
    columns = list(zip(*sorted(rows), strict=True)) if rows else [(), (), (), ()]
    left, right = (np.array(column, np.int64) for column in columns[:2])
    return NearPairs(left, right, np.array(columns[2], np.int32), np.array(columns[3], np.int8))


def _drawn(
    session: Session, nodes: Nodes, near: NearPairs, cannot_link: CannotLinkNodes, options: ClusteringOptions
) -> Graph:
    """Leave out what was dismissed or refused, gather, take collages apart, and let medoids confirm who belongs."""
    known = [pair for pair in read_pair_scores(session, nodes.pictures) if pair.low in nodes.pictures]
    judged = {(pair.low, pair.high) for pair in known}
    near = _chosen(near, ~cannot_link.mask(near.left, near.right))
    scored = _scored(known, nodes, options)
    loose = _is_loose(near, nodes, options.sure_distance)
    unjudged = _unjudged_near(_chosen(near, loose), nodes, judged)
    near = _chosen(near, ~loose | ~_is_refused(near, nodes, judged, scored))
    pairs, by_features = _edges(scored, near, cannot_link)
    everything = _both(pairs, by_features)
    stars = gather(everything, nodes.weights, cannot_link)
    stars = uncollaged(stars, everything, nodes.weights, _whole(scored, by_features, nodes), cannot_link)
    asked = crossing(stars, everything, len(nodes))
    # What near pairs come to may change the groups, and with them who is asked.
    unjudged = unjudged or _unjudged_crossing(asked, nodes, judged)
    confirmed = [pair for pair in asked if (min(pair), max(pair)) in scored]
    stars = joined(stars, confirmed, by_features, cannot_link, len(nodes))
    return Graph(nodes, near, scored, _with_single(stars, nodes), unjudged)


def _chosen(pairs: NearPairs, chosen: NDArray[np.bool_]) -> NearPairs:
    return NearPairs(pairs.left[chosen], pairs.right[chosen], pairs.distances[chosen], pairs.orientations[chosen])


def _is_loose(pairs: NearPairs, nodes: Nodes, sure: int) -> NDArray[np.bool_]:
    """Which pairs are not so near that their fingerprints are enough, and can be aligned and compared."""
    one, other = nodes.features[pairs.left], nodes.features[pairs.right]
    loose: NDArray[np.bool_] = (pairs.distances > sure) & (one >= 0) & (other >= 0) & (one != other)
    return loose


def _feature_pairs(pairs: NearPairs, nodes: Nodes) -> list[tuple[int, int]]:
    one, other = nodes.features[pairs.left], nodes.features[pairs.right]
    return list(zip(np.minimum(one, other).tolist(), np.maximum(one, other).tolist(), strict=True))


def _is_refused(
    pairs: NearPairs, nodes: Nodes, judged: Collection[tuple[int, int]], scored: NodePairs
) -> NDArray[np.bool_]:
    """Which pairs were judged and are no copies."""
    ends = zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    rows = _feature_pairs(pairs, nodes)
    refused = (pair in judged and end not in scored for pair, end in zip(rows, ends, strict=True))
    return np.fromiter(refused, bool, len(pairs))


def _unjudged_near(loose: NearPairs, nodes: Nodes, judged: Collection[tuple[int, int]]) -> list[Unjudged]:
    """Near pairs to be aligned frame on frame, in the orientation in which they are near."""
    found: dict[tuple[int, int], Unjudged] = {}
    ends = zip(loose.left.tolist(), loose.right.tolist(), loose.orientations.tolist(), strict=True)
    for (left, right, orientation), pair in zip(ends, _feature_pairs(loose, nodes), strict=True):
        if pair not in judged:
            turn = ORIENTATIONS[orientation]
            found[pair] = _unjudged(left, right, ((turn.mirrored, turned_back(turn)),), nodes)
    return list(found.values())


def _unjudged_crossing(
    asked: Sequence[tuple[int, int]], nodes: Nodes, judged: Collection[tuple[int, int]]
) -> list[Unjudged]:
    found: dict[tuple[int, int], Unjudged] = {}
    for node, medoid in asked:
        row, other = int(nodes.features[node]), int(nodes.features[medoid])
        pair = (min(row, other), max(row, other))
        if pair[0] >= 0 and row != other and pair not in judged:
            found.setdefault((row, other), _unjudged(node, medoid, ((False, None), (True, None)), nodes))
    return list(found.values())


def _unjudged(one: int, other: int, ways: tuple[Way, ...], nodes: Nodes) -> Unjudged:
    prints = int(nodes.fingerprints[one]), int(nodes.fingerprints[other])
    return Unjudged(int(nodes.features[one]), int(nodes.features[other]), ways, prints)


def _scored(known: Sequence[PairScore], nodes: Nodes, options: ClusteringOptions) -> NodePairs:
    """Pairs that count, by nodes; of several between two nodes the best."""
    odds = np.array([pair.log_odds for pair in known], np.float64)
    scores = pair_model.shipped_for_pairs().probabilities(odds).tolist()
    best: NodePairs = {}
    for pair, score in zip(known, scores, strict=True):
        ends = nodes.pictures[pair.low], nodes.pictures[pair.high]
        if score < options.min_score or ends[0] == ends[1]:
            continue
        for one, other in product(*(nodes.of_picture(end) for end in ends)):
            key = (min(one, other), max(one, other))
            if key not in best or score > best[key][1]:
                best[key] = pair, score
    return best


def _whole(scored: NodePairs, edges: Edges, nodes: Nodes) -> Callable[[int, int], float]:
    """What tells which share of one node is seen, and looks the same, in another; all where fingerprints tie them."""
    seen: dict[tuple[int, int], float] = {}
    for low, high in zip(edges.left.tolist(), edges.right.tolist(), strict=True):
        pair, _ = scored[low, high]
        in_order = nodes.fingerprints[nodes.pictures[pair.low]] == nodes.fingerprints[low]
        alike = 1.0 if pair.agreement is None else pair.agreement
        of_low, of_high = alike * (pair.overlap_low or 0.0), alike * (pair.overlap_high or 0.0)
        seen[low, high], seen[high, low] = (of_low, of_high) if in_order else (of_high, of_low)
    return lambda one, other: seen.get((one, other), 1.0)


def _edges(
    scored: Mapping[tuple[int, int], object], near: NearPairs, cannot_link: CannotLinkNodes
) -> tuple[Edges, Edges]:
    """Edges by fingerprints and, where there are none of those, by features."""
    pairs = Edges(near.left, near.right, near.distances.astype(np.int64))
    known = set((near.left << 32 | near.right).tolist())
    keys = sorted(key for key in scored if key[0] << 32 | key[1] not in known)
    ends = np.array(keys, dtype=np.int64).reshape(-1, 2)
    by_features = Edges(ends[:, 0], ends[:, 1], np.full(len(ends), FEATURES_COST, np.int64))
    return pairs, by_features.where(~cannot_link.mask(by_features.left, by_features.right))


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
