"""Looking through all rows for values that cannot be ours; whoever reads them otherwise gets a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.checked import TEXT, Bytes, Checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Table

    from imgmatch.catalog.session import Session

_AT_ONCE = 1000
_LONGEST = 40
"""Characters of a key that are shown."""


def damaged_values(session: Session) -> Iterator[str]:
    """Each value that is not what its column holds: table, row and column."""
    for table in schema.metadata.sorted_tables:
        if not _is_sound(session, table):
            yield from _damaged(session, table)


def _is_sound(session: Session, table: Table) -> bool:
    """Whether nothing in a table is damaged: many rows at once are looked at in a third of the time."""
    kinds = [(place, column.type) for place, column in enumerate(table.columns) if isinstance(column.type, Checked)]
    unreadable = damage.count(TEXT)
    found = session.sql.exec_driver_sql(_every_row(table))
    while rows := found.fetchmany(_AT_ONCE):
        columns = list(zip(*rows, strict=True))
        if any(True in map(kind.is_damaged, columns[place]) for place, kind in kinds):
            return False
    return damage.count(TEXT) == unreadable


def _damaged(session: Session, table: Table) -> Iterator[str]:
    """The same row by row, which tells where text is that cannot be read."""
    kinds = [(place, column.name, column.type) for place, column in enumerate(table.columns)]
    unreadable = damage.count(TEXT)
    for row in _rows(session, table):
        if damage.count(TEXT) > unreadable:  # SQLite was asked for text and gave other bytes
            unreadable = damage.count(TEXT)
            yield f"{table.name} {_key(table, row)}: text that is not UTF-8"
        for place, name, kind in kinds:
            if isinstance(kind, Checked) and kind.is_damaged(row[place]):
                yield f"{table.name} {_key(table, row)}: {name}"


def feature_blobs(session: Session) -> Iterator[tuple[int, str, bytes, bytes | None]]:
    """Of all pictures the row id, codebook, record and thumbnail, but for those that are no bytes at all."""
    places = [schema.features.columns.keys().index(name) for name in ("id", "codebook", "record", "thumbnail")]
    for row in _rows(session, schema.features):
        one, codebook, record, thumbnail = (row[place] for place in places)
        if isinstance(record, bytes) and isinstance(thumbnail, bytes | None) and isinstance(codebook, str):
            yield one, codebook, record, thumbnail


def _rows(session: Session, table: Table) -> Iterator[Any]:
    """All rows of a table as the database gives them; of what is too long only that it is."""
    found = session.sql.exec_driver_sql(_every_row(table))
    while (row := found.fetchone()) is not None:
        yield row


def _every_row(table: Table) -> str:
    columns = ", ".join(map(_selected, table.columns))
    return f'SELECT {columns} FROM "{table.name}"'  # noqa: S608 -- names of ours


def _selected(column: Column[Any]) -> str:
    kind, name = column.type, f'"{column.name}"'
    return f"CASE WHEN length({name}) > {kind.longest} THEN 0 ELSE {name} END" if isinstance(kind, Bytes) else name


def _key(table: Table, row: Any) -> str:  # noqa: ANN401 -- a row has no type of its own
    places = [place for place, column in enumerate(table.columns) if column.primary_key]
    return " ".join(repr(row[place])[:_LONGEST] for place in places)
