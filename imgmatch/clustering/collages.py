"""Groups whose medoid is a collage, cut into the pictures it is made of.

A collage is tied to the copies of all its pictures, so it has the most neighbours and becomes the medoid of them all,
though the copies of one picture have nothing to do with those of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.clustering.components import component_labels
from imgmatch.clustering.confirming import gathered
from imgmatch.clustering.star_cover import all_hold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from imgmatch.clustering.star_cover import Edges, Star

WHOLE_FROM = 0.75
"""Share of a medoid from which a copy shows the whole of it, near enough."""


def uncollaged(
    stars: Sequence[Star],
    edges: Edges,
    weights: NDArray[np.int64],
    whole: Callable[[int, int], float],
    cannot_link: Callable[[int, int], bool],
    hold: Callable[[int, Sequence[int]], Sequence[bool]] = all_hold,
) -> list[Star]:
    """The stars, those round a collage cut up, the collage left a star of its own.

    A medoid of which no member shows the whole, and without which the members fall into parts of which two or more are
    on several accounts each, is taken for a collage. A photo of which only crops are known that show different parts
    of it looks the same; it is in several groups then.

    Args:
        stars: as they were gathered.
        edges: what ties their nodes.
        weights: accounts behind each node.
        whole: the share of one node that is seen, and looks the same, in another.
        cannot_link: whether two nodes must not stand in one star.
        hold: which of the loose edges of a node with some others are true ones.
    """
    suspects = {
        member: number
        for number, (medoid, members) in enumerate(stars)
        if all(whole(medoid, member) < WHOLE_FROM for member in members if member != medoid)
        for member in members
    }
    of = np.full(len(weights), -1, np.int64)
    of[list(suspects)] = list(suspects.values())
    inside = edges.where((of[edges.left] >= 0) & (of[edges.left] == of[edges.right]))
    cut: list[Star] = []
    for number, (medoid, members) in enumerate(stars):
        around = [member for member in members if member != medoid]
        if not around or suspects.get(medoid) != number:
            cut.append((medoid, members))
            continue
        mine = inside.where((of[inside.left] == number) & (inside.left != medoid) & (inside.right != medoid))
        cut += _cut(medoid, around, mine, weights, cannot_link, hold) or [(medoid, members)]
    return sorted(cut)


def _cut(
    medoid: int,
    around: Sequence[int],
    edges: Edges,
    weights: NDArray[np.int64],
    cannot_link: Callable[[int, int], bool],
    hold: Callable[[int, Sequence[int]], Sequence[bool]],
) -> list[Star]:
    """The parts of a star without its medoid, as stars, and the medoid; none if it does not fall apart."""
    nodes = np.array(sorted(around), dtype=np.int64)
    ends = (np.searchsorted(nodes, edges.left), np.searchsorted(nodes, edges.right))
    labels = component_labels(*ends, len(nodes))
    if (np.bincount(labels, weights[nodes]) > 1).sum() < 2:  # noqa: PLR2004 -- pictures of a collage
        return []
    parts = gathered(edges, cannot_link, hold)
    alone = set(around).difference(*(members for _, members in parts)) | {medoid}
    return [*parts, *((node, (node,)) for node in alone)]
