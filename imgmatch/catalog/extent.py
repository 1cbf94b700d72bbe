"""How far the rows reach that are searched, and who holds them: read once for all that one question asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, String, func, literal, select, type_coerce

from imgmatch.catalog import schema
from imgmatch.catalog.dialects import is_postgresql
from imgmatch.catalog.row_counts import SEARCHED
from imgmatch.catalog.shards import ShardRecord, parsed_record, record_query

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

    from imgmatch.catalog.session import Session

_SEARCHED = tuple(schema.metadata.tables[name] for name in SEARCHED)


@dataclass(frozen=True, slots=True)
class SearchExtent:
    """What there is to search, in one state of the catalog.

    Attributes:
        last: for ``fingerprints``, ``features`` and ``bank_entries`` the highest row id in use, 0 where there is none:
            no row will show itself under a lower one.
        bank_entries: how many entries banks have.
        shards: who holds the engines; ``None`` where each machine has its own.
    """

    last: Mapping[str, int]
    bank_entries: int
    shards: ShardRecord | None


def read_extent(session: Session) -> SearchExtent:
    """Read it, in one statement.

    Raises:
        IndexDamagedError: the catalog does not say where its shards are.
    """
    said = record_query().scalar_subquery() if is_postgresql(session.sql) else literal(None)
    row = session.sql.execute(select(*map(_last, _SEARCHED), _entries(), type_coerce(said, String()))).one()
    last = {table.name: int(number or 0) for table, number in zip(_SEARCHED, row, strict=False)}
    return SearchExtent(last, int(row[-2] or 0), parsed_record(row[-1]))


def _last(table: Table) -> ColumnElement[Any]:
    return select(func.max(table.c.id)).scalar_subquery()


def _entries() -> ColumnElement[Any]:
    counted = schema.row_counts.c
    number = func.sum(type_coerce(counted.number, Integer()))
    return select(number).where(counted.kind == schema.bank_entries.name).scalar_subquery()
