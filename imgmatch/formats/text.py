"""Records as JSON, JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_FORMULA = tuple(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)

# Names come from strangers: nothing of theirs may steer the terminal or reorder what is read. Surrogates stand for
# bytes of a file name that are not text; they cannot be printed.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """``text`` without control and direction-changing characters, and without what cannot be printed."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def as_json(value: Any) -> str:  # noqa: ANN401 -- whatever JSON takes
    """An indented document, with a line end; what is unsafe in a terminal is escaped, and so comes back as it was."""
    # Indentation is the only unsafe character that stands outside of text.
    return "\n".join(map(_escaped, json.dumps(value, indent=2, ensure_ascii=False).split("\n"))) + "\n"


def as_json_line(record: Mapping[str, Any]) -> str:
    """One object on one line; what is unsafe in a terminal is escaped, and so comes back as it was."""
    return _escaped(json.dumps(record, ensure_ascii=False)) + "\n"


def _escaped(line: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", line)


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """A header and a line a row.

    Text that a spreadsheet would run as a formula gets an apostrophe before it, and loses its control characters:
    account names come from strangers.
    """
    yield _line(columns)
    for row in rows:
        yield _line([_cell(row.get(column)) for column in columns])


def _line(cells: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _cell(value: Any) -> object:  # noqa: ANN401 -- whatever a record holds
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return _escaped(json.dumps(value, ensure_ascii=False))
    if isinstance(value, str):
        return "'" + clean(value) if value.lstrip().startswith(_FORMULA) else clean(value)
    return value
