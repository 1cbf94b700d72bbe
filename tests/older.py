"""An index as an older imgmatch left it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.row_counts import drop_triggers
from imgmatch.model import derived_photo_id

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session

BACK_TO_7 = (
    "DROP INDEX ix_accounts_look",
    "ALTER TABLE accounts DROP COLUMN look",
    "ALTER TABLE accounts DROP COLUMN former",
    "DROP TABLE lookalikes",
    "DELETE FROM versions",
    "INSERT INTO versions VALUES (7)",
)


def make_old(catalog: Catalog, spellings: dict[str, str]) -> None:
    """Turn the catalog into one of version 7, and some of its accounts into what that would have kept of a spelling."""
    with catalog.write() as session:
        drop_triggers(session)
        for statement in BACK_TO_7:
            session.sql.exec_driver_sql(statement)
        for table in ("accounts", "decision_photos", "skipped", "bank_pictures", "report_members", "ring_accounts"):
            for now, before in spellings.items():
                session.sql.exec_driver_sql(f"UPDATE {table} SET account = ? WHERE account = ?", (before, now))
        for now, before in spellings.items():
            pair = (json.dumps(now), json.dumps(before))
            session.sql.exec_driver_sql("UPDATE rings SET joined = replace(joined, ?, ?)", pair)
            session.sql.exec_driver_sql('UPDATE rings SET "left" = replace("left", ?, ?)', pair)
            _derive_ids(session, now, before)


def _derive_ids(session: Session, now: str, before: str) -> None:
    """Let photos, and decisions on them, have the ids that were derived from the account as it was spelt."""
    photos = schema.photos.c
    for photo_id, path in session.sql.execute(select(photos.photo_id, photos.path)).all():
        if photo_id == derived_photo_id(now, path):
            old = hashlib.sha256(f"{before}\0{path}".encode()).hexdigest()[:20]
            for column in ("photos.photo_id", "decision_photos.photo_id", "groups.name", "bank_pictures.photo_id"):
                table, name = column.split(".")
                session.sql.exec_driver_sql(f"UPDATE {table} SET {name} = ? WHERE {name} = ?", (old, photo_id))
