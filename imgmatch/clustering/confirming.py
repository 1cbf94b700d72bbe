"""Whether pictures that are tied to members of a group lie in its medoid too: only then do they belong to it.

A square crop and a portrait crop of one photo may not be tied to each other, only to the photo, and two screenshots of
one app are tied by nothing but its buttons. Laying each over the medoid tells both cases apart. A collage may belong to
several groups.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.clustering.star_cover import Edges, Star, all_hold, gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

_Pair = tuple[int, int]


def crossing(stars: Sequence[Star], edges: Edges, count: int) -> list[_Pair]:
    """Nodes with the medoids of other stars, to members of which they are tied; in order, each pair once.

    Stars of one node are left out: who is tied to that node is tied to its medoid.

    Args:
        stars: of ``count`` nodes, each node in one of them.
        edges: what ties them.
        count: how many nodes there are.
    """
    medoid_of = _medoids(stars, count)
    left, right = medoid_of[edges.left], medoid_of[edges.right]
    several = np.zeros(count, dtype=bool)
    several[[medoid for medoid, members in stars if len(members) > 1]] = True
    forth, back = (left != right) & several[right], (left != right) & several[left]
    pairs = np.concatenate(
        [
            np.stack([edges.left[forth], right[forth]], axis=1),
            np.stack([edges.right[back], left[back]], axis=1),
        ]
    )
    return [(int(node), int(medoid)) for node, medoid in np.unique(pairs, axis=0)] if len(pairs) else []


def _medoids(stars: Sequence[Star], count: int) -> NDArray[np.int64]:
    medoid_of = np.full(count, -1, np.int64)
    for medoid, members in stars:
        medoid_of[list(members)] = medoid
    return medoid_of


def joined(
    stars: Sequence[Star], pairs: Iterable[_Pair], ties: Edges, cannot_link: Callable[[int, int], bool], count: int
) -> list[Star]:
    """The stars with those members added that their medoids have confirmed.

    Args:
        stars: as they were gathered.
        pairs: nodes and medoids that were confirmed.
        ties: edges by features. Such a tie of a picture that no group of several has taken makes a group of its own.
        cannot_link: whether two nodes must not stand in one star.
        count: how many nodes there are.

    Returns:
        stars of two members or more, in order of their medoids; none is part of another.
    """
    members = {medoid: list(found) for medoid, found in stars}
    for node, medoid in sorted(pairs):
        if node not in members[medoid] and not any(cannot_link(node, member) for member in members[medoid]):
            members[medoid].append(node)
    grown = _whole([(medoid, tuple(sorted(found))) for medoid, found in members.items() if len(found) > 1])
    return sorted([*grown, *_left_over(grown, ties, cannot_link, count)])


def _whole(stars: Sequence[Star]) -> list[Star]:
    """Without those that another one contains; of two equal ones the one with the earlier medoid stays."""
    stars_of: dict[int, set[int]] = defaultdict(set)
    for number, (_, members) in enumerate(stars):
        for member in members:
            stars_of[member].add(number)
    kept = []
    for number, (_, members) in enumerate(stars):
        around = set.intersection(*(stars_of[member] for member in members)) - {number}
        if not any(len(stars[other][1]) > len(members) or other < number for other in around):
            kept.append(stars[number])
    return kept


def _left_over(stars: Sequence[Star], ties: Edges, cannot_link: Callable[[int, int], bool], count: int) -> list[Star]:
    """Stars of the ties of pictures that are in no star yet, until every such picture is in one."""
    taken = np.zeros(count, dtype=bool)
    for _, members in stars:
        taken[list(members)] = True
    added: list[Star] = []
    while True:
        rest = ties.where(~taken[ties.left] | ~taken[ties.right])
        found = [star for star in gathered(rest, cannot_link) if not taken[list(star[1])].all()]
        if not found:
            return added
        for _, members in found:
            taken[list(members)] = True
        added += found


def gathered(
    edges: Edges,
    cannot_link: Callable[[int, int], bool],
    hold: Callable[[int, Sequence[int]], Sequence[bool]] = all_hold,
) -> list[Star]:
    """Stars of two nodes or more, of nodes that have one of these edges, each node weighing the same."""
    nodes, places = np.unique(np.concatenate([edges.left, edges.right]), return_inverse=True)
    small = Edges(places[: len(edges)], places[len(edges) :], edges.costs, edges.loose)
    found, _ = gather(
        small,
        np.ones(len(nodes), np.int64),
        lambda a, b: cannot_link(int(nodes[a]), int(nodes[b])),
        lambda a, some: hold(int(nodes[a]), nodes[list(some)].tolist()),
    )
    return [
        (int(nodes[medoid]), tuple(int(nodes[member]) for member in members))
        for medoid, members in found
        if len(members) > 1
    ]
