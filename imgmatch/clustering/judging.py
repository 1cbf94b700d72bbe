"""Pairs of pictures that are judged because of what else is known of them, not because they share features.

Who is tied to a member of a group is compared with its medoid. Pictures whose fingerprints are near, but not so near
that no two strangers ever are, are aligned frame on frame and compared: blurred walls and skies have such fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.fingerprints import bits_by_id
from imgmatch.catalog.pair_scores import store_pair_scores
from imgmatch.clustering.asking import PictureAsker
from imgmatch.clustering.search import SEARCHED_AT_ONCE
from imgmatch.matching.stored_pairs import PairCandidate, PairJudge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgmatch.catalog.features import FeatureRow
    from imgmatch.catalog.leases import Lease
    from imgmatch.clustering.asking import SearchCounts
    from imgmatch.clustering.graph import Unjudged
    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress


def judge(parts: Parts, lease: Lease, pairs: Sequence[Unjudged], counted: SearchCounts, progress: Progress) -> None:
    """Judge pairs of pictures, and keep the outcome, which may be that they are no copies.

    Args:
        parts: of the index.
        lease: that lets this process alone do so.
        pairs: what to judge.
        counted: where to count what was done.
        progress: hears of it.
    """
    waiting: dict[int, list[Unjudged]] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.row, pair.other)):
        waiting.setdefault(pair.row, []).append(pair)
    asker, model = PictureAsker(parts, counted), PairJudge(parts.codebook)
    done = 0
    for rows in chunks(waiting, SEARCHED_AT_ONCE):
        with parts.catalog.read() as session:
            known = features_by_id(session, {pair.other for row in rows for pair in waiting[row]})
            bits = bits_by_id(session, {one for row in rows for pair in waiting[row] for one in pair.fingerprints})
        there = [row for row in rows if waiting[row][0].fingerprints[0] in bits]
        asked = asker.ask(there, [bits[waiting[row][0].fingerprints[0]] for row in there])
        scores = model.judge((one, _claims(waiting[one.row], known, bits)) for one in asked)
        counted.judged += len(scores)
        with parts.catalog.write(lease) as session:
            store_pair_scores(session, scores)
        done += len(rows)
        progress.step("pairs judged", done, len(waiting))


def _claims(
    pairs: Sequence[Unjudged], known: Mapping[int, FeatureRow], bits: Mapping[int, bytes]
) -> list[PairCandidate]:
    return [
        PairCandidate(pair.other, known[pair.other], bits[pair.fingerprints[1]], mirrored, rotation)
        for pair in pairs
        if pair.other in known and pair.fingerprints[1] in bits
        for mirrored, rotation in pair.ways
    ]
