"""Manifests as Parquet. Needs pyarrow, which is loaded when the first such manifest is opened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from imgmatch.errors import MissingExtraError, SourceError
from imgmatch.sources.base import shown
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import KNOWN, Row, bad_line, check_columns, is_storable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place

_BATCH_ROWS = 2048
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_PER_DAY = 86_400


def open_parquet(place: Place) -> ManifestSource:
    """Open a manifest of Parquet rows.

    Raises:
        PhotoError: it cannot be fetched whole.
        SourceError: it cannot be read, lies outside the root, or is no manifest.
    """
    return ManifestSource(place, read_parquet)


def read_parquet(stream: BinaryIO, name: str) -> Iterator[Row | Skipped]:
    """Read a Parquet manifest, one batch of rows at a time.

    ``account`` and ``photo_id`` are columns of text or whole numbers, ``photo`` and ``name`` of text, ``seen_at`` of
    text, timestamps or dates. Other columns become attributes if they hold text, numbers, booleans or dates; columns
    of bytes, lists and structures are not read.

    Args:
        stream: open for reading bytes.
        name: file name, for messages.

    Yields:
        a row, or why there is none, for every row of the file; rows are counted from 1.

    Raises:
        MissingExtraError: pyarrow is not installed.
        SourceError: this is no Parquet file, or its columns are not those of a manifest.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingExtraError(
            f'{shown(name)}: Parquet manifests need pyarrow: pip install "imgmatch[parquet]"'
        ) from error
    try:
        file = pq.ParquetFile(stream)
        columns = _columns(file.schema_arrow, name, pa.types)
        line = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            texts = {column: _texts(batch.column(column), column, pa) for column in columns}
            for index in range(batch.num_rows):
                line += 1
                yield _row({column: values[index] for column, values in texts.items()}, line, name)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{shown(name)}: not a Parquet file that can be read: {shown(str(error))}") from error


def _columns(schema: Any, name: str, types: Any) -> list[str]:  # noqa: ANN401 - pyarrow has no types
    """The columns to read.

    Raises:
        SourceError: a column is missing, comes twice, or holds what it cannot.
    """
    check_columns(schema.names, name)
    wanted = []
    for field in schema:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if field.name in KNOWN and not _fits(field.name, kind, types):
            raise SourceError(f"{shown(name)}: the column {field.name} cannot be of type {field.type}")
        if field.name and not (types.is_nested(kind) or _is_bytes(kind, types)):
            wanted.append(field.name)
    return wanted


def _fits(column: str, kind: Any, types: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    if types.is_null(kind):
        return column not in ("account", "photo")
    if column == "seen_at" and (types.is_timestamp(kind) or types.is_date(kind)):
        return True
    if column in ("account", "photo_id") and types.is_integer(kind):
        return True
    return _is_text(kind, types)


def _is_text(kind: Any, types: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: Any, types: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def _texts(values: Any, column: str, pa: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """The values of one column as bytes of text, or as seconds since 1970 in whole ticks for ``seen_at``."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if column == "seen_at" and pa.types.is_timestamp(kind):
        return [(tick, _TICKS_PER_SECOND[kind.unit]) for tick in values.cast(pa.int64()).to_pylist()]
    if column == "seen_at" and pa.types.is_date(kind):
        days = values.cast(pa.date32()).cast(pa.int32()).to_pylist()
        return [(day if day is None else day * _SECONDS_PER_DAY, 1) for day in days]
    # As bytes, so that one value that is not UTF-8 does not spoil the whole batch.
    text = values if _is_text(kind, pa.types) else values.cast(pa.string())
    result: list[Any] = text.cast(pa.large_binary()).to_pylist()
    return result


def _row(values: dict[str, Any], line: int, name: str) -> Row | Skipped:
    try:
        texts = {column: _text(value) for column, value in values.items() if isinstance(value, bytes)}
        seen_at = _moment(*values["seen_at"]) if isinstance(values.get("seen_at"), tuple) else texts.get("seen_at")
    except UnicodeDecodeError:
        return bad_line(name, line, "The row is not valid UTF-8 text.")
    except ValueError as error:
        return bad_line(name, line, str(error))
    except OverflowError:
        return bad_line(name, line, "seen_at is out of range.")
    account, photo, person, _, photo_id = (texts.get(known, "") for known in KNOWN)
    attributes = {column: text for column, text in texts.items() if text and column not in KNOWN}
    return Row(line, account, photo, person, seen_at, photo_id, attributes)


def _text(value: bytes) -> str:
    text = value.decode()
    if not is_storable(text):
        raise ValueError("The row holds a NUL character.")
    return text


def _moment(ticks: int | None, per_second: int) -> datetime | None:
    return None if ticks is None else _EPOCH + timedelta(microseconds=ticks * 10**6 // per_second)
