"""Rows of a Parquet manifest, in the process that reads it. Needs pyarrow.

Text stays in the dictionaries of the file until the length of a value is known: a value that stands there once may
belong to every row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imgmatch.errors import SourceError
from imgmatch.sources.lines import MAX_LINE_BYTES
from imgmatch.sources.lines_parquet import MEMORY_BYTES
from imgmatch.sources.manifest import MAX_ATTRIBUTE_CHARS
from imgmatch.sources.rows import KNOWN, check_columns, column_name
from imgmatch.sources.unpacking import FREE_BYTES, MOST_TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE_BYTES = 4 * MAX_ATTRIBUTE_CHARS
"""A value may be this long, in UTF-8."""

FREE_ROWS = 50_000
"""So many rows may be in any file; of more, each must bring a byte of the file."""

_BATCHES = (16_384, 256, 1)
"""Rows decoded at once; fewer where they do not fit into the memory."""

_PART = 1024
_BUFFER_BYTES = 1 << 16
_CELL_BYTES = 8
"""What an empty value counts as."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_PER_DAY = 86_400

Sent = tuple[list[Any], int]
"""A row as it is sent, and about how many bytes it has: the fields of :class:`~imgmatch.sources.rows.Row`, or its line
and why it is none."""


class _Bad(NamedTuple):
    """In place of a value: what is wrong with it."""

    why: str


_Value = str | None | _Bad


class _Tally:
    """What the rows of one file come to so far."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._bytes = 0
        self.rows = 0

    def add(self, held: int) -> None:
        """One more row.

        Raises:
            SourceError: they are more, or longer, than an honest file of this size can hold.
        """
        self.rows += 1
        self._bytes += held
        if self.rows > FREE_ROWS + self._size:
            raise SourceError(f"{self._name}: more than {self.rows - 1:,} rows in {self._size:,} bytes")
        if self._bytes > FREE_BYTES + MOST_TIMES * self._size:
            raise SourceError(f"{self._name}: it unpacks to more than {MOST_TIMES} times its size")


def parquet_rows(stream: BinaryIO, name: str) -> Iterator[Sent]:
    """Every row of the file, in order.

    Raises:
        SourceError: this is no Parquet file, its columns are not those of a manifest, or it takes too much to read.
    """
    tally = _Tally(name, stream.seek(0, 2))
    for batch_rows in _BATCHES:
        try:
            for row, held in _rows(stream, name, tally.rows, batch_rows):
                tally.add(held)
                yield row, held
        except MemoryError:
            continue
        except UnicodeDecodeError as error:
            raise SourceError(f"{name}: the name of a column is not valid UTF-8") from error
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise SourceError(f"{name}: not a Parquet file that can be read: {str(error)[:200]}") from error
        return
    raise SourceError(f"{name}: reading it needs more than {MEMORY_BYTES >> 20} MiB of memory")


def _rows(stream: BinaryIO, name: str, skip: int, batch_rows: int) -> Iterator[Sent]:
    """The rows after the first ``skip`` ones, so many decoded at once.

    Raises:
        MemoryError: they do not fit.
    """
    stream.seek(0)
    head = pq.ParquetFile(stream)
    kinds = _columns(head.schema_arrow, name)
    texts = [column for column, kind in kinds.items() if _is_text(kind)]
    file = pq.ParquetFile(stream, metadata=head.metadata, read_dictionary=texts, buffer_size=_BUFFER_BYTES)
    line = 0
    for batch in file.iter_batches(batch_size=batch_rows, columns=list(kinds), use_threads=False):
        for start in range(0, batch.num_rows, _PART):
            part = batch.slice(start, _PART)
            if line + part.num_rows > skip:
                yield from _rows_of(part, list(map(column_name, kinds)), line, max(skip - line, 0))
            line += part.num_rows


def _columns(schema: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - pyarrow has no types
    """The columns to read, with the types of their values.

    Raises:
        SourceError: a column is missing, comes twice, or holds what it cannot.
    """
    called = check_columns(schema.names, name)
    wanted = {}
    for field, column in zip(schema, called, strict=True):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if column in KNOWN and not _fits(column, kind):
            raise SourceError(f"{name}: the column {field.name} cannot be of type {str(field.type)[:100]}")
        if field.name and _is_written(kind):
            wanted[field.name] = kind
    return wanted


def _fits(column: str, kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    if pa.types.is_null(kind):
        return column not in ("account", "photo")
    if column == "seen_at" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return True
    if column in ("account", "photo_id", "seen_at") and pa.types.is_integer(kind):
        return True
    return _is_text(kind)


def _is_text(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_written(kind: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    """Whether values of this type can be written as text."""
    if _is_text(kind):
        return True
    if pa.types.is_nested(kind) or _is_bytes(kind):
        return False
    try:
        pa.nulls(1, kind).cast(pa.string())
    except pa.ArrowException:
        return False
    return True


def _rows_of(part: Any, columns: list[str], before: int, skip: int) -> Iterator[Sent]:  # noqa: ANN401 - pyarrow has no types
    values = {column: _values(part.column(index), column) for index, column in enumerate(columns)}
    nothing: list[_Value] = [None] * part.num_rows
    known = [values.pop(column, nothing) for column in KNOWN]
    others = list(values)
    for index, fields in enumerate(zip(*known, *values.values(), strict=True)):
        if index < skip:
            continue
        line = before + index + 1
        bad = next((value for value in fields if isinstance(value, _Bad)), None)
        held = sum(map(len, filter(None, fields))) + _CELL_BYTES * len(fields)
        if bad is None and held > MAX_LINE_BYTES:
            bad = _Bad("The row is longer than 1 MiB.")
        if bad is not None:
            yield [line, bad.why], _CELL_BYTES * len(fields)
            continue
        account, photo, person, seen_at, photo_id, *rest = fields
        attributes = {column: value for column, value in zip(others, rest, strict=True) if value}
        yield [line, account or "", photo or "", person or "", seen_at, photo_id or "", attributes], held


def _values(values: Any, column: str) -> list[_Value]:  # noqa: ANN401 - pyarrow has no types
    """The values of one column as text."""
    try:
        if pa.types.is_dictionary(values.type):
            # Only what these rows name is taken out of the dictionary, and each value once.
            codes = values.indices.dictionary_encode()
            found = _plain_values(values.dictionary.take(codes.dictionary), column)
            return [None if code is None else found[code] for code in codes.indices.to_pylist()]
        return _plain_values(values, column)
    except MemoryError:
        raise
    except pa.ArrowException as error:
        return [_Bad(f"A value of {column[:100]} cannot be read: {str(error)[:100]}")] * len(values)


def _plain_values(values: Any, column: str) -> list[_Value]:  # noqa: ANN401 - pyarrow has no types
    kind = values.type
    if column == "seen_at" and pa.types.is_timestamp(kind):
        per_second = _TICKS_PER_SECOND[kind.unit]
        return [_moment(tick, per_second) for tick in values.cast(pa.int64()).to_pylist()]
    if column == "seen_at" and pa.types.is_date(kind):
        days = values.cast(pa.date32()).cast(pa.int32()).to_pylist()
        return [_moment(None if day is None else day * _SECONDS_PER_DAY, 1) for day in days]
    if not _is_text(kind):
        return list(values.cast(pa.string()).to_pylist())
    # As bytes, so that one value that is not UTF-8 does not spoil the others.
    raw = values.cast(pa.large_binary())
    sizes = pc.binary_length(raw)
    short = pc.if_else(pc.less_equal(sizes, VALUE_BYTES), raw, pa.scalar(None, raw.type))
    return [_text(value, size) for value, size in zip(short.to_pylist(), sizes.to_pylist(), strict=True)]


def _text(value: bytes | None, size: int | None) -> _Value:
    if value is None:
        return None if size is None else _Bad(f"A value has {size:,} bytes; the limit is {VALUE_BYTES:,}.")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _Bad("The row is not valid UTF-8 text.")
    return _Bad("The row holds a NUL character.") if "\0" in text else text


def _moment(ticks: int | None, per_second: int) -> _Value:
    if ticks is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=ticks * 10**6 // per_second)).isoformat()
    except OverflowError:
        return _Bad("seen_at is out of range.")
