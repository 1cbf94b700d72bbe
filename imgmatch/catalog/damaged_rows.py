"""Looking through all rows for values that cannot be ours; whoever reads them otherwise gets a stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, type_coerce
from sqlalchemy.types import NullType

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.checked import TEXT, Bytes, Checked, within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, ColumnElement, Table

    from imgmatch.catalog.session import Session

_IN_PARTS = {"stream_results": True, "max_row_buffer": 500}

_LONGEST = 40
"""Characters of a key that are shown."""


def damaged_values(session: Session) -> Iterator[str]:
    """Each value that is not what its column holds: table, row and column."""
    for table in schema.metadata.sorted_tables:
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
    with session.sql.execute(select(*map(_selected, table.columns)), execution_options=_IN_PARTS) as found:
        while (row := found.fetchone()) is not None:
            yield row


def _selected(column: Column[Any]) -> ColumnElement[Any]:
    kind = column.type
    return type_coerce(within(column, kind.longest) if isinstance(kind, Bytes) else column, NullType())


def _key(table: Table, row: Any) -> str:  # noqa: ANN401 -- a row has no type of its own
    places = [place for place, column in enumerate(table.columns) if column.primary_key]
    return " ".join(repr(row[place])[:_LONGEST] for place in places)
