"""Rings: accounts tied together by photos they share."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch.catalog.kept_rings import read_rings
from imgmatch.catalog.reports import ReportedRing, store_report
from imgmatch.catalog.row_counts import row_count
from imgmatch.clustering.common import CommonCriteria
from imgmatch.clustering.expected import score_for
from imgmatch.clustering.keeping import rename_rings
from imgmatch.clustering.options import ClusteringOptions
from imgmatch.clustering.report import kept_report, whole_report
from imgmatch.clustering.run import is_current, run
from imgmatch.features import pair_model
from imgmatch.matching.stored_hits import stored_hits, with_hits
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.engines.parts import Parts
    from imgmatch.model import BankHit, RingsReport, Searched
    from imgmatch.progress import Progress

_ROUNDS = 3
"""Runs in which the score is settled that depends on what they judge: the first one searches, others group anew."""


def find_rings(
    parts: Parts,
    *,
    max_distance: int | None = None,
    min_score: float | None = None,
    false_rings: float | None = None,
    common: CommonCriteria | None = None,
    search: bool = True,
    progress: Progress = SILENT,
) -> RingsReport:
    """The groups of copies and the rings they tie.

    What is new since the last run is joined, searched and judged first, and the groups it touches are made anew; where
    nothing is new, the groups that are kept are read.

    Args:
        parts: of the index.
        max_distance: bits in which copies may differ; ``None`` takes the hasher's own.
        min_score: what a pair tied by features scores at least; ``None`` takes the pair model's own for as many
            pictures as there are.
        false_rings: how many ties of strangers may be expected; the score follows from what this index holds.
        common: from when a picture is taken for common; ``None`` takes the defaults.
        search: without it nothing is looked up, judged or written: everything is joined anew with what was judged so
            far.
        progress: hears of the work.

    Raises:
        ValueError: ``false_rings`` is not above 0, or ``min_score`` is given, too; a number is not finite.
        IndexLockedError: another run is under way, and there is something to do.
    """
    if false_rings is not None and (min_score is not None or not 0 < false_rings < math.inf):
        raise ValueError("false rings are a number above 0, and take the place of a score")

    def wanted() -> ClusteringOptions:
        score = min_score if false_rings is None else _score_for(parts, false_rings)
        return options_of(parts, max_distance=max_distance, min_score=score, common=common)

    if not search:
        options = wanted()
        with parts.catalog.read() as session:
            return whole_report(session, parts.hasher, options)
    counted = _bring_up_to_date(parts, wanted, progress)
    with parts.catalog.read() as session:
        report = _with_hits(kept_report(session), stored_hits(session, parts.hasher_name))
    return report if counted is None else replace(report, searched=counted)


def _bring_up_to_date(parts: Parts, wanted: Callable[[], ClusteringOptions], progress: Progress) -> Searched | None:
    """Run until the options are those that follow from what was judged; what was searched, if there was a run."""
    options, counted = wanted(), None
    for _ in range(_ROUNDS):
        if not is_current(parts, options):
            done = run(parts, options, progress)
            counted = done if counted is None else counted
        before, options = options, wanted()
        if options == before:
            break
    return counted


def _score_for(parts: Parts, false_rings: float) -> float:
    with parts.catalog.read() as session:
        return score_for(session, false_rings)


def _with_hits(report: RingsReport, hits: tuple[BankHit, ...]) -> RingsReport:
    if not hits:
        return report
    return replace(report, bank_hits=hits, rings=tuple(with_hits(ring, hits) for ring in report.rings))


def options_of(
    parts: Parts,
    *,
    max_distance: int | None = None,
    min_score: float | None = None,
    common: CommonCriteria | None = None,
) -> ClusteringOptions:
    """What was asked for, and the index's own thresholds for the rest."""
    profile, common = parts.hasher.profile, common or CommonCriteria()
    if not math.isfinite(common.days) or not (min_score is None or math.isfinite(min_score)):
        raise ValueError("days and scores are finite numbers")
    return ClusteringOptions(
        max_distance=profile.max_distance if max_distance is None else max_distance,
        sure_distance=profile.sure_distance,
        min_score=_usual_min_score(parts) if min_score is None else min_score,
        common=common,
    )


def _usual_min_score(parts: Parts) -> float:
    with parts.catalog.read() as session:
        return pair_model.shipped_for_pairs().accepts_among(row_count(session, "features"))


def keep_report(parts: Parts, report: RingsReport) -> None:
    """Let this be the report that the next one is compared with.

    Raises:
        IndexUnusableError: it cannot be written.
    """
    rings = [
        ReportedRing(ring.ring, frozenset(member.account for member in ring.accounts), ring.strength)
        for ring in report.rings
    ]
    with parts.catalog.write() as session:
        store_report(session, rings)
        rename_rings(session, read_rings(session))
