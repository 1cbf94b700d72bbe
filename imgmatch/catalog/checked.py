"""Types of columns that look at what the database gives: SQLite lets text into a column of numbers.

A value that cannot be one of ours is noted as damage, and a stand-in takes its place that does no harm: a digest that
is equal to nothing, a time after all others, a score that ties nobody. So a damaged row costs what hangs on it and no
more, whoever reads it.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Float, Integer, LargeBinary, String, TypeDecorator, case, func, literal_column

from imgmatch import damage
from imgmatch.catalog.dialects import POSTGRESQL, TooLong

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Dialect, Table
    from sqlalchemy.types import TypeEngine

Look = Callable[[Any], bool]

UNDECODABLE = "imgmatch-damaged-text"
"""The handler of errors for text in the catalog that is not UTF-8."""

TEXT = "text"
"""What damage of text is noted as: in which column it is, the database does not say."""

_ROW_ID = BigInteger().with_variant(Integer, "sqlite")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_DIGITS = 12
_LONGEST_JSON = 16 << 20
_WHAT = "a stand-in takes the place of such values"


def _shown(error: UnicodeError) -> tuple[str | bytes, int]:
    damage.note(TEXT, "what is not UTF-8 is shown as numbers")
    return codecs.backslashreplace_errors(error)


codecs.register_error(UNDECODABLE, _shown)


class Checked(TypeDecorator[Any]):
    """A type whose values are looked at; the tables of :mod:`imgmatch.catalog.schema` are made of such."""

    cache_ok = True
    column = ""
    """Table and column it is of, as :func:`named` sets it."""

    nullable = True

    def __init_subclass__(cls, **keywords: object) -> None:
        """Statements are kept compiled; SQLAlchemy wants each class itself to say that its columns allow that."""
        super().__init_subclass__(**keywords)
        cls.cache_ok = True

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- whatever a database gives
        """Whether a value, not NULL, can be one of ours, as the database gives it."""
        raise NotImplementedError

    def value(self, found: Any) -> Any:  # noqa: ANN401 -- whatever a database gives
        """What is handed out for a value that is one of ours."""
        return found

    def stand_in(self, found: Any) -> Any:  # noqa: ANN401 -- whatever a database gives
        """What is handed out in place of one that is not."""
        raise NotImplementedError

    def is_damaged(self, found: Any) -> bool:  # noqa: ANN401 -- whatever a database gives
        """Whether what the database gives is not one of ours."""
        return not self.nullable if found is None else not self.holds(found)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """In place of the inner type's: what that would trip over is what is looked for here."""
        del dialect, coltype
        holds, value, otherwise = self.holds, self.value, self._otherwise

        def process(found: Any) -> Any:  # noqa: ANN401 -- whatever a database gives
            return value(found) if found is not None and holds(found) else otherwise(found)

        return process

    def looked_at(self, found: Any) -> Any:  # noqa: ANN401 -- whatever a database gives
        """One value as it is handed out."""
        return self.value(found) if found is not None and self.holds(found) else self._otherwise(found)

    def _otherwise(self, found: Any) -> Any:  # noqa: ANN401 -- whatever a database gives
        if found is None and self.nullable:
            return None
        damage.note(self.column, _WHAT)
        return self.stand_in(found)


class Whole(Checked):
    """A whole number between two bounds, inclusive."""

    impl: TypeEngine[int] | type[TypeEngine[int]] = BigInteger

    def __init__(self, low: int = _LEAST, high: int = _MOST, instead: int | None = None) -> None:
        """``instead`` stands in for what is damaged; by default the lowest, or 0 where that is allowed."""
        super().__init__()
        self.low, self.high = low, high
        self.instead = max(low, 0) if instead is None else instead

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- see above
        """A whole number within the bounds."""
        return type(value) is int and self.low <= value <= self.high

    def stand_in(self, found: Any) -> int:  # noqa: ANN401 -- see above
        """The number that was given for it."""
        del found
        return self.instead

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """The same in one step: of whole numbers there are most."""
        del dialect, coltype
        low, high, otherwise = self.low, self.high, self._otherwise

        def process(found: Any) -> Any:  # noqa: ANN401 -- see above
            return found if type(found) is int and low <= found <= high else otherwise(found)

        return process


class Small(Whole):
    """The same, of a few digits."""

    impl = Integer().with_variant(BigInteger(), POSTGRESQL)  # some bounds are beyond its four bytes


class Reference(Whole):
    """The row id of another row, or of what was one."""

    impl = _ROW_ID


class Words(Checked):
    """Text; of ``choices``, where there are any."""

    # By their bytes, as SQLite has it, in whatever language a database sorts.
    impl = String().with_variant(String(collation="C"), POSTGRESQL)

    def __init__(self, choices: Collection[str] | None = None, instead: str | None = None) -> None:
        super().__init__()
        self.choices = None if choices is None else tuple(choices)
        self.instead = instead

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- see above
        """Text, and one of the choices."""
        return type(value) is str and (self.choices is None or value in self.choices)

    def stand_in(self, found: Any) -> str:  # noqa: ANN401 -- see above
        """The same for the same, and different for different values: accounts must not become one."""
        if self.instead is not None:
            return self.instead
        return f"?{hashlib.sha256(repr(found).encode('utf-8', 'replace')).hexdigest()[:_DIGITS]}"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """The same in one step, where any text will do."""
        if self.choices is not None:
            return super().result_processor(dialect, coltype)
        otherwise = self._otherwise

        def process(found: Any) -> Any:  # noqa: ANN401 -- see above
            return found if type(found) is str else otherwise(found)

        return process


class Bytes(Checked):
    """Bytes: so many, or up to so many. More of them are not even read."""

    impl = LargeBinary

    def __init__(self, size: int | None = None, most: int = 0, least: int = 0) -> None:
        super().__init__()
        self.size, self.most, self.least = size, most, least
        self._lengths = (least, most) if size is None else (size, size)

    @property
    def longest(self) -> int:
        """How many bytes there may be."""
        return self._lengths[1]

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- see above
        """Bytes of the right length."""
        low, high = self._lengths
        return type(value) is bytes and low <= len(value) <= high

    def stand_in(self, found: Any) -> bytes | None:  # noqa: ANN401 -- see above
        """Of a digest or a fingerprint one that is equal to no other; of what may be long, nothing."""
        del found
        if self.size is not None:
            return secrets.token_bytes(self.size)
        return None if self.nullable else b""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """The same in one step."""
        del dialect, coltype
        low, high, otherwise = *self._lengths, self._otherwise

        def process(found: Any) -> Any:  # noqa: ANN401 -- see above
            return found if type(found) is bytes and low <= len(found) <= high else otherwise(found)

        return process

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """What is too long is a number instead, which is damage: the length alone is known without reading it."""
        return within(column, self.longest)


def within(column: ColumnElement[Any], most: int) -> ColumnElement[Any]:
    """A column of bytes; what is longer than ``most`` is not read, and damage stands in its place."""
    return case((func.length(column) > literal_column(str(most)), TooLong()), else_=column)


class Number(Checked):
    """A finite number between two bounds, inclusive."""

    impl = Float

    def __init__(self, low: float, high: float, instead: float | None = None) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.instead = instead

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- see above
        """A number within the bounds."""
        return is_number(value) and self.low <= value <= self.high

    def stand_in(self, found: Any) -> float | None:  # noqa: ANN401 -- see above
        """Nothing, where that may be; else the number that was given for it, or the lowest."""
        del found
        if self.nullable:
            return None
        return self.low if self.instead is None else self.instead


class Structure(Checked):
    """JSON of a certain form."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = JSON

    def __init__(self, look: Look, instead: Any = None) -> None:  # noqa: ANN401 -- whatever JSON can hold
        """``look`` tells what is of the form; ``instead`` stands in for what is not."""
        super().__init__()
        self.impl = JSON(none_as_null=True)
        self._look, self._instead = look, instead

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text in every database: a type of its own would change how it is written."""
        return dialect.type_descriptor(String() if dialect.name == POSTGRESQL else self.impl_instance)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        """As SQLAlchemy writes JSON where it is a type."""
        return value if value is None or dialect.name != POSTGRESQL else json.dumps(value)

    def holds(self, value: Any) -> bool:  # noqa: ANN401 -- see above
        """Text that can be read and has the form."""
        return self._read(value) is not None

    def value(self, found: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        """What the text says."""
        return self._read(found)

    def stand_in(self, found: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        """Nothing, where that may be; else what was given for it."""
        del found
        return None if self.nullable else self._instead

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """The same, read once."""
        del dialect, coltype
        read, otherwise = self._read, self._otherwise

        def process(found: Any) -> Any:  # noqa: ANN401 -- see above
            value = None if found is None else read(found)
            return otherwise(found) if value is None else value

        return process

    def _read(self, found: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        value = self._parsed(found)
        return value if value is None else self.formed(value)

    @staticmethod
    def formed(value: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        """What was read, as it is given out."""
        return value

    def _parsed(self, found: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
        if type(found) is not str or len(found) > _LONGEST_JSON:
            return None
        try:
            value = json.loads(found)
        except (ValueError, RecursionError):
            return None
        return value if self._look(value) else None


class Corners(Structure):
    """Corners of a part of a picture, given out as they are compared: as tuples."""

    @staticmethod
    def formed(value: Any) -> Any:  # noqa: ANN401 -- see above
        """Each corner a pair."""
        return tuple((x, y) for x, y in value)


def is_number(value: object) -> bool:
    """Whether this is a finite number."""
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]  # one of the two


def is_texts(value: object) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def is_text_map(value: object) -> bool:
    """An object of texts."""
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def is_counts(value: object) -> bool:
    """An object of whole numbers."""
    return isinstance(value, dict) and all(type(one) is int for one in value.values())


def named(table: Table) -> None:
    """Have the columns of a table say where they are when they meet damage."""
    for column in table.columns:
        if isinstance(column.type, Checked):
            column.type.column = f"{table.name}.{column.name}"
            column.type.nullable = bool(column.nullable)
