"""An index as an older imgmatch left it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.row_counts import drop_triggers
from imgmatch.model import derived_photo_id

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session

_BACK_TO_7 = """
ALTER TABLE photos ADD COLUMN pixels BLOB;
UPDATE photos SET pixels = (SELECT pixels FROM photo_pictures WHERE photo_id = photos.id AND place = 0);
DROP TABLE photo_pictures;
ALTER TABLE photos DROP COLUMN damaged;
CREATE INDEX ix_photos_pixels ON photos (pixels);
CREATE TABLE links (
  fingerprint_id INTEGER NOT NULL, photo_id INTEGER NOT NULL, PRIMARY KEY (fingerprint_id, photo_id),
  FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id),
  FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO links SELECT fingerprint_id, photo_id FROM photo_fingerprints WHERE place = 0;
DROP TABLE photo_fingerprints;
ALTER TABLE links RENAME TO photo_fingerprints;
CREATE INDEX photo_fingerprints_by_photo ON photo_fingerprints (photo_id);
ALTER TABLE group_photos DROP COLUMN picture;
ALTER TABLE group_photos DROP COLUMN negative;
ALTER TABLE pair_scores DROP COLUMN negative;
CREATE TABLE decided (
  decision_id INTEGER NOT NULL, picture INTEGER NOT NULL, photo_id VARCHAR NOT NULL, account VARCHAR NOT NULL,
  bits BLOB NOT NULL, PRIMARY KEY (decision_id, picture, photo_id),
  FOREIGN KEY(decision_id) REFERENCES decisions (id)) WITHOUT ROWID;
INSERT INTO decided SELECT decision_id, picture, photo_id, account, bits FROM decision_photos;
DROP TABLE decision_photos;
ALTER TABLE decided RENAME TO decision_photos;
CREATE INDEX ix_decision_photos_photo_id ON decision_photos (photo_id);
CREATE INDEX ix_decision_photos_account ON decision_photos (account);
CREATE INDEX ix_decision_photos_bits ON decision_photos (bits);
DROP INDEX ix_accounts_look;
ALTER TABLE accounts DROP COLUMN look;
ALTER TABLE accounts DROP COLUMN former;
DROP TABLE lookalikes;
DROP TABLE renames;
DROP TABLE tokens;
DROP INDEX near_pairs_by_high;
CREATE INDEX ix_near_pairs_high ON near_pairs (high);
CREATE TABLE bank_pictures (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, bank VARCHAR NOT NULL, pixels BLOB NOT NULL,
  fingerprint_id INTEGER NOT NULL, label VARCHAR NOT NULL, photo_id VARCHAR, account VARCHAR,
  added_at BIGINT NOT NULL, UNIQUE (bank, pixels), FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id));
INSERT INTO bank_pictures SELECT e.id, b.name, e.pixels, e.fingerprint_id, e.label, e.photo_id, e.account, e.added_at
  FROM bank_entries e JOIN banks b ON b.id = e.bank_id;
CREATE INDEX ix_bank_pictures_fingerprint_id ON bank_pictures (fingerprint_id);
CREATE INDEX ix_bank_pictures_pixels ON bank_pictures (pixels);
DROP TABLE reported;
DROP TABLE bank_joins;
DROP TABLE bank_hits;
DROP TABLE bank_opinions;
DROP TABLE bank_entries;
DROP TABLE banks;
DELETE FROM row_counts WHERE kind = 'bank_entries';
DROP INDEX ix_decisions_undoes;
ALTER TABLE decisions DROP COLUMN undoes;
ALTER TABLE decisions DROP COLUMN opened_at;
DROP TABLE deliveries;
DROP TABLE audit_log;
DROP TABLE skipped_rings;
DROP TABLE ring_reviews;
DROP TABLE failed_logins;
DROP TABLE api_tokens;
DROP TABLE logins;
DROP TABLE users;
DELETE FROM versions;
INSERT INTO versions VALUES (7);
"""


def back_to_version_7(folder: Path) -> None:
    """Make the catalog of an index whose photos have a picture each what the version before had."""
    with closing(sqlite3.connect(folder / "catalog.sqlite3")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(_BACK_TO_7)


def make_old(catalog: Catalog, spellings: dict[str, str]) -> None:
    """Turn the catalog into one of version 7, and some of its accounts into what that would have kept of a spelling."""
    with catalog.write() as session:
        drop_triggers(session)
        for statement in filter(str.strip, _BACK_TO_7.split(";\n")):
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
