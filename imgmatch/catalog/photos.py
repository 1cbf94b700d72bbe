"""Writing photos, and knowing them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, delete, func, literal, select, type_coerce, update

from imgmatch.catalog import schema
from imgmatch.catalog.accounts import store_accounts
from imgmatch.catalog.bulk import insert_numbered, insert_rows
from imgmatch.catalog.chunks import chunks, remove_part, spares_none
from imgmatch.catalog.features import store_features
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.catalog.pictures import shows
from imgmatch.catalog.rows import FileState, KnownPhoto
from imgmatch.model.names import storable_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from imgmatch.catalog.chunks import Spares
    from imgmatch.catalog.rows import PhotoRecord, ScanKey
    from imgmatch.catalog.session import Session
    from imgmatch.model import NewPhoto

_READ_AT_ONCE = 5_000


def known_photos(session: Session, photo_ids: Collection[str]) -> dict[str, KnownPhoto]:
    """Which of these photos the catalog has."""
    table = schema.photos.c
    pictures = schema.photo_pictures.c
    described = select(schema.features.c.codebook).where(schema.features.c.pixels == pictures.pixels)
    codebook = type_coerce(described.scalar_subquery(), String())  # empty where there are no features
    columns = (
        table.photo_id,
        table.id,
        table.scan_id,
        table.file_bytes,
        table.file_mtime_ns,
        table.sha256,
        table.seen_at,
        codebook,
        pictures.share,
    )
    query = select(*columns).join(schema.photo_pictures, shows(table.id, literal(0)))
    found: dict[str, KnownPhoto] = {}
    for chunk in chunks(photo_ids):
        rows = session.sql.execute(query.where(table.photo_id.in_(chunk)))
        for photo_id, row_id, scan_id, size, mtime, sha256, seen_at, book, share in rows:
            file, looked_at = FileState(size, mtime), share != 0
            found[photo_id] = KnownPhoto(row_id, scan_id, file, sha256, seen_at, book, looked_at)
    return found


def store_photos(session: Session, scan: ScanKey, records: Sequence[PhotoRecord]) -> None:
    """Add photos, or replace those of the same ``photo_id``."""
    if not records:
        return
    accounts = store_accounts(session, ((record.photo, record.seen_at) for record in records))
    known = known_photos(session, [record.photo.photo_id for record in records])
    values = {record.photo.photo_id: _values(scan, record, accounts) for record in records}
    rows = {photo_id: photo.id for photo_id, photo in known.items()}
    _replace(session, [values[photo_id] | {"row": row} for photo_id, row in rows.items()])
    new = [value for photo_id, value in values.items() if photo_id not in known]
    rows |= insert_numbered(session, schema.photos, new, "photo_id")
    insert_rows(session, schema.photo_pictures, list(_pictures(records, rows)))
    _link(session, records, rows)
    pictures = (picture for record in records for picture in record.pictures)
    store_features(session, [picture.features for picture in pictures if picture.features is not None])


def _values(scan: ScanKey, record: PhotoRecord, accounts: Mapping[str, int]) -> dict[str, Any]:
    return _place(scan, record.photo, record.seen_at, record.file, accounts) | {
        "photo_id": record.photo.photo_id,
        "sha256": record.sha256,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "quality": record.quality,
        "damaged": record.damaged,
    }


def _place(
    scan: ScanKey, photo: NewPhoto, seen_at: int, file: FileState, accounts: Mapping[str, int]
) -> dict[str, Any]:
    """The columns that may change while the picture stays."""
    return {
        "account_id": accounts[photo.account],
        "source_id": scan.source_id,
        "scan_id": scan.scan_id,
        "label": photo.label,
        "path": storable_name(str(photo.path)) if isinstance(photo.path, Path) else str(photo.path),
        "seen_at": seen_at,
        "file_bytes": file.size,
        "file_mtime_ns": file.mtime_ns,
    }


def _replace(session: Session, values: list[dict[str, Any]]) -> None:
    if not values:
        return
    session.sql.execute(update(schema.photos).where(schema.photos.c.id == bindparam("row")), values)
    for chunk in chunks(value["row"] for value in values):
        for table in (schema.photo_fingerprints, schema.photo_pictures):
            session.sql.execute(delete(table).where(table.c.photo_id.in_(chunk)))


def _pictures(records: Sequence[PhotoRecord], rows: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for record in records:
        for place, picture in enumerate(record.pictures):
            yield {
                "photo_id": rows[record.photo.photo_id],
                "place": place,
                "pixels": picture.pixels,
                "frame": picture.frame,
                "share": picture.share,
                "panel": picture.panel,
            }


def _link(session: Session, records: Sequence[PhotoRecord], rows: Mapping[str, int]) -> None:
    every = [
        (rows[record.photo.photo_id], place, picture.fingerprints)
        for record in records
        for place, picture in enumerate(record.pictures)
    ]
    links = []
    for hasher in dict.fromkeys(name for _, _, prints in every for name in prints):
        having = [(row, place, prints[hasher]) for row, place, prints in every if hasher in prints]
        ids = intern_fingerprints(session, hasher, [bits for _, _, bits in having])
        links += [{"fingerprint_id": ids[bits], "photo_id": row, "place": place} for row, place, bits in having]
    insert_rows(session, schema.photo_fingerprints, links)


def mark_seen(session: Session, scan: ScanKey, seen: Sequence[tuple[KnownPhoto, NewPhoto, int, FileState]]) -> None:
    """Note photos whose picture is unchanged: the scan has seen them, and their line may say new things.

    Each comes with its ``seen_at`` in microseconds and the state of its file. Those that somebody has removed or
    changed since they were looked up are left as they are.
    """
    there = _still(session, [known.id for known, *_ in seen])
    same = [one for one in seen if there.get(one[0].id) == (one[1].photo_id, one[0].sha256)]
    if not same:
        return
    accounts = store_accounts(session, ((photo, seen_at) for _, photo, seen_at, _ in same))
    values = [_place(scan, photo, seen_at, file, accounts) | {"row": known.id} for known, photo, seen_at, file in same]
    session.sql.execute(update(schema.photos).where(schema.photos.c.id == bindparam("row")), values)


def _still(session: Session, row_ids: Collection[int]) -> dict[int, tuple[str, bytes]]:
    """The ``photo_id`` and the digest of the bytes that these rows have now: SQLite uses the ids of gone ones again."""
    table = schema.photos.c
    found: dict[int, tuple[str, bytes]] = {}
    for chunk in chunks(row_ids):
        rows = session.sql.execute(select(table.id, table.photo_id, table.sha256).where(table.id.in_(chunk)))
        found |= {row_id: (photo_id, sha256) for row_id, photo_id, sha256 in rows}
    return found


def mark_line_seen(session: Session, scan: ScanKey, photo_ids: Sequence[str]) -> None:
    """Note photos of this source whose line was seen while their file could not be used: what is known stays."""
    table = schema.photos
    for chunk in chunks(photo_ids):
        mine = (table.c.source_id == scan.source_id) & table.c.photo_id.in_(chunk)
        session.sql.execute(update(table).where(mine).values(scan_id=scan.scan_id))


def prune_photos(
    session: Session,
    scan: ScanKey,
    after: int,
    at_once: int,
    spares: Spares = spares_none,
    before: int | None = None,
) -> list[int]:
    """Remove photos of this source that the scan has not met, so many at the most of those after a row id.

    Args:
        session: one that may write.
        scan: the scan.
        after: see above.
        at_once: likewise.
        spares: whether a photo of such a label stays.
        before: if given, only those first seen before this moment, in microseconds since 1970, UTC.

    Returns:
        the row ids of those that were removed, rising: the next part begins after the last one, so that no photo that
        stays is looked at twice.
    """
    table = schema.photos
    gone = select(table.c.id, table.c.label).where(table.c.source_id == scan.source_id, table.c.scan_id != scan.scan_id)
    gone = gone if before is None else gone.where(table.c.seen_at < before)
    return remove_part(session, table, gone, after, at_once, spares)


def unmet_photos(session: Session, scan: ScanKey) -> Iterator[tuple[str, int]]:
    """Label and ``seen_at`` (microseconds since 1970, UTC) of each photo of this source that the scan has not met."""
    table = schema.photos.c
    query = select(table.label, table.seen_at).where(table.source_id == scan.source_id, table.scan_id != scan.scan_id)
    yield from session.sql.execute(query.execution_options(yield_per=_READ_AT_ONCE))


def count_photos(session: Session, source_id: int) -> int:
    """How many photos came from a source."""
    table = schema.photos
    counted = select(func.count()).select_from(table).where(table.c.source_id == source_id)
    return session.sql.scalar(counted) or 0
