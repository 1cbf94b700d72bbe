"""Adding photos under a source: taken in batch by batch, then what is gone is removed, then engines are published."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from imgmatch.catalog import photos as photo_rows
from imgmatch.catalog import scans as scan_rows
from imgmatch.catalog.orphans import has_orphans, remove_orphans
from imgmatch.catalog.scans import SCAN
from imgmatch.engines.publishing import publish
from imgmatch.ingest.intake import Intake
from imgmatch.model import ScanResult
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.model import NewPhoto, Skipped
    from imgmatch.progress import Progress

_REMOVED_AT_ONCE = 1_000
"""Rows removed in one transaction."""


def add(
    parts: Parts,
    photos: Iterable[NewPhoto | Skipped],
    *,
    source: str,
    prune: bool = False,
    progress: Progress = SILENT,
    whole: Callable[[], bool] = lambda: True,
) -> ScanResult:
    """Add photos, replace changed ones, and leave unchanged ones alone.

    Every write is short, so that others may write meanwhile; a kill loses at most the batch in hand, and the same call
    again goes on from there.

    Args:
        parts: of the index.
        photos: photos, and lines a source could not use (they are filed with the skipped ones).
        source: the key of what the photos are filed under.
        prune: afterwards, remove photos filed under ``source`` that were not among ``photos``.
        progress: hears how many photos are done with, and of every skipped one.
        whole: asked when all of ``photos`` are taken in: whether those were all there are. If not, nothing is removed,
            and nothing that was skipped in the last whole scan is forgotten; the scan counts as broken off.

    Raises:
        IndexLockedError: somebody else adds photos under this source.
        IndexUnusableError: it cannot be written.
    """
    started = time.perf_counter()
    catalog = parts.catalog
    with catalog.lease(f"{SCAN}{source}") as lease:
        with catalog.write(lease) as session:
            scan = scan_rows.begin_scan(session, source)
        intake = Intake(parts, scan, progress, lease)
        intake.run(photos)
        counted = {name: intake.counts[name] for name in ("added", "updated", "unchanged", "skipped")}
        removed = 0
        complete = whole()
        if prune and complete:
            removed = _in_parts(
                catalog, lease, lambda session, after: photo_rows.prune_photos(session, scan, after, _REMOVED_AT_ONCE)
            )
        forget = scan_rows.prune_skips if complete else scan_rows.prune_broken_skips
        _in_parts(catalog, lease, lambda session, after: forget(session, scan, after, _REMOVED_AT_ONCE))
        clear_orphans(catalog)
        if complete:
            with catalog.write(lease) as session:
                scan_rows.finish_scan(session, scan, counted | {"removed": removed})
        publish(parts)
    seconds, respelt = time.perf_counter() - started, intake.counts["respelt"]
    added, updated, unchanged, skipped = counted.values()
    return ScanResult(added, updated, unchanged, removed, skipped, seconds, respelt)


def clear_orphans(catalog: Catalog) -> None:
    """Remove all that nothing uses any more, a part in each transaction."""
    with catalog.read() as session:
        left = has_orphans(session)
    while left:
        with catalog.write() as session:
            remove_orphans(session)
            left = has_orphans(session)


def _in_parts(catalog: Catalog, lease: Lease, remove: Callable[[Session, int], list[int]]) -> int:
    """Remove, a part in each transaction, until nothing is left; returns how many rows that were."""
    total = last = 0
    while True:
        with catalog.write(lease) as session:
            removed = remove(session, last)
        total += len(removed)
        if len(removed) < _REMOVED_AT_ONCE:
            return total
        last = removed[-1]
