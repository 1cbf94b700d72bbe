"""Adding photos under a source: taken in batch by batch, then what is gone is removed, then engines are published."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.orphans import has_orphans, remove_orphans
from imgmatch.catalog.scans import SCAN
from imgmatch.engines.publishing import publish
from imgmatch.errors import ScanInterrupted
from imgmatch.ingest.intake import Intake
from imgmatch.ingest.pruning import Pruned, Unread, forget_lines, forget_skips, prune_photos
from imgmatch.model import ScanResult, Skipped, SkipReason
from imgmatch.progress import SILENT
from imgmatch.sources.base import shown
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.leases import Lease
    from imgmatch.engines.parts import Parts
    from imgmatch.ingest.pruning import Caution
    from imgmatch.model import NewPhoto
    from imgmatch.progress import Progress


def add(
    parts: Parts,
    photos: Iterable[NewPhoto | Skipped],
    *,
    source: str,
    prune: bool = False,
    progress: Progress = SILENT,
    whole: Callable[[], bool] = lambda: True,
    caution: Caution | None = None,
) -> ScanResult:
    """Add photos, replace changed ones, and leave unchanged ones alone.

    Every write is short, so that others may write meanwhile; a kill loses at most the batch in hand, and the same call
    again goes on from there.

    Args:
        parts: of the index.
        photos: photos, and lines a source could not use (they are filed with the skipped ones).
        source: the key of what the photos are filed under.
        prune: afterwards, remove photos filed under ``source`` that were not among ``photos``, but for those that may
            be in the ``part`` of a skipped one.
        progress: hears how many photos are done with, and of every skipped one.
        whole: asked when all of ``photos`` are taken in: whether those were all there are. If not, nothing is removed,
            and nothing that was skipped in the last whole scan is forgotten; the scan counts as broken off.
        caution: when not to prune; without it all others are removed.

    Raises:
        IndexLockedError: somebody else adds photos under this source.
        IndexUnusableError: it cannot be written.
        ScanInterrupted: somebody has interrupted it; what was described so far is written.
    """
    with parts.catalog.lease(f"{SCAN}{source}") as lease:
        with parts.catalog.write(lease) as session:
            scan = scan_rows.begin_scan(session, source)
        intake = Intake(parts, scan, progress, lease)
        try:
            result, refused = _taken_in(parts, lease, intake, photos, prune=prune, whole=whole, caution=caution)
        except KeyboardInterrupt:
            raise ScanInterrupted(intake.kept) from None
    if refused:
        result = replace(result, skipped=result.skipped + 1)
        progress.skipped(Skipped(shown(shown_url(source)), SkipReason.REFUSED, refused))
    return result


def _taken_in(
    parts: Parts,
    lease: Lease,
    intake: Intake,
    photos: Iterable[NewPhoto | Skipped],
    *,
    prune: bool,
    whole: Callable[[], bool],
    caution: Caution | None,
) -> tuple[ScanResult, str | None]:
    """What came of it, and why nothing was pruned, if that was refused."""
    started = time.perf_counter()
    catalog, scan, unread = parts.catalog, intake.scan, Unread()
    intake.run(unread.noting(photos))
    counted = {name: intake.counts[name] for name in ("added", "updated", "unchanged", "skipped", "passed_over")}
    complete, pruned = whole(), Pruned()
    if complete and prune:
        pruned = prune_photos(catalog, lease, scan, unread, caution)
    if complete:
        forget_skips(catalog, lease, scan, unread, all_met=intake.has_met_any and not pruned.refused)
    else:
        forget_lines(catalog, lease, scan)
    clear_orphans(catalog)
    if complete:
        with catalog.write(lease) as session:
            scan_rows.finish_scan(session, scan, counted | pruned.counts())
    publish(parts)
    done = ScanResult(
        added=counted["added"],
        updated=counted["updated"],
        unchanged=counted["unchanged"],
        removed=pruned.removed,
        skipped=counted["skipped"],
        seconds=time.perf_counter() - started,
        passed_over=counted["passed_over"],
        kept=pruned.kept,
        respelt=intake.counts["respelt"],
    )
    return done, pruned.refused


def clear_orphans(catalog: Catalog) -> None:
    """Remove all that nothing uses any more, a part in each transaction."""
    with catalog.read() as session:
        left = has_orphans(session)
    while left:
        with catalog.write() as session:
            remove_orphans(session)
            left = has_orphans(session)
