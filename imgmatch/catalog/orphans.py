"""Removing what nothing uses any more: fingerprints, features and accounts that have lost their last photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from imgmatch.catalog.session import Session

AT_ONCE = 2_000
"""Rows looked at in one transaction."""


def remove_orphans(session: Session, at_once: int = AT_ONCE) -> dict[str, int]:
    """Remove fingerprints and features that neither a photo nor a bank has any more, and accounts without photos.

    Only rows that have lost a use since the last time are looked at, and so many of them at the most: others are left
    to whoever comes next, as are those of a scan that was killed.

    Returns:
        how many rows of each table are gone.
    """
    noted = schema.orphans.c
    rows: dict[str, list[int]] = {table: [] for table in _uses()}
    found = session.sql.execute(select(noted.kind, noted.row).limit(at_once)).all()
    for kind, row in found:
        if kind in rows:
            rows[kind].append(row)
    gone = {kind: sum(_drop(session, kind, chunk) for chunk in chunks(rows[kind])) for kind in rows}
    forgotten = sum(_forget(session, kind, chunk) for kind in rows for chunk in chunks(rows[kind]))
    if found and not forgotten:  # all that is left is damaged, and would be looked at for ever
        session.sql.execute(delete(schema.orphans))
    return gone


def has_orphans(session: Session) -> bool:
    """Whether there are rows left to look at."""
    return session.sql.execute(select(schema.orphans.c.row).limit(1)).first() is not None


def _uses() -> dict[str, tuple[ColumnElement[bool], ...]]:
    """What a row of each table is used by."""
    photos, pictures = schema.photos.c, schema.photo_pictures.c
    banked, links = schema.bank_entries.c, schema.photo_fingerprints.c
    prints, features, accounts = schema.fingerprints.c, schema.features.c, schema.accounts.c
    return {
        "fingerprints": (links.fingerprint_id == prints.id, banked.fingerprint_id == prints.id),
        "features": (pictures.pixels == features.pixels, banked.pixels == features.pixels),
        "accounts": (photos.account_id == accounts.id,),
    }


def _drop(session: Session, kind: str, rows: list[int]) -> int:
    table = schema.metadata.tables[kind]
    unused = (~exists().where(use) for use in _uses()[kind])
    return session.sql.execute(delete(table).where(table.c.id.in_(rows), *unused)).rowcount


def _forget(session: Session, kind: str, rows: list[int]) -> int:
    noted = schema.orphans
    return session.sql.execute(delete(noted).where(noted.c.kind == kind, noted.c.row.in_(rows))).rowcount
