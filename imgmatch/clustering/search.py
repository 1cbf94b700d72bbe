"""New pictures are looked up among all by their features, and what is found is judged and kept.

Only what near fingerprints have not tied already is judged. The outcome of each batch is written with how far was
searched, so that a run that is killed goes on where it was.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.extent import read_extent
from imgmatch.catalog.features import count_features_after, feature_ids_after, features_by_id
from imgmatch.catalog.fingerprints import bits_by_id
from imgmatch.catalog.near_pairs import are_near
from imgmatch.catalog.pair_scores import (
    begin_feature_search,
    scored_pairs,
    search_watermark,
    store_pair_scores,
    store_search_watermark,
)
from imgmatch.catalog.pictures import fingerprints_of_pictures, photos_with_panels
from imgmatch.catalog.stale import note_stale
from imgmatch.clustering.asking import PictureAsker
from imgmatch.clustering.batches import BatchJudge
from imgmatch.matching.stored_pairs import PairCandidate, pair_model_name
from imgmatch.matching.verification import LEAST_VOTES, MOST_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from imgmatch.catalog.features import FeatureRow
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.pair_scores import PairScore
    from imgmatch.clustering.asking import SearchCounts
    from imgmatch.clustering.options import ClusteringOptions
    from imgmatch.engines.base import Candidate
    from imgmatch.engines.parts import Parts
    from imgmatch.matching.stored_pairs import StoredQuery
    from imgmatch.progress import Progress

SEARCHED_AT_ONCE = 128
"""Pictures searched and judged between two writes."""

MOST_JUDGED = 6
"""Candidates of one picture that are judged, those with most votes: who belongs to a group is compared with its medoid
later."""

_NONE: set[int] = set()

_Batch = tuple[list[int], list[tuple["StoredQuery", list[PairCandidate]]]]


def is_searched(parts: Parts) -> bool:
    """Whether every picture was looked up."""
    with parts.catalog.read() as session:
        through = search_watermark(session, pair_model_name(parts.codebook))
        return count_features_after(session, parts.codebook, through) == 0


def search_new(
    parts: Parts, lease: Lease, options: ClusteringOptions, counted: SearchCounts, progress: Progress
) -> None:
    """Look up the pictures no run has looked up yet.

    Args:
        parts: of the index.
        lease: that lets this process alone do so.
        options: from when pictures are tied already, and from when they will be.
        counted: where to count what was done.
        progress: hears of it.
    """
    rule = pair_model_name(parts.codebook)
    with parts.catalog.write(lease) as session:
        through = begin_feature_search(session, rule)
    with parts.catalog.read() as session:
        new = feature_ids_after(session, parts.codebook, through)
    work = _FeatureSearch(parts, options.max_distance, counted)
    done = 0
    for batch, pairs in work.judged(chunks(new, SEARCHED_AT_ONCE)):
        counted.judged += len(pairs)
        with parts.catalog.write(lease) as session:
            store_pair_scores(session, pairs)
            tying = {row for pair in pairs if pair.log_odds >= options.least_log_odds for row in (pair.low, pair.high)}
            shown = fingerprints_of_pictures(session, parts.hasher_name, tying)
            note_stale(session, {fingerprint for _, fingerprint in shown})
            store_search_watermark(session, rule, batch[-1])
        done += len(batch)
        progress.step("pictures searched", done, len(new))


class _FeatureSearch:
    def __init__(self, parts: Parts, max_distance: int, counted: SearchCounts) -> None:
        self._judge = BatchJudge(parts)
        self._parts = parts
        self._max_distance = max_distance
        self._counted = counted
        self._asker = PictureAsker(parts, counted)
        self._chosen: set[tuple[int, int]] = set()

    def judged(self, batches: Iterable[list[int]]) -> Iterator[tuple[list[int], list[PairScore]]]:
        """Each batch with the scores of what it was found to share features with."""
        return self._judge.judged(self._ahead(batches))

    def _ahead(self, batches: Iterable[list[int]]) -> Iterator[_Batch]:
        """Each batch with what is to be judged; the next one is searched meanwhile."""
        waiting = iter(batches)
        with ThreadPoolExecutor(1, "imgmatch-search") as thread:
            batch = next(waiting, None)
            running = thread.submit(self._claims, batch) if batch else None
            while batch and running:
                done, claims = batch, running.result()
                batch = next(waiting, None)
                running = thread.submit(self._claims, batch) if batch else None
                yield done, claims

    def _claims(self, batch: Sequence[int]) -> list[tuple[StoredQuery, list[PairCandidate]]]:
        with self._parts.catalog.read() as session:  # pictures that nobody shows any more are none
            shown = dict(fingerprints_of_pictures(session, self._parts.hasher_name, batch))
            bits = bits_by_id(session, shown.values())
            extent = read_extent(session)
        rows = [row for row in batch if row in shown]
        self._counted.pictures += len(rows)
        asked = self._asker.ask(rows, [bits[shown[row]] for row in rows])
        likely = self._parts.search.all_alike([one.features for one in asked], MOST_CANDIDATES, extent, LEAST_VOTES)
        return self._to_judge(asked, likely, shown)

    def _to_judge(
        self, asked: Sequence[StoredQuery], likely: Sequence[Sequence[Candidate]], shown: Mapping[int, int]
    ) -> list[tuple[StoredQuery, list[PairCandidate]]]:
        hasher = self._parts.hasher_name
        with self._parts.catalog.read() as session:
            of = dict(shown) | dict(fingerprints_of_pictures(session, hasher, {c.row for some in likely for c in some}))
            ends = {
                _pair(of[one.row], of[each.row])
                for one, some in zip(asked, likely, strict=True)
                for each in some
                if each.row in of
            }
            near = are_near(session, ends, self._max_distance)
            within = photos_with_panels(session, {one.row for one in asked} | {c.row for some in likely for c in some})

            def is_new(row: int, other: int) -> bool:
                """Neither tied already, nor two pictures of one photo, which says nothing of anybody."""
                if other not in of or of[row] == of[other] or _pair(of[row], of[other]) in near:
                    return False
                return not within.get(row, _NONE) & within.get(other, _NONE)

            chosen = [
                [each for each in some if is_new(one.row, each.row)][:MOST_JUDGED]
                for one, some in zip(asked, likely, strict=True)
            ]
            judged = scored_pairs(
                session, {_pair(one.row, c.row) for one, some in zip(asked, chosen, strict=True) for c in some}
            )
            fresh = [self._fresh(one, some, judged) for one, some in zip(asked, chosen, strict=True)]
            rows = {each.row for some in fresh for each in some}
            known, bits = features_by_id(session, rows), bits_by_id(session, {of[row] for row in rows})
        return [(one, _made(some, known, bits, of)) for one, some in zip(asked, fresh, strict=True)]

    def _fresh(
        self, asked: StoredQuery, chosen: Sequence[Candidate], judged: Collection[tuple[int, int]]
    ) -> list[Candidate]:
        """Those to judge. From its other side a pair shows nothing new, unless more is known of that."""
        fresh = []
        for each in chosen:
            pair = _pair(asked.row, each.row)
            if asked.again or (pair not in judged and pair not in self._chosen):
                fresh.append(each)
            self._chosen.add(pair)
        return fresh


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _made(
    candidates: Collection[Candidate], known: Mapping[int, FeatureRow], bits: Mapping[int, bytes], of: Mapping[int, int]
) -> list[PairCandidate]:
    return [
        PairCandidate(each.row, known[each.row], bits[of[each.row]], each.mirrored)
        for each in candidates
        if each.row in known
    ]
