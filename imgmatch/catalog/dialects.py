"""What the databases say in different words, each as one expression that every one of them understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import GenericFunction
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


class IsBytes(GenericFunction[int]):
    """1 where a column of bytes has bytes: SQLite lets text into it."""

    inherit_cache = True
    name = "imgmatch_is_bytes"
    type = Integer()


@compiles(IsBytes)
def _typeof(element: IsBytes, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    return f"(typeof({compiler.process(element.clauses, **keywords)}) = 'blob')"


@compiles(IsBytes, POSTGRESQL)
def _always(element: IsBytes, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    return f"(CASE WHEN {compiler.process(element.clauses, **keywords)} IS NULL THEN 0 ELSE 1 END)"


class PlaceOf(GenericFunction[int]):
    """Where a text stands within another one, the first place being 1; 0 where it does not."""

    inherit_cache = True
    name = "imgmatch_place_of"
    type = BigInteger()


@compiles(PlaceOf)
def _instr(element: PlaceOf, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    return f"instr({compiler.process(element.clauses, **keywords)})"


@compiles(PlaceOf, POSTGRESQL)
def _strpos(element: PlaceOf, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    return f"strpos({compiler.process(element.clauses, **keywords)})"
