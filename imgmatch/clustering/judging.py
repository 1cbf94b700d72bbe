"""Pairs of pictures that are judged because of what else is known of them, not because they share features.

Who is tied to a member of a group is laid over its medoid. Pictures whose fingerprints are near, but not so near that
no two strangers ever are, are laid over each other frame on frame: blurred walls and skies have such fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.pair_scores import scored_pairs, store_pair_scores
from imgmatch.clustering.search import AT_ONCE, PictureAsker
from imgmatch.matching.evidence import turned_back
from imgmatch.matching.stored_pairs import Claim, PairJudge
from imgmatch.model import ORIENTATIONS
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgmatch.catalog.features import FeatureRow
    from imgmatch.clustering.nodes import Nodes
    from imgmatch.clustering.search import Searched
    from imgmatch.index import Index
    from imgmatch.joins.near import Pairs
    from imgmatch.progress import Progress

_Way = tuple[bool, int | None]
"""Whether the one that is asked about is mirrored, and how it is turned to lie frame on frame, if it is."""

_Waiting = dict[int, dict[int, tuple[_Way, ...]]]
"""By row ids of features: what is asked about, with what, and in which ways."""


def confirm(
    index: Index,
    nodes: Nodes,
    pairs: Sequence[tuple[int, int]],
    counted: Searched,
    progress: Progress = SILENT,
) -> None:
    """Judge pairs of nodes that no night has judged yet, and keep the outcome, which may be that they are no copies.

    Args:
        index: which must be free to be written.
        nodes: its pictures.
        pairs: each node with a medoid, in order.
        counted: where to count what was done.
        progress: hears how many pictures are done, of how many.
    """
    waiting: _Waiting = {}
    for node, medoid in pairs:
        row, other = int(nodes.features[node]), int(nodes.features[medoid])
        if min(row, other) >= 0 and row != other:
            waiting.setdefault(row, {})[other] = ((False, None), (True, None))
    _judge(index, nodes, waiting, counted, progress, "copies confirmed")


def confirm_near(
    index: Index,
    nodes: Nodes,
    near: Pairs,
    counted: Searched,
    progress: Progress = SILENT,
) -> None:
    """The same for pairs tied by fingerprints, each in the orientation in which they are near."""
    waiting: _Waiting = {}
    ends = zip(near.left.tolist(), near.right.tolist(), near.orientations.tolist(), strict=True)
    for left, right, orientation in ends:
        turn = ORIENTATIONS[orientation]
        way = (turn.mirrored, turned_back(turn))
        waiting.setdefault(int(nodes.features[left]), {})[int(nodes.features[right])] = (way,)
    _judge(index, nodes, waiting, counted, progress, "near pictures judged")


def _judge(index: Index, nodes: Nodes, waiting: _Waiting, counted: Searched, progress: Progress, work: str) -> None:
    with index.catalog.read() as connection:
        judged = scored_pairs(connection)
    left = {
        row: fresh
        for row, others in waiting.items()
        if (
            fresh := {other: ways for other, ways in others.items() if (min(row, other), max(row, other)) not in judged}
        )
    }
    if not left:
        return
    asker, judge = PictureAsker(index, counted), PairJudge(index.header.codebook)
    done = 0
    with index.writing():
        for batch in chunks(sorted(left), AT_ONCE):
            with index.catalog.read() as connection:
                known = features_by_id(connection, {other for row in batch for other in left[row]})
            asked = asker.ask(batch, nodes.bits[[nodes.pictures[row] for row in batch]])
            ties = judge.judge((one, _claims(left[one.row], known, nodes)) for one in asked)
            counted.judged += len(ties)
            with index.catalog.write() as connection:
                store_pair_scores(connection, ties)
            done += len(batch)
            progress.step(work, done, len(left))


def _claims(others: Mapping[int, Sequence[_Way]], known: Mapping[int, FeatureRow], nodes: Nodes) -> list[Claim]:
    return [
        Claim(row, known[row], nodes.bits[nodes.pictures[row]].tobytes(), mirrored, rotation)
        for row, ways in others.items()
        if row in known
        for mirrored, rotation in ways
    ]
