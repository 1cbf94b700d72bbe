"""What triggers note as rows come and go, so that no write can forget it.

How many rows there are; which may have lost their last use; and which are gone, so that engine files can be written
without them. At ten million photos SQLite takes seconds to count a table, and minutes to look through one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text

from imgmatch.catalog import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

TALLIED = {"photos": "", "accounts": "", "fingerprints": "hasher", "features": "codebook", "ties": ""}
"""Tables whose rows are counted, each with the column whose values are counted apart."""

IN_ENGINES = ("fingerprints", "features")
"""Tables whose rows engine files hold."""

_FEATURES = "INSERT OR IGNORE INTO unlinked SELECT 'features', id FROM features WHERE pixels = OLD.pixels;"
_ACCOUNT = "INSERT OR IGNORE INTO unlinked VALUES ('accounts', OLD.account_id);"
_FINGERPRINT = "INSERT OR IGNORE INTO unlinked VALUES ('fingerprints', OLD.fingerprint_id);"

_UNLINKING = {
    "unlink_fingerprint": f"AFTER DELETE ON photo_fingerprints BEGIN {_FINGERPRINT} END",
    "unlink_known_picture": f"AFTER DELETE ON bank_pictures BEGIN {_FINGERPRINT} {_FEATURES} END",
    "unlink_photo": f"AFTER DELETE ON photos BEGIN {_FEATURES} {_ACCOUNT} END",
    "unlink_changed_photo": "AFTER UPDATE OF pixels, account_id ON photos "
    f"WHEN OLD.pixels <> NEW.pixels OR OLD.account_id <> NEW.account_id BEGIN {_FEATURES} {_ACCOUNT} END",
}


def create_triggers(connection: Connection) -> None:
    """Begin to count, and to note what may be unused."""
    for name, rule in (*_counting(), *_UNLINKING.items()):
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {rule}")


def _counting() -> Iterator[tuple[str, str]]:
    for table, column in TALLIED.items():
        new, old = (f"{row}.{column}" if column else "''" for row in ("NEW", "OLD"))
        added = f"INSERT INTO tallies VALUES ('{table}', {new}, 1) ON CONFLICT DO UPDATE SET number = number + 1;"  # noqa: S608
        removed = f"UPDATE tallies SET number = number - 1 WHERE kind = '{table}' AND part = {old};"  # noqa: S608
        yield f"tally_added_{table}", f"AFTER INSERT ON {table} BEGIN {added} END"
        yield f"tally_removed_{table}", f"AFTER DELETE ON {table} BEGIN {removed} END"
    for table in IN_ENGINES:
        gone = f"INSERT OR IGNORE INTO swept VALUES ('{table}', OLD.id, OLD.{TALLIED[table]});"  # noqa: S608
        yield f"swept_{table}", f"AFTER DELETE ON {table} BEGIN {gone} END"


def count_all(connection: Connection) -> None:
    """Count the rows of a catalog that was not counted so far, and look through it for rows that may be unused."""
    for table, column in TALLIED.items():
        part, grouped = (column, f"GROUP BY {column}") if column else ("''", "")
        connection.execute(
            text(f"INSERT INTO tallies SELECT '{table}', {part}, count(*) FROM {table} {grouped}")  # noqa: S608 -- ours
        )
    for kind, used in (
        ("fingerprints", "SELECT fingerprint_id FROM photo_fingerprints"),
        ("features", "SELECT features.id FROM features JOIN photos USING (pixels)"),
        ("accounts", "SELECT account_id FROM photos"),
    ):
        connection.execute(
            text(f"INSERT INTO unlinked SELECT '{kind}', id FROM {kind} WHERE id NOT IN ({used})")  # noqa: S608 -- ours
        )


def tally(connection: Connection, kind: str, part: str | None = None) -> int:
    """How many rows the table ``kind`` has, or of its ``part``: a hasher of fingerprints, a codebook of features."""
    table = schema.tallies.c
    query = select(func.sum(table.number)).where(table.kind == kind)
    return connection.scalar(query if part is None else query.where(table.part == part)) or 0


def swept_rows(connection: Connection, kind: str, part: str, through: int) -> list[int]:
    """Row ids up to ``through`` that the table ``kind`` had under ``part`` and has lost; engine files may hold them."""
    table = schema.swept.c
    query = select(table.row).where(table.kind == kind, table.part == part, table.row <= through)
    return list(connection.scalars(query.order_by(table.row)))


def forget_swept(connection: Connection, kind: str, through: int) -> None:
    """No engine file holds lost rows of this kind up to ``through`` any more."""
    table = schema.swept
    connection.execute(delete(table).where(table.c.kind == kind, table.c.row <= through))
