"""Removing what nothing uses any more: fingerprints, features and accounts that have lost their last photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from imgmatch.catalog import schema

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

    from imgmatch.catalog.session import Session


def remove_orphans(session: Session) -> dict[str, int]:
    """Remove fingerprints and features that neither a photo nor a bank has any more, and accounts without photos.

    Only rows that have lost a use since the last time are looked at; a killed scan leaves its own to the next.

    Returns:
        how many rows of each table are gone.
    """
    photos, banked, links = schema.photos.c, schema.bank_pictures.c, schema.photo_fingerprints.c
    prints, features, accounts = schema.fingerprints, schema.features, schema.accounts
    gone = {
        "fingerprints": _dropped(
            session, prints, (links.fingerprint_id == prints.c.id, banked.fingerprint_id == prints.c.id)
        ),
        "features": _dropped(
            session, features, (photos.pixels == features.c.pixels, banked.pixels == features.c.pixels)
        ),
        "accounts": _dropped(session, accounts, (photos.account_id == accounts.c.id,)),
    }
    session.sql.execute(delete(schema.orphans))
    return gone


def _dropped(session: Session, table: Table, uses: tuple[ColumnElement[bool], ...]) -> int:
    noted = select(schema.orphans.c.row).where(schema.orphans.c.kind == table.name)
    unused = (~exists().where(use) for use in uses)
    return session.sql.execute(delete(table).where(table.c.id.in_(noted), *unused)).rowcount
