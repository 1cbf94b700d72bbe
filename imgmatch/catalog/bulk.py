"""Many rows of one table at once, by the shortest way that the database has.

In PostgreSQL that is ``COPY``: a statement with thousands of parameters takes it several times as long. ``COPY`` gives
no row ids back, so these are drawn before; triggers see its rows as those of one statement.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import insert, text

from imgmatch.catalog.dialects import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Column, Table

    from imgmatch.catalog.session import Session

    Row = Mapping[str, Any]


def insert_rows(session: Session, table: Table, rows: Sequence[Row]) -> None:
    """Add rows, each with the same columns; the others are left empty."""
    if not rows:
        return
    if is_postgresql(session.sql):
        _copy_values(session, table, rows)
    else:
        session.sql.execute(insert(table), cast("Any", rows))


def insert_numbered(session: Session, table: Table, rows: Sequence[Row], key: str) -> dict[Any, int]:
    """Add rows of a table whose key is ``id``; the row id of each under its value in the column ``key``.

    Ids rise with the order of the rows.
    """
    if not rows:
        return {}
    if is_postgresql(session.sql):
        drawn = text("SELECT nextval(:sequence) FROM generate_series(1, :number)")
        ids = session.sql.scalars(drawn, {"sequence": f"{table.name}_id_seq", "number": len(rows)}).all()
        _copy_values(session, table, [{"id": number, **row} for number, row in zip(ids, rows, strict=True)])
        return {row[key]: number for number, row in zip(ids, rows, strict=True)}
    found = session.sql.execute(insert(table).returning(table.c[key], table.c.id), cast("Any", rows))
    return {value: number for value, number in found}  # noqa: C416 -- rows are not pairs


def copy_in(session: Session, table: Table, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows by ``COPY``, values as the driver takes them. For PostgreSQL alone; errors are the driver's own."""
    driver = cast("Any", session.sql.connection.driver_connection)
    statement = f"COPY {quoted(table.name)} ({quoted(*columns)}) FROM STDIN"
    with closing(driver.cursor()) as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def quoted(*names: str) -> str:
    """Names as they stand in a statement."""
    return ", ".join(f'"{name}"' for name in names)


def _copy_values(session: Session, table: Table, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    stored = [_storing(session, table.c[name]) for name in names]
    copied = ([store(row[name]) for name, store in zip(names, stored, strict=True)] for row in rows)
    copy_in(session, table, names, copied)


def _storing(session: Session, column: Column[Any]) -> Callable[[Any], Any]:
    """What makes a value of ours one that the driver takes, as an ``INSERT`` has it made."""
    dialect = session.sql.dialect
    return column.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)
