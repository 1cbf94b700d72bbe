"""What the databases say in different words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import NullType

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.compiler import SQLCompiler

POSTGRESQL = "postgresql"


def is_postgresql(connection: Connection) -> bool:
    """Whether the rows are in PostgreSQL; else they are in SQLite."""
    return connection.dialect.name == POSTGRESQL


class TooLong(ColumnElement[Any]):
    """What is given out in place of bytes that are too many to be read: what no column of bytes of ours holds."""

    inherit_cache = True
    type = NullType()  # what it stands in a row with says of which type both are


@compiles(TooLong)
def _number(element: TooLong, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    del element, compiler, keywords
    return "0"


@compiles(TooLong, POSTGRESQL)
def _nothing(element: TooLong, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    del element, compiler, keywords
    return "''::bytea"  # a column of bytes has bytes in every row


def is_bytes(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a column of bytes has bytes: SQLite lets text into it."""
    return true() if is_postgresql(connection) else func.typeof(column) == "blob"


def place_of(connection: Connection, column: ColumnElement[str], sought: str) -> ColumnElement[int]:
    """Where a text stands within a column of texts, the first place being 1; 0 where it does not."""
    return func.strpos(column, sought) if is_postgresql(connection) else func.instr(column, sought)
