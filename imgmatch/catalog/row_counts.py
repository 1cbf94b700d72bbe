"""What triggers note as rows come and go, so that no write can forget it.

How many rows there are; which accounts look alike; which rows may have lost their last use; and which are gone, so
that engine files can be written without them. At ten million photos SQLite takes seconds to count a table, and minutes
to look through one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from imgmatch.catalog import lookalikes, schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.dialects import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from imgmatch.catalog.session import Session


COUNTED = {
    "photos": "",
    "accounts": "",
    "fingerprints": "hasher",
    "features": "codebook",
    "pair_scores": "",
    "bank_entries": "bank_id",
}
"""Tables whose rows are counted, each with the column whose values are counted apart."""

IN_ENGINES = ("fingerprints", "features")
"""Tables whose rows engine files hold."""

SEARCHED = (*IN_ENGINES, "bank_entries")
"""Tables whose rows are searched: those that engine files hold, and what each process reads itself."""

_FEATURES = "INSERT OR IGNORE INTO orphans SELECT 'features', id FROM features WHERE pixels = OLD.pixels;"
_ACCOUNT = "INSERT OR IGNORE INTO orphans VALUES ('accounts', OLD.account_id);"
_FINGERPRINT = "INSERT OR IGNORE INTO orphans VALUES ('fingerprints', OLD.fingerprint_id);"

_ORPHANING = {
    "orphan_fingerprint": f"AFTER DELETE ON photo_fingerprints BEGIN {_FINGERPRINT} END",
    "orphan_known_picture": "AFTER DELETE ON bank_entries WHEN OLD.fingerprint_id IS NOT NULL"
    f" BEGIN {_FINGERPRINT} {_FEATURES} END",
    "orphan_picture": f"AFTER DELETE ON photo_pictures BEGIN {_FEATURES} END",
    "orphan_photo": f"AFTER DELETE ON photos BEGIN {_ACCOUNT} END",
    "orphan_changed_photo": "AFTER UPDATE OF account_id ON photos "
    f"WHEN OLD.account_id <> NEW.account_id BEGIN {_ACCOUNT} END",
}


def create_triggers(session: Session) -> None:
    """Begin to count, and to note what may be unused."""
    for name, rule in trigger_rules():
        session.sql.exec_driver_sql(f"CREATE TRIGGER {name} {rule}")


def trigger_rules() -> Iterator[tuple[str, str]]:
    """The names of these triggers, each with what it says."""
    yield from _counting()
    yield from lookalikes.TRIGGERS.items()
    yield from _ORPHANING.items()


def drop_triggers(session: Session) -> None:
    """Note nothing until :func:`create_triggers`, such as while tables are being changed."""
    for name in list(session.sql.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))):
        quoted = str(name).replace('"', '""')  # they may be anybody's
        session.sql.exec_driver_sql(f'DROP TRIGGER "{quoted}"')


def _counting() -> Iterator[tuple[str, str]]:
    for table, column in COUNTED.items():
        new, old = (f"{row}.{column}" if column else "''" for row in ("NEW", "OLD"))
        added = f"INSERT INTO row_counts VALUES ('{table}', {new}, 1) ON CONFLICT DO UPDATE SET number = number + 1;"  # noqa: S608
        removed = f"UPDATE row_counts SET number = number - 1 WHERE kind = '{table}' AND part = {old};"  # noqa: S608
        yield f"count_added_{table}", f"AFTER INSERT ON {table} BEGIN {added} END"
        yield f"count_removed_{table}", f"AFTER DELETE ON {table} BEGIN {removed} END"
    for table in IN_ENGINES:
        gone = f"INSERT OR IGNORE INTO tombstones VALUES ('{table}', OLD.id, OLD.{COUNTED[table]});"  # noqa: S608
        yield f"bury_{table}", f"AFTER DELETE ON {table} BEGIN {gone} END"


def row_count(session: Session, kind: str, part: str | None = None) -> int:
    """How many rows the table ``kind`` has, or of its ``part``: a hasher of fingerprints, a codebook of features."""
    table = schema.row_counts.c
    query = select(table.number).where(table.kind == kind)
    return sum(session.sql.scalars(query if part is None else query.where(table.part == part)))


def last_given(session: Session, kind: str) -> int:
    """The highest row id that the table ``kind``, one of ``IN_ENGINES``, ever gave; 0 if none."""
    if is_postgresql(session.sql):
        given = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {kind}_id_seq")  # noqa: S608 -- a name of ours
        return int(session.sql.execute(given).scalar_one())
    found = session.sql.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :kind"), {"kind": kind})
    return found if type(found) is int else 0  # SQLite's own table holds whatever somebody put there


def tombstones(session: Session, kind: str, part: str | None, through: int) -> list[int]:
    """Row ids up to ``through`` that the table ``kind`` had and has lost; engine files may hold them.

    Only of those under ``part``, if one is given: a hasher of fingerprints, a codebook of features.
    """
    table = schema.tombstones.c
    query = select(table.row).where(table.kind == kind, table.row <= through)
    query = query if part is None else query.where(table.part == part)
    return list(session.sql.scalars(query.order_by(table.row)))


def forget_tombstones(session: Session, kind: str, rows: Collection[int]) -> None:
    """No engine file holds these rows any more; others may have been lost since they were asked for."""
    table = schema.tombstones
    for chunk in chunks(rows):
        session.sql.execute(delete(table).where(table.c.kind == kind, table.c.row.in_(chunk)))
