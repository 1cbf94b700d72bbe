"""What an erasure must leave no trace of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Select


def _owned(account: str | None, photo_id: str | None) -> Select[tuple[int]]:
    photos, accounts = schema.photos.c, schema.accounts.c
    named = accounts.account == account if account is not None else photos.photo_id == photo_id
    return select(photos.id).join(schema.accounts, accounts.id == photos.account_id).where(named)


def digests_of(connection: Connection, *, account: str | None, photo_id: str | None) -> set[bytes]:
    """Every digest and fingerprint of an account's photos, or of one photo."""
    photos, links, prints = schema.photos, schema.photo_fingerprints, schema.fingerprints
    owned = _owned(account, photo_id)
    found: set[bytes] = set()
    for sha256, pixels in connection.execute(select(photos.c.sha256, photos.c.pixels).where(photos.c.id.in_(owned))):
        found |= {sha256, pixels}
    bits = select(prints.c.bits).join(links, links.c.fingerprint_id == prints.c.id).where(links.c.photo_id.in_(owned))
    return found | set(connection.scalars(bits))


def digests_in_use(connection: Connection, digests: Collection[bytes]) -> set[bytes]:
    """Which of these some photo still has."""
    photos, prints = schema.photos.c, schema.fingerprints.c
    used: set[bytes] = set()
    for chunk in chunks(digests):
        for column in (photos.sha256, photos.pixels, prints.bits):
            used.update(connection.scalars(select(column).where(column.in_(chunk))))
    return used


def features_of(connection: Connection, *, account: str | None, photo_id: str | None) -> dict[int, tuple[bytes, bytes]]:
    """Record and thumbnail (``b""`` where none is kept) by row id, of the features of those photos."""
    photos, table = schema.photos.c, schema.features.c
    shown = select(photos.pixels).where(photos.id.in_(_owned(account, photo_id)))
    rows = connection.execute(select(table.id, table.record, table.thumbnail).where(table.pixels.in_(shown)))
    return {row: (record, thumbnail or b"") for row, record, thumbnail in rows}


def mentions(connection: Connection, *, account: str | None, photo_id: str | None) -> int:
    """How many rows, of photos, accounts and skipped photos, name this account or photo."""
    if account is not None:
        columns = (schema.accounts.c.account, schema.skipped.c.account)
    else:
        columns = (schema.photos.c.photo_id, schema.skipped.c.photo_id)
    name = account if account is not None else photo_id
    counted = (select(func.count()).select_from(column.table).where(column == name) for column in columns)
    return sum(connection.scalar(query) or 0 for query in counted)
