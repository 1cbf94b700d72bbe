"""Fingerprints whose groups are out of date: noted by triggers, so that no write can forget it.

Groups are kept (:mod:`imgmatch.catalog.kept_groups`) and made anew only where something has changed: a photo came or
went, changed hands or its first time, a near pair or a pair score came or went, people decided, a bank took a picture
in or let it go. What is beyond the row that the last run has joined is new altogether and is not noted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, text

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from imgmatch.catalog.session import Session

_JOINED = "(SELECT joined_watermark FROM clusterings)"  # NULL before the first run: then nothing is compared with it
_NOTE = "INSERT OR IGNORE INTO stale_fingerprints"
_OF_PHOTO = f"SELECT fingerprint_id FROM photo_fingerprints WHERE photo_id = NEW.id AND fingerprint_id <= {_JOINED}"
_SHOWING = (
    "SELECT l.fingerprint_id FROM photo_pictures p"
    " JOIN photo_fingerprints l ON l.photo_id = p.photo_id AND l.place = p.place"
    f" WHERE p.pixels = {{pixels}} AND l.fingerprint_id <= {_JOINED}"
    " UNION SELECT b.fingerprint_id FROM bank_entries b WHERE b.pixels = {pixels}"
)
_SCORED = (
    "SELECT l.fingerprint_id FROM features f JOIN photo_pictures p ON p.pixels = f.pixels"
    " JOIN photo_fingerprints l ON l.photo_id = p.photo_id AND l.place = p.place"
    f" WHERE f.id IN (OLD.low, OLD.high) AND l.fingerprint_id <= {_JOINED}"
    " UNION SELECT b.fingerprint_id FROM features f JOIN bank_entries b ON b.pixels = f.pixels"
    " WHERE f.id IN (OLD.low, OLD.high)"
)
_DECIDED = (
    "SELECT f.id FROM fingerprints f WHERE f.hasher IN (SELECT part FROM row_counts WHERE kind = 'fingerprints')"
    f" AND f.bits IN ({{bits}}) AND f.id <= {_JOINED}"
)
_HIT = (
    "SELECT o.fingerprint_id FROM photo_fingerprints l"
    " JOIN photo_fingerprints o ON o.photo_id = l.photo_id AND o.place = l.place"
    f" WHERE l.fingerprint_id = {{row}}.fingerprint_id AND o.fingerprint_id <= {_JOINED}"
)
"""The other fingerprints of pictures that hit an entry of a bank: groups are made of those of the first hasher."""
_CHANGED = "OLD.account_id <> NEW.account_id OR OLD.seen_at <> NEW.seen_at"

TRIGGERS = {
    "stale_linked": f"AFTER INSERT ON photo_fingerprints WHEN NEW.fingerprint_id <= {_JOINED}"
    f" BEGIN {_NOTE} VALUES (NEW.fingerprint_id); END",
    "stale_unlinked": f"AFTER DELETE ON photo_fingerprints WHEN OLD.fingerprint_id <= {_JOINED}"
    f" BEGIN {_NOTE} VALUES (OLD.fingerprint_id); END",
    "stale_photo": f"AFTER UPDATE OF account_id, seen_at ON photos WHEN {_CHANGED} BEGIN {_NOTE} {_OF_PHOTO}; END",
    "stale_features": f"AFTER INSERT ON features BEGIN {_NOTE} {_SHOWING.format(pixels='NEW.pixels')}; END",
    "stale_banked": "AFTER INSERT ON bank_entries WHEN NEW.fingerprint_id IS NOT NULL"
    f" BEGIN {_NOTE} VALUES (NEW.fingerprint_id); END",
    "stale_unbanked": "AFTER DELETE ON bank_entries WHEN OLD.fingerprint_id IS NOT NULL"
    f" BEGIN {_NOTE} VALUES (OLD.fingerprint_id); END",
    "stale_hit": f"AFTER INSERT ON bank_hits BEGIN {_NOTE} {_HIT.format(row='NEW')}; END",
    "stale_missed": f"AFTER DELETE ON bank_hits BEGIN {_NOTE} {_HIT.format(row='OLD')}; END",
    "stale_paired": f"AFTER INSERT ON near_pairs BEGIN {_NOTE} VALUES (NEW.low), (NEW.high); END",
    "stale_unpaired": f"AFTER DELETE ON near_pairs BEGIN {_NOTE} VALUES (OLD.low), (OLD.high); END",
    "stale_unscored": f"AFTER DELETE ON pair_scores BEGIN {_NOTE} {_SCORED}; END",
    "stale_decided": f"AFTER INSERT ON decision_photos BEGIN {_NOTE} {_DECIDED.format(bits='NEW.bits')}; END",
    "stale_undecided": f"AFTER DELETE ON decision_photos BEGIN {_NOTE} "
    + _DECIDED.format(bits="SELECT OLD.bits UNION SELECT bits FROM decision_photos WHERE decision_id = OLD.decision_id")
    + "; END",
}
"""Name to what SQLite does of itself."""


def create_stale_triggers(session: Session) -> None:
    """Begin to note what goes out of date."""
    for name, rule in TRIGGERS.items():
        session.sql.exec_driver_sql(f"CREATE TRIGGER {name} {rule}")


def stale_fingerprints(session: Session, limit: int | None = None) -> list[int]:
    """Row ids of fingerprints whose groups are out of date, in order, at most ``limit``."""
    query = select(schema.stale_fingerprints.c.fingerprint_id).order_by(schema.stale_fingerprints.c.fingerprint_id)
    return list(session.sql.scalars(query if limit is None else query.limit(limit)))


def count_stale(session: Session) -> int:
    """How many there are."""
    return session.sql.scalar(select(func.count()).select_from(schema.stale_fingerprints)) or 0


def note_stale(session: Session, fingerprints: Collection[int]) -> None:
    """Have the groups of these made anew, as if something had changed."""
    table = schema.stale_fingerprints
    for chunk in chunks(sorted(set(fingerprints))):
        known = set(session.sql.scalars(select(table.c.fingerprint_id).where(table.c.fingerprint_id.in_(chunk))))
        new = [{"fingerprint_id": row} for row in chunk if row not in known]
        if new:
            session.sql.execute(insert(table), new)


def forget_stale(session: Session, fingerprints: Collection[int]) -> None:
    """The groups of these are up to date."""
    table = schema.stale_fingerprints
    for chunk in chunks(sorted(fingerprints)):
        session.sql.execute(delete(table).where(table.c.fingerprint_id.in_(chunk)))


def note_new(session: Session, hasher: str, after: int, through: int) -> None:
    """Note those new fingerprints that make a group by themselves: on several accounts, or in a bank."""
    session.sql.execute(
        text(
            "INSERT INTO stale_fingerprints SELECT f.id FROM fingerprints f"
            " WHERE f.id > :after AND f.id <= :through AND f.hasher || '' = :hasher AND (EXISTS"
            " (SELECT 1 FROM bank_entries b WHERE b.fingerprint_id = f.id) OR EXISTS"
            " (SELECT 1 FROM photo_fingerprints l JOIN photo_fingerprints o ON o.photo_id = l.photo_id"
            " AND o.place = l.place JOIN bank_hits h ON h.fingerprint_id = o.fingerprint_id"
            " WHERE l.fingerprint_id = f.id) OR 1 <"
            " (SELECT count(DISTINCT p.account_id) FROM photo_fingerprints l JOIN photos p ON p.id = l.photo_id"
            " WHERE l.fingerprint_id = f.id)) ON CONFLICT DO NOTHING"
        ),
        {"after": after, "through": through, "hasher": hasher},
    )


def note_all(session: Session, hasher: str, through: int) -> None:
    """Note all that any group can be made of, for other options."""
    note_new(session, hasher, 0, through)
    scored = (
        "SELECT l.fingerprint_id FROM pair_scores s JOIN features f ON f.id IN (s.low, s.high)"
        " JOIN photo_pictures p ON p.pixels = f.pixels"
        " JOIN photo_fingerprints l ON l.photo_id = p.photo_id AND l.place = p.place"
        " JOIN fingerprints h ON h.id = l.fingerprint_id WHERE h.hasher = :hasher"
    )
    for query in (
        "SELECT low FROM near_pairs UNION SELECT high FROM near_pairs",
        "SELECT fingerprint_id FROM group_fingerprints",
        scored,
    ):
        # Without its WHERE, SQLite would read the ON of what follows as that of a join.
        noting = f"INSERT INTO stale_fingerprints SELECT * FROM ({query}) AS found WHERE true ON CONFLICT DO NOTHING"
        session.sql.execute(text(noting), {"hasher": hasher} if ":hasher" in query else {})


def has_new(session: Session, hasher: str, after: int) -> bool:
    """Whether there are fingerprints of ``hasher`` beyond the row ``after``."""
    table = schema.fingerprints.c
    found = exists().where(table.id > after, table.hasher.concat("") == hasher)
    return bool(session.sql.scalar(select(found)))
