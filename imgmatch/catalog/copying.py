"""All rows of a catalog, brought into another one: from SQLite to PostgreSQL, back, or to its like.

Values are handed on as the drivers give them, so that what arrives is what was there, bit for bit. While it is filled a
catalog has no triggers: what these note is copied as well.
"""

# ruff: noqa: S608 -- all names in these statements are ours

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import delete, func, insert, select, text, update

from imgmatch.catalog import schema
from imgmatch.catalog.bulk import copy_in, quoted
from imgmatch.catalog.dialects import is_postgresql
from imgmatch.catalog.migrations import create_triggers, drop_triggers
from imgmatch.catalog.row_counts import last_given
from imgmatch.catalog.tokens import own_token
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Table

    from imgmatch.catalog.session import Session

    Row = tuple[Any, ...]
    Change = Callable[[str, Sequence[str], list[Row]], list[Row]]
    """What becomes of rows of a table, which is named and whose columns are, on their way; their keys stay."""

AT_ONCE = 2_000
"""Rows in one transaction."""

COPYING = "copy"
"""The kind of the token that a catalog has while it is filled: that of the catalog it is filled from."""

_OF_ITS_OWN = {"versions", "tokens", "tombstones", "leases"}
"""Tables that are not copied: they are about engine files, and processes, of the one catalog."""


def tables() -> list[Table]:
    """What is copied, so that each row comes after those that it leads to."""
    return [table for table in schema.metadata.sorted_tables if table.name not in _OF_ITS_OWN]


def begin_copy(session: Session, source: str) -> None:
    """Make an empty catalog ready to be filled, or go on with one that was being filled from the same.

    Args:
        session: of the catalog that is filled; may write.
        source: the token of the other one.

    Raises:
        ImgmatchError: it has rows already, or was being filled from another one.
    """
    if (begun := _filled_from(session)) is not None:
        if begun != source:
            raise ImgmatchError("it holds half a copy of another index: give an empty one")
        return
    for each in tables():
        if session.sql.execute(select(each).limit(1)).first() is not None:
            raise ImgmatchError(f"it has rows already, in {each.name}: give an empty one")
    session.sql.execute(insert(schema.tokens).values(kind=COPYING, token=source))
    drop_triggers(session)


def end_copy(session: Session) -> None:
    """Have it note again what comes and goes, and no more be half a copy."""
    session.sql.execute(delete(schema.tokens).where(schema.tokens.c.kind == COPYING))
    create_triggers(session)


def recount_features(session: Session, codebook: str, new: str) -> None:
    """What was counted as coded by one codebook is coded by another one."""
    table = schema.row_counts
    counted = update(table).where(table.c.kind == "features", table.c.part == codebook)
    session.sql.execute(counted.values(part=new))


def is_half_a_copy(session: Session) -> bool:
    """Whether it is being filled, or was when that was cut off."""
    return _filled_from(session) is not None


def _filled_from(session: Session) -> str | None:
    return session.sql.scalar(select(schema.tokens.c.token).where(schema.tokens.c.kind == COPYING))


def source_token(session: Session) -> str:
    """What half a copy knows this catalog by.

    Raises:
        ImgmatchError: it has lost its token.
    """
    token = own_token(session)
    if token is None:
        raise ImgmatchError("it has lost its token: open it once where it can be written")
    return token


def count_rows(session: Session, table: Table) -> int:
    """How many rows a table has; reads it."""
    return session.sql.scalar(select(func.count()).select_from(table)) or 0


def last_key(session: Session, table: Table) -> Row | None:
    """The key of the last row that a table has, in order of its keys; ``None`` of an empty one."""
    keys = _keys(table)
    last = ", ".join(f"{key} DESC" for key in keys)
    found = session.sql.exec_driver_sql(
        f"SELECT {', '.join(keys)} FROM {quoted(table.name)} ORDER BY {last} LIMIT 1"
    ).first()
    return None if found is None else tuple(found)


def rows_after(
    session: Session, table: Table, key: Row | None = None, change: Change | None = None
) -> Iterator[list[Row]]:
    """All rows of a table behind a key, in order of their keys, so many at once; values as the driver gives them."""
    keys = _keys(table)
    mark = "%s" if is_postgresql(session.sql) else "?"
    places = _key_places(table)
    select_all, ordered = (
        f"SELECT {quoted(*table.columns.keys())} FROM {quoted(table.name)}",
        f"ORDER BY {', '.join(keys)} LIMIT {AT_ONCE}",
    )
    behind = f"({', '.join(keys)}) > ({', '.join(mark for _ in keys)})"
    while True:
        statement = f"{select_all} {ordered}" if key is None else f"{select_all} WHERE {behind} {ordered}"
        found = [tuple(row) for row in session.sql.exec_driver_sql(statement, key or ())]
        if found:
            yield found if change is None else change(table.name, table.columns.keys(), found)
        if len(found) < AT_ONCE:
            return
        key = tuple(found[-1][place] for place in places)


def store_rows(session: Session, table: Table, rows: list[Row]) -> None:
    """Write rows as they were read.

    Raises:
        ImgmatchError: a value is none that this database takes, such as a damaged one.
    """
    if not is_postgresql(session.sql):
        columns = quoted(*table.columns.keys())
        marks = ", ".join("?" for _ in table.columns)
        session.sql.exec_driver_sql(f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks})", rows)
        return
    driver = cast("Any", session.sql.connection.driver_connection)
    try:
        copy_in(session, table, table.columns.keys(), rows)
    except driver.DataError as error:
        said = " ".join(str(error).split())
        raise ImgmatchError(
            f"the table {table.name} has a value that PostgreSQL does not take ({said}); "
            "imgmatch status --verify names what is damaged"
        ) from None


def pass_on_numbers(source: Session, target: Session) -> None:
    """Have the target give no row id that the source has given."""
    for table in tables():
        if "id" not in table.columns or len(table.primary_key.columns) > 1:
            continue
        last = _last_number(source, table)
        if last and is_postgresql(target.sql):
            target.sql.execute(text("SELECT setval(:name, :last)"), {"name": f"{table.name}_id_seq", "last": last})
        elif last and table.dialect_options["sqlite"]["autoincrement"]:
            target.sql.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            target.sql.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
                {"name": table.name, "last": last},
            )


def _last_number(session: Session, table: Table) -> int:
    highest = session.sql.exec_driver_sql(f"SELECT max(id) FROM {quoted(table.name)}").scalar() or 0
    return max(int(highest), last_given(session, table.name))


def first_difference(one: Session, other: Session, table: Table, change: Change | None = None) -> str | None:
    """Where the rows of a table, those of ``one`` changed, are not the same in two catalogs: its key; or ``None``."""
    places = _key_places(table)
    empty: list[Row] = []
    for mine, theirs in zip_longest(rows_after(one, table, change=change), rows_after(other, table), fillvalue=empty):
        if mine != theirs:
            for here, there in zip_longest(mine, theirs):
                if here != there:
                    row = here or there
                    return " ".join(repr(row[place]) for place in places)
    return None


def _keys(table: Table) -> list[str]:
    return [f'"{column.name}"' for column in table.primary_key.columns]


def _key_places(table: Table) -> list[int]:
    """Which columns of a row are its key."""
    return [list(table.columns).index(column) for column in table.primary_key.columns]
