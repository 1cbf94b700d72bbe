"""Manifests as one JSON object per line."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, BinaryIO, Never

from imgmatch.errors import SourceError
from imgmatch.sources.base import shown
from imgmatch.sources.lines import physical_lines
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import KNOWN, REQUIRED, Row, bad_line, column_name, is_storable, meant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place


_IN_CAPITALS = frozenset("".join(letters) for key in KNOWN for letters in product(*zip(key, key.upper(), strict=True)))
_IN_CAPITALS -= set(KNOWN)
"""Every way to write the known keys with capitals: a look at a set is the quickest there is, for each line."""


def open_jsonl(place: Place) -> ManifestSource:
    """Open a manifest of JSON objects.

    Raises:
        PhotoError: it cannot be fetched whole.
        SourceError: it cannot be read, lies outside the root, or is no manifest.
    """
    return ManifestSource(place, read_jsonl)


def read_jsonl(stream: BinaryIO, name: str) -> Iterator[Row | Skipped]:
    """Read a manifest of JSON objects.

    ``account`` and ``photo_id`` may be whole numbers, ``seen_at`` any number, and keys may have capitals. Attributes
    are text: numbers and booleans as JSON writes them, lists and objects as JSON; ``null`` and empty text are left out.

    Args:
        stream: open for reading bytes.
        name: file name, for messages.

    Yields:
        a row, or why there is none, for every line that is not blank.

    Raises:
        SourceError: the file is empty, not text, or a JSON array.
    """
    empty = True
    for line in physical_lines(stream):
        number, text, problem = line
        if problem is None and text.isspace():
            continue
        if empty:
            _check_first(text, problem, name)
            empty = False
        try:
            yield _row(number, text, problem)
        except ValueError as error:
            yield bad_line(name, number, shown(str(error)))
        except RecursionError:
            yield bad_line(name, number, "The line is nested too deep.")
    if empty:
        raise SourceError(f"{shown(name)}: empty; a manifest needs objects with {' and '.join(REQUIRED)}")


def _check_first(text: str, problem: str | None, name: str) -> None:
    start = text.lstrip()[:1]
    if problem is not None and start != "{":
        raise SourceError(f"{shown(name)}: not a text file in UTF-8. {problem}")
    if start == "[":
        raise SourceError(f"{shown(name)}: a JSON array; write one object per line, each with {' and '.join(REQUIRED)}")


def _row(number: int, text: str, problem: str | None) -> Row:
    if problem is not None:
        raise ValueError(problem)
    values = _parsed(text)
    if "\\u" in text:  # an escape may spell NUL or half of a character
        _check_storable(values)
    if not _IN_CAPITALS.isdisjoint(values):
        values = _once([(column_name(key), value) for key, value in values.items()])
    if missing := [key for key in REQUIRED if values.get(key) is None]:
        raise ValueError(f"The line has no {' and no '.join(missing)}{meant(missing, values) or '.'}")
    others = ((key, _attribute(value)) for key, value in values.items() if key not in KNOWN)
    return Row(
        line=number,
        account=_id(values, "account"),
        photo=_text(values, "photo"),
        name=_text(values, "name"),
        seen_at=_moment(values, "seen_at"),
        photo_id=_id(values, "photo_id"),
        attributes={key: text for key, text in others if key and text},
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"The line is not JSON: {error.msg} at column {error.colno}.") from error
    if not isinstance(values, dict):
        raise ValueError("The line is not a JSON object.")  # noqa: TRY004 - all that is wrong with a line is one kind
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("The line gives a key twice.")
    return values


def _no_constant(constant: str) -> Never:
    raise ValueError(f"The line is not JSON: {constant} is no JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text.")  # noqa: TRY004 - as above
    return value


def _id(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    # A number with a fraction is no id: above 2**53 different ones would become one.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be text or a whole number.")
    return value or ""


def _moment(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    # Of a number, its digits: in a float of our century there is room for seconds with a fraction.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if isinstance(value, int) else f"{value:.6f}"
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be text or a number.")
    return value or ""


def _attribute(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _check_storable(values: dict[str, Any]) -> None:
    # Lists and objects become text with json.dumps, so their strings are looked at as that text.
    pieces = (piece for key, value in values.items() for piece in (key, _attribute(value)))
    if not all(map(is_storable, pieces)):
        raise ValueError("The line holds a NUL or half of a surrogate pair.")
