"""Manifests as comma, semicolon or tab separated text, with a header line (RFC 4180).

A quoted field may run over several lines. Hostile text stands in such fields, so a whole record is skipped together
when its quotes pair up: else a bio could smuggle in lines that look like rows. Only where the quotes do not pair up
(within a field of 128 KiB, the limit of the csv module, and a record of 1 MiB), or pair up to the wrong number of
fields, is the first line given up and reading goes on with the next.

Spreadsheets write more than the standard has: a first line that names the separator, capitals in the header, blanks
round fields. These are no part of a field; but those of a photo may be in the name of a file, and those of an account
are counted.

What was looked through in vain is read again, and could be again for every line: so the bytes read again are counted.
While they are too many, a record may only run over a few lines.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import SourceError
from imgmatch.sources.base import shown
from imgmatch.sources.lines import MAX_LINE_BYTES, TOO_LONG, Line, physical_lines
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import KNOWN, REQUIRED, Row, bad_line, check_columns, column_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place

_DELIMITERS = ",;\t"

_SEPARATOR = re.compile(r'"?sep=([^"\s]|\t)"?\s*', re.IGNORECASE)
"""The first line that Excel writes and reads."""

_NOTHING: Line = (1, "", None)

FREE_AGAIN_BYTES, AGAIN_TIMES = 2 << 20, 4
"""So many bytes may be read again, and beyond them so many times those that were read."""

FEW_LINES = 4
"""A record may run over so many lines where too much was read again."""


def open_csv(place: Place) -> ManifestSource:
    """Open a manifest of separated values.

    Raises:
        PhotoError: it cannot be fetched whole.
        SourceError: it cannot be read, lies outside the root, or is no manifest.
    """
    return ManifestSource(place, read_csv)


def read_csv(stream: BinaryIO, name: str) -> Iterator[Row | Skipped]:
    """Read a manifest of separated values; the header line tells the separator.

    Args:
        stream: open for reading bytes.
        name: file name, for messages.

    Yields:
        a row, or why there is none, for every line that is not blank, nor a row of empty cells.

    Raises:
        SourceError: there is no header line with the columns a manifest needs.
    """
    lines = physical_lines(stream)
    delimiter, columns = _header(lines, name)
    # Every record gets one empty field more, at index -1: the place of the columns that are not there.
    account, photo, person, seen_at, photo_id = (columns.index(known) if known in columns else -1 for known in KNOWN)
    others = [(column, index) for index, column in enumerate(columns) if column and column not in KNOWN]
    for number, fields in Records(lines, delimiter, len(columns), {account, photo}):
        if isinstance(fields, str):
            yield bad_line(name, number, fields)
            continue
        if not fields[account].strip() and not any(map(str.strip, fields)):
            continue
        fields.append("")
        attributes = {column: fields[index] for column, index in others if fields[index]}
        yield Row(number, fields[account], fields[photo], fields[person], fields[seen_at], fields[photo_id], attributes)


def _header(lines: Iterator[Line], name: str) -> tuple[str, list[str]]:
    """The delimiter and the column names.

    Raises:
        SourceError: empty, not text, or not the header of a manifest.
    """
    _, text, problem = next(lines, None) or _NOTHING
    said = _SEPARATOR.fullmatch(text)
    if said is not None:
        _, text, problem = next(lines, None) or _NOTHING
    delimiters = _DELIMITERS if said is None else said[1]
    if delimiters not in _DELIMITERS:
        raise SourceError(f"{shown(name)}: its first line says that {delimiters!r} separates; give , ; or a tab")
    if problem is None and not text.strip():
        needed = " and ".join(REQUIRED)
        raise SourceError(f"{shown(name)}: empty; a manifest starts with a line of columns, among them {needed}")
    if problem is not None:
        raise SourceError(f"{shown(name)}: not a text file in UTF-8. {problem}")
    if "\r" in text.rstrip("\r\n"):
        raise SourceError(f"{shown(name)}: lines end in CR alone; save the file with LF or CRLF line ends")
    readings = [(delimiter, _columns(text, delimiter)) for delimiter in delimiters]
    delimiter, columns = max(readings, key=lambda reading: (set(REQUIRED) <= set(reading[1]), len(reading[1])))
    return delimiter, check_columns(columns, name)


def _columns(text: str, delimiter: str) -> list[str]:
    reader = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        return [column_name(column.strip()) for column in next(reader)]
    except csv.Error:
        return []


class Records:
    """Records of ``width`` fields, each with the line it starts on; or a sentence in place of the fields."""

    def __init__(self, lines: Iterator[Line], delimiter: str, width: int, kept: set[int]) -> None:
        """``kept`` are the fields that keep the blanks round them."""
        self._unread = lines
        self._given_back: deque[Line] = deque()
        self._spare = FREE_AGAIN_BYTES
        self._delimiter = delimiter
        self._width = width
        self._kept = kept
        self._before, self._after = f"{delimiter} ", f" {delimiter}"

    def __iter__(self) -> Iterator[tuple[int, list[str] | str]]:
        for line in iter(self._next_line, None):
            number, text, problem = line
            if '"' in text:
                yield number, self._quoted(line)
            elif problem is not None:
                yield number, problem
            elif not text.isspace():
                yield number, self._plain(text.rstrip("\r\n"))

    def _next_line(self) -> Line | None:
        if self._given_back:
            return self._given_back.popleft()
        line = next(self._unread, None)
        if line is not None:
            self._spare += AGAIN_TIMES * len(line[1])
        return line

    def _plain(self, text: str) -> list[str] | str:
        """Read a record without quotes: what the csv module does, in a third of the time."""
        if "\r" in text:
            return "The line holds a carriage return outside quotes."
        fields = text.split(self._delimiter)
        padded = " " in text and (self._before in text or self._after in text or text[0] == " " or text[-1] == " ")
        return fields if len(fields) == self._width and not padded else self._counted(fields)

    def _counted(self, fields: list[str]) -> list[str] | str:
        if len(fields) == self._width:
            return [field if place in self._kept else field.strip(" ") for place, field in enumerate(fields)]
        return f"The line has {len(fields)} fields, the header has {self._width}."

    def _quoted(self, first: Line) -> list[str] | str:
        """Read a record with quotes in it, over as many lines as its quotes span."""
        taken: list[Line] = []
        try:
            lines = self._from(first, taken)
            fields = next(csv.reader(lines, delimiter=self._delimiter, strict=True, skipinitialspace=True))
        except csv.Error as error:
            self._give_back(taken)
            return f"The quotes of the line do not pair up: {error}"
        counted = self._counted(fields)
        if isinstance(counted, str) and taken:
            self._give_back(taken)
            return f"{counted} A quote that opens here closes on line {taken[-1][0]}."
        return next((problem for _, _, problem in (first, *taken) if problem), counted)

    def _from(self, first: Line, taken: list[Line]) -> Iterator[str]:
        _, text, _ = first
        size = len(text)
        yield text
        for line in iter(self._next_line, None):
            _, text, problem = line
            taken.append(line)
            size += len(text)
            if problem == TOO_LONG or size > MAX_LINE_BYTES or (self._spare < 0 and len(taken) >= FEW_LINES):
                return
            yield text

    def _give_back(self, taken: list[Line]) -> None:
        self._given_back.extendleft(reversed(taken))
        self._spare -= sum(len(text) for _, text, _ in taken)
