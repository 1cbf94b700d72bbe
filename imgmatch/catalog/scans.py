"""Scans and the photos they had to skip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, literal, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks, remove_part, spares_none
from imgmatch.catalog.known_sources import source_of
from imgmatch.catalog.leases import drop_dead_leases
from imgmatch.catalog.rows import FileState, KnownSkip, ScanKey
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from imgmatch.catalog.chunks import Spares
    from imgmatch.catalog.rows import SkipRecord
    from imgmatch.catalog.session import Session

_READ_AT_ONCE = 5_000

SCAN = "scan:"
"""What the name of a lease begins with, before the key of the source that is scanned."""

UNREAD = "unread"
"""What a scan that has pruned counts lines by that could not be read, and that may have named any photo."""

DUPLICATE_DETAIL = "the photo_id stands for an earlier photo of this scan"
"""What is kept of a duplicate, whatever is told: it does not name the photo it repeats, which may be erased."""


def begin_scan(session: Session, source_key: str) -> ScanKey:
    """Note that a scan of the source has begun."""
    source_id = _source_id(session, source_key)
    statement = insert(schema.scans).values(source_id=source_id, started_at=now()).returning(schema.scans.c.id)
    return ScanKey(session.sql.execute(statement).scalar_one(), source_id)


def _source_id(session: Session, key: str) -> int:
    found = source_of(session, key)
    if found is None:
        statement = insert(schema.sources).values(key=key).returning(schema.sources.c.id)
        found = session.sql.execute(statement).scalar_one()
    return int(found)


def finish_scan(session: Session, scan: ScanKey, counts: Mapping[str, int]) -> None:
    """Note that the scan has seen all of its source."""
    table = schema.scans
    session.sql.execute(update(table).where(table.c.id == scan.scan_id).values(finished_at=now(), counts=dict(counts)))
    # What an interrupted scan of this source left undone is done now.
    undone = (table.c.source_id == scan.source_id) & (table.c.id < scan.scan_id) & table.c.finished_at.is_(None)
    session.sql.execute(delete(table).where(undone))


def unread_lines(session: Session, scan: ScanKey) -> int:
    """How many lines of the source could not be read, of which photo is not known, when it was last pruned by."""
    table = schema.scans.c
    query = select(table.counts).where(table.source_id == scan.source_id, table.id < scan.scan_id)
    for counts in session.sql.scalars(query.order_by(table.id.desc())):
        if counts is not None and UNREAD in counts:
            return int(counts[UNREAD])
    return 0


def prune_skips(session: Session, scan: ScanKey, after: int, at_once: int, spares: Spares = spares_none) -> list[int]:
    """Forget what was skipped in earlier scans of this source but not in this one; see :func:`photos.prune_photos`."""
    table = schema.skipped
    gone = select(table.c.id, table.c.label).where(table.c.source_id == scan.source_id, table.c.scan_id != scan.scan_id)
    return remove_part(session, table, gone, after, at_once, spares)


def prune_lines(session: Session, scan: ScanKey, after: int, at_once: int) -> list[int]:
    """Forget of those only lines that name no photo: this scan has named them anew; likewise."""
    table = schema.skipped
    gone = select(table.c.id, table.c.label).where(
        table.c.source_id == scan.source_id, table.c.scan_id != scan.scan_id, table.c.photo_id.is_(None)
    )
    return remove_part(session, table, gone, after, at_once, spares_none)


def prune_broken_skips(session: Session, scan: ScanKey, after: int, at_once: int) -> list[int]:
    """Forget lines skipped in earlier scans of this source that did not end either; likewise.

    This scan named them anew, as far as it came; without this they would pile up night after night.
    """
    table, scans = schema.skipped, schema.scans.c
    broken = select(scans.id).where(
        scans.source_id == scan.source_id, scans.id < scan.scan_id, scans.finished_at.is_(None)
    )
    gone = select(table.c.id, table.c.label).where(
        table.c.source_id == scan.source_id, table.c.photo_id.is_(None), table.c.scan_id.in_(broken)
    )
    return remove_part(session, table, gone, after, at_once, spares_none)


def known_skips(session: Session, scan: ScanKey, photo_ids: Collection[str]) -> dict[str, KnownSkip]:
    """Which of these photos could not be used when this source was last read."""
    table = schema.skipped.c
    found: dict[str, KnownSkip] = {}
    for chunk in chunks(photo_ids):
        query = select(
            table.photo_id, table.id, table.scan_id, table.file_bytes, table.file_mtime_ns, table.reason, table.detail
        ).where(table.source_id == scan.source_id, table.photo_id.in_(chunk))
        for photo_id, row_id, scan_id, size, mtime, reason, detail in session.sql.execute(query):
            file = FileState(size, mtime) if size is not None else None
            found[photo_id] = KnownSkip(row_id, scan_id, file, reason, detail)
    return found


def store_skips(session: Session, scan: ScanKey, skips: Sequence[SkipRecord]) -> None:
    """Write photos that could not be used, in place of what was known of them from this source."""
    ids = {skip.photo_id for skip in skips if skip.photo_id is not None and skip.reason != "duplicate"}
    forget_skips(session, scan, ids)
    if skips:
        session.sql.execute(insert(schema.skipped), [_values(scan, skip) for skip in skips])


def _values(scan: ScanKey, skip: SkipRecord) -> dict[str, object]:
    return {
        "source_id": scan.source_id,
        "scan_id": scan.scan_id,
        # A duplicate is another photo's line: it must not be found under that photo's id.
        "photo_id": None if skip.reason == "duplicate" else skip.photo_id,
        "account": skip.account,
        "label": skip.label,
        "line": skip.line,
        "reason": skip.reason,
        "detail": DUPLICATE_DETAIL if skip.reason == "duplicate" else skip.detail,
        "file_bytes": skip.file.size if skip.file else None,
        "file_mtime_ns": skip.file.mtime_ns if skip.file else None,
    }


def forget_skips(session: Session, scan: ScanKey, photo_ids: Collection[str]) -> None:
    """Drop what was skipped under these ids: the photos can be used now."""
    for chunk in chunks(photo_ids):
        named = schema.skipped.c.photo_id.in_(chunk)
        session.sql.execute(delete(schema.skipped).where(named, schema.skipped.c.source_id == scan.source_id))


def keep_skips(session: Session, scan: ScanKey, row_ids: Sequence[int]) -> None:
    """Note that photos skipped before were seen again, unchanged."""
    table = schema.skipped
    for chunk in chunks(row_ids):
        mine = (table.c.source_id == scan.source_id) & table.c.id.in_(chunk)
        session.sql.execute(update(table).where(mine).values(scan_id=scan.scan_id))


def remove_skips(session: Session, *, account: str | None, photo_id: str | None) -> int:
    """Forget what was skipped of an account, or of one photo; returns how many."""
    table = schema.skipped
    named = table.c.account == account if account is not None else table.c.photo_id == photo_id
    return session.sql.execute(delete(table).where(named)).rowcount


def skips_of(session: Session, *, account: str | None, photo_id: str | None) -> list[tuple[str | None, str]]:
    """The id and the label of each photo skipped of an account, or under one id."""
    table = schema.skipped.c
    named = table.account == account if account is not None else table.photo_id == photo_id
    return [(row[0], row[1]) for row in session.sql.execute(select(table.photo_id, table.label).where(named))]


def skip_texts(session: Session) -> Iterator[tuple[int, str, str]]:
    """Every row of skipped photos with its label and its detail."""
    table = schema.skipped.c
    query = select(table.id, table.label, table.detail).execution_options(yield_per=_READ_AT_ONCE)
    for row in session.sql.execute(query):
        yield row[0], row[1], row[2]


def mask_skip(session: Session, row: int, before: tuple[str, str], after: tuple[str, str]) -> None:
    """Change label and detail of a skipped photo, if they still are what they were."""
    table = schema.skipped
    same = (table.c.id == row) & (table.c.label == before[0]) & (table.c.detail == before[1])
    session.sql.execute(update(table).where(same).values(label=after[0], detail=after[1]))


def drop_empty_sources(session: Session) -> list[str]:
    """Forget sources that nothing came from, unless they are being scanned: a path can name an account.

    Returns:
        their keys.
    """
    drop_dead_leases(session)
    sources = schema.sources.c
    with_photos = exists().where(schema.photos.c.source_id == sources.id)
    with_skips = exists().where(schema.skipped.c.source_id == sources.id)
    scanned = exists().where(schema.leases.c.name == literal(SCAN).concat(sources.key))
    empty = select(sources.id).where(~with_photos, ~with_skips, ~scanned)
    session.sql.execute(delete(schema.scans).where(schema.scans.c.source_id.in_(empty)))
    gone = delete(schema.sources).where(sources.id.in_(empty)).returning(sources.key)
    return list(session.sql.scalars(gone))
