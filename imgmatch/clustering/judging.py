"""Pairs of pictures that are judged because of what else is known of them, not because they share features.

Who is tied to a member of a group is compared with its medoid. Pictures whose fingerprints are near, but not so near
that no two strangers ever are, are aligned frame on frame and compared with it: blurred walls and skies have such
fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.fingerprints import bits_by_id
from imgmatch.catalog.pair_scores import store_pair_scores
from imgmatch.clustering.asking import PictureAsker
from imgmatch.clustering.batches import BatchJudge
from imgmatch.clustering.search import SEARCHED_AT_ONCE
from imgmatch.matching.stored_pairs import PairCandidate, PairJudge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from imgmatch.catalog.features import FeatureRow
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.pair_scores import PairScore
    from imgmatch.clustering.asking import SearchCounts
    from imgmatch.clustering.verdicts import Unjudged
    from imgmatch.engines.parts import Parts
    from imgmatch.matching.stored_pairs import StoredQuery
    from imgmatch.progress import Progress

_WORK = "pairs judged"
_KEPT_AT_ONCE = 500
"""Scores that are written in one transaction where they come a few at a time."""


class Judging:
    """Judges pairs of pictures, and keeps the outcome, which may be that they are no copies.

    Args:
        parts: of the index.
        lease: that lets this process alone do so.
        counted: where to count what was done.
        progress: hears of it.
    """

    def __init__(self, parts: Parts, lease: Lease, counted: SearchCounts, progress: Progress) -> None:
        self._parts = parts
        self._lease = lease
        self._counted = counted
        self._progress = progress
        self._asker, self._model = PictureAsker(parts, counted), PairJudge(parts.codebook)
        self._batches = BatchJudge(parts)
        self._waiting: list[PairScore] = []
        self._done = 0

    def judge(self, pairs: Sequence[Unjudged]) -> None:
        """Judge many pairs, and keep what comes of it as it comes."""
        done = 0
        for _, some in self._batches.judged((None, batch) for batch in self._asked(pairs)):
            self._counted.judged += len(some)
            with self._parts.catalog.write(self._lease) as session:
                store_pair_scores(session, some)
            done += len(some)
            self._progress.step(_WORK, done, len(pairs))

    def answer(self, pairs: Sequence[Unjudged], least: float) -> dict[tuple[int, int], bool]:
        """Judge a few pairs, and tell which are copies, from so many log odds on; to be kept later.

        Returns:
            by row ids of both features, the smaller one first; without pairs of which a picture is gone.
        """
        answers: dict[tuple[int, int], float] = {}
        for batch in self._asked(pairs):  # few, and the next ones depend on them: never sent anywhere
            some = self._model.judge(batch)
            self._counted.judged += len(some)
            self._waiting += some
            for score in some:
                answers[score.low, score.high] = max(
                    score.log_odds, answers.get((score.low, score.high), score.log_odds)
                )
        self._done += len(pairs)
        self._progress.step(_WORK, self._done)
        if len(self._waiting) >= _KEPT_AT_ONCE:
            self.keep()
        return {rows: log_odds >= least for rows, log_odds in answers.items()}

    def keep(self) -> None:
        """Keep what :meth:`answer` has judged."""
        waiting, self._waiting = self._waiting, []
        for some in chunks(waiting, _KEPT_AT_ONCE):
            with self._parts.catalog.write(self._lease) as session:
                store_pair_scores(session, some)

    def _asked(self, pairs: Sequence[Unjudged]) -> Iterator[list[tuple[StoredQuery, list[PairCandidate]]]]:
        """The pictures of these pairs as they are judged, some at a time."""
        waiting: dict[int, list[Unjudged]] = {}
        for pair in sorted(pairs, key=lambda pair: (pair.row, pair.other)):
            waiting.setdefault(pair.row, []).append(pair)
        for rows in chunks(waiting, SEARCHED_AT_ONCE):
            with self._parts.catalog.read() as session:
                known = features_by_id(session, {pair.other for row in rows for pair in waiting[row]})
                bits = bits_by_id(session, {one for row in rows for pair in waiting[row] for one in pair.fingerprints})
            there = [row for row in rows if waiting[row][0].fingerprints[0] in bits]
            asked = self._asker.ask(there, [bits[waiting[row][0].fingerprints[0]] for row in there])
            yield [(one, _claims(waiting[one.row], known, bits)) for one in asked]


def _claims(
    pairs: Sequence[Unjudged], known: Mapping[int, FeatureRow], bits: Mapping[int, bytes]
) -> list[PairCandidate]:
    return [
        PairCandidate(pair.other, known[pair.other], bits[pair.fingerprints[1]], mirrored, rotation, negative)
        for pair in pairs
        if pair.other in known and pair.fingerprints[1] in bits
        for mirrored, rotation, negative in pair.ways
    ]
