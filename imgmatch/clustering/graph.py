"""The graph of pictures: tied by fingerprints or by features, cut into groups round medoids.

It is a function of what the catalog holds alone. What it would ask the pair model, and the catalog does not know yet,
it has judged if there is a judge; if not, it takes it for true and names it as unjudged: whoever runs it has those
judged and draws it again, until nothing is left to ask. What else is known of other pairs changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.near_pairs import near_pairs_among
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores
from imgmatch.clustering.cannot_link import CannotLink, CannotLinkNodes
from imgmatch.clustering.collages import uncollaged
from imgmatch.clustering.confirming import crossing, joined
from imgmatch.clustering.nodes import Nodes, in_orientations, read_bits, read_nodes
from imgmatch.clustering.star_cover import Edges, Star, gather, unconstrained
from imgmatch.clustering.verdicts import NodePairs, Unjudged, Verdicts
from imgmatch.features import pair_model
from imgmatch.joins.near import NearPairs, near_pairs
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from imgmatch.catalog.near_pairs import NearPairRows
    from imgmatch.catalog.session import Session
    from imgmatch.clustering.options import ClusteringOptions
    from imgmatch.clustering.verdicts import Judge
    from imgmatch.hashers.base import Hasher

FEATURES_COST = 1_000
"""What an edge by features costs, in bits: more than any by fingerprints, so that those come first."""


@dataclass(frozen=True)
class Component:
    """Pictures that hang together, as the catalog tells of them.

    Attributes:
        nodes: the pictures.
        near: those whose fingerprints are near, by nodes.
        known: what was judged of them.
        cannot_link: which of them must not stand in one group.
    """

    nodes: Nodes
    near: NearPairs
    known: Sequence[PairScore]
    cannot_link: CannotLinkNodes


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


def read_component(
    session: Session, hasher: str, options: ClusteringOptions, fingerprints: Collection[int]
) -> Component:
    """A component, by its fingerprints, from the near pairs that are kept."""
    bits = read_bits(session, hasher, fingerprints)
    constraints = CannotLink(session, {one.tobytes() for one in bits[1]})
    nodes = read_nodes(session, hasher, constraints.split, fingerprints)
    kept = near_pairs_among(session, fingerprints, options.max_distance)
    return Component(nodes, _between_nodes(kept, nodes), _known(session, nodes), constraints.among(nodes))


def read_everything(session: Session, hasher: Hasher, options: ClusteringOptions) -> Component:
    """All there is, joined anew: slow, and obviously right."""
    constraints = CannotLink(session)
    nodes = read_nodes(session, hasher.name, constraints.split)
    near = near_pairs(in_orientations(hasher, nodes.bits), options.max_distance, negatives=True)
    return Component(nodes, near, _known(session, nodes), constraints.among(nodes))


def _known(session: Session, nodes: Nodes) -> list[PairScore]:
    return [pair for pair in read_pair_scores(session, nodes.pictures) if pair.low in nodes.pictures]


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


def draw(component: Component, options: ClusteringOptions, judge: Judge | None = None) -> Graph:
    """Leave out what was dismissed or refused, gather, take collages apart, and let medoids confirm who belongs.

    Args:
        component: what there is.
        options: the thresholds.
        judge: asks the pair model what is not known; ``None`` takes it for true, and names it as unjudged.
    """
    nodes, dismissed = component.nodes, component.cannot_link
    cannot_link = dismissed if dismissed.any else unconstrained
    near = _chosen(component.near, ~dismissed.mask(component.near.left, component.near.right))
    scored = _scored(component.known, nodes, options)
    loose = _is_loose(near, nodes, options.sure_distance)
    verdicts = Verdicts(nodes, _chosen(near, loose), _near_negatives(near), component.known, scored, judge)
    pairs, by_features = _edges(scored, near, loose, dismissed)
    stars, there = gather(pairs.and_these(by_features), nodes.weights, cannot_link, verdicts.hold)
    whole = _whole(scored, by_features, nodes)
    stars = uncollaged(stars, there, nodes.weights, whole, cannot_link, verdicts.hold)
    asked = crossing(stars, there, len(nodes))
    # What near pairs come to may change the groups, and with them who is asked.
    confirmed = [] if verdicts.unjudged else verdicts.confirmed(asked)
    stars = joined(stars, confirmed, by_features, cannot_link, len(nodes))
    return Graph(nodes, near, scored, _with_single(stars, nodes), verdicts.unjudged)


def _chosen(pairs: NearPairs, chosen: NDArray[np.bool_]) -> NearPairs:
    return NearPairs(pairs.left[chosen], pairs.right[chosen], pairs.distances[chosen], pairs.orientations[chosen])


def _near_negatives(pairs: NearPairs) -> frozenset[int]:
    """Nodes that are near to the negative of another one."""
    found = _chosen(pairs, pairs.orientations >= len(ORIENTATIONS))
    return frozenset([*found.left.tolist(), *found.right.tolist()])


def _is_loose(pairs: NearPairs, nodes: Nodes, sure: int) -> NDArray[np.bool_]:
    """Which pairs are not so near that their fingerprints are enough, and can be aligned and compared."""
    one, other = nodes.features[pairs.left], nodes.features[pairs.right]
    loose: NDArray[np.bool_] = (pairs.distances > sure) & (one >= 0) & (other >= 0) & (one != other)
    return loose


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
    scored: Mapping[tuple[int, int], object],
    near: NearPairs,
    loose: NDArray[np.bool_],
    cannot_link: CannotLinkNodes,
) -> tuple[Edges, Edges]:
    """Edges by fingerprints and, where there are none of those, by features."""
    pairs = Edges(near.left, near.right, near.distances.astype(np.int64), loose)
    known = set((near.left << 32 | near.right).tolist())
    keys = sorted(key for key in scored if key[0] << 32 | key[1] not in known)
    ends = np.array(keys, dtype=np.int64).reshape(-1, 2)
    costs, sure = np.full(len(ends), FEATURES_COST, np.int64), np.zeros(len(ends), bool)
    by_features = Edges(ends[:, 0], ends[:, 1], costs, sure)
    return pairs, by_features.where(~cannot_link.mask(by_features.left, by_features.right))


def _with_single(stars: list[Star], nodes: Nodes) -> list[Star]:
    """Also the pictures that need no other to tie accounts."""
    taken = np.zeros(len(nodes), dtype=bool)
    for _, members in stars:
        taken[list(members)] = True
    single = np.flatnonzero(~taken)
    return sorted([*stars, *((int(node), (int(node),)) for node in single)])
