"""What hangs together: the fingerprints whose groups a change may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.kept_groups import fingerprints_of_groups, groups_of_fingerprints
from imgmatch.catalog.near_pairs import neighbours
from imgmatch.catalog.pair_scores import scored_neighbours
from imgmatch.catalog.pictures import fingerprints_beside, fingerprints_of_pictures, pictures_with

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session
    from imgmatch.clustering.options import ClusteringOptions


def connected(session: Session, hasher: str, seeds: Collection[int], options: ClusteringOptions) -> set[int]:
    """These fingerprints and all that is tied to them, directly or through others.

    What ties is a near pair, a pair score, a group, or a photo with several pictures.

    Groups are gathered within such a component alone, whatever there is beside it.
    """
    reached: set[int] = set()
    edge = set(seeds)
    while edge:
        reached |= edge
        found = neighbours(session, edge, options.max_distance)
        found |= _scored(session, hasher, edge, options)
        found |= fingerprints_beside(session, hasher, edge)  # groups that share a photo must not go by one name
        found |= fingerprints_of_groups(session, groups_of_fingerprints(session, edge))
        edge = found - reached
    return reached


def _scored(session: Session, hasher: str, fingerprints: Collection[int], options: ClusteringOptions) -> set[int]:
    rows = pictures_with(session, fingerprints)
    others = scored_neighbours(session, rows, options.least_log_odds) - rows
    return {fingerprint for _, fingerprint in fingerprints_of_pictures(session, hasher, others)}


def component_labels(left: NDArray[np.int64], right: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The number of its connected component for each of ``size`` nodes; numbers run from 0.

    Args:
        left: one end of each edge, shape (e,), dtype int64.
        right: the other end, likewise.
        size: how many nodes there are.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 -- a fifth of a second that a check does not wait for
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 -- the same

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int64)
