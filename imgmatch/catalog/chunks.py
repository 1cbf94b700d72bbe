"""Long lists in pieces a database takes as parameters."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import BigInteger, column, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import CTE

PARAMETERS = 500
"""Well under the number of parameters every supported database takes in one statement."""

Item = TypeVar("Item")


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
