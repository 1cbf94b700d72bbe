"""Long lists in pieces a database takes as parameters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import BigInteger, bindparam, column, delete, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import CTE, BindParameter, Select, Table

    from imgmatch.catalog.session import Session

PARAMETERS = 500
"""Well under the number of parameters every supported database takes in one statement."""

Item = TypeVar("Item")

Spares = Callable[[str], bool]
"""Tells by its label what stays."""


def wanted() -> BindParameter[Any]:
    """What stands for a chunk in a statement that is made once: the parameter ``wanted``.

    To make a statement takes SQLAlchemy longer than SQLite takes to answer it, and a check asks a dozen.
    """
    return bindparam("wanted", expanding=True)


def chunks(items: Iterable[Item], size: int = PARAMETERS) -> Iterator[list[Item]]:
    """``items`` in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def pairs_table(pairs: Iterable[tuple[int, int]]) -> CTE:
    """Pairs as a table ``wanted`` with columns ``low`` and ``high``, to be joined with.

    SQLite goes through a whole table to find rows by a list of pairs; joined with, it looks each pair up.
    """
    columns = (column("low", BigInteger), column("high", BigInteger))
    return values(*columns, name="wanted").data(list(pairs)).cte("wanted")


def remove_part(
    session: Session, table: Table, wanted: Select[Any], after: int, at_once: int, spares: Spares
) -> list[int]:
    """Remove the first of the rows that a query names, so many at the most of those after a row id.

    Args:
        session: one that may write.
        table: of the rows.
        wanted: selects their ``id`` and their ``label``.
        after: see above.
        at_once: likewise.
        spares: whether a row of such a label stays.

    Returns:
        the row ids of those that were removed, rising.
    """
    query = wanted.where(table.c.id > after).order_by(table.c.id).execution_options(yield_per=at_once)
    with session.sql.execute(query) as found:
        rows = list(islice((row for row, label in found if not spares(label)), at_once))
    for chunk in chunks(rows):
        session.sql.execute(delete(table).where(table.c.id.in_(chunk)))
    return rows


def spares_none(label: str) -> bool:
    """Whether a row of such a label stays: none does."""
    del label
    return False
