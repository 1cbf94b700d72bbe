"""Records as JSON, JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(value: Any) -> str:  # noqa: ANN401 -- whatever JSON takes
    """An indented document, with a line end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_json_line(record: Mapping[str, Any]) -> str:
    """One object on one line."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """A header and a line a row.

    Text that a spreadsheet would run as a formula gets an apostrophe before it: account names come from strangers.
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
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value
