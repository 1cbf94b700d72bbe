"""Lists in CSV: with columns that are chosen, and as ThreatExchange writes them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import SourceError, UnknownNameError
from imgmatch.exchange import cells
from imgmatch.exchange.entries import WithdrawnRef, bad_entry, check_kind, kept, kept_ref, kept_tags, pdq_bytes
from imgmatch.exchange.lines import quality_of
from imgmatch.model import PDQ, BadEntry, ListedHash
from imgmatch.sources.base import shown
from imgmatch.sources.lines import physical_lines
from imgmatch.sources.lines_csv import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imgmatch.exchange.entries import Listed, ListOptions
    from imgmatch.sources.lines import Line

TYPE = "type"
"""The column that says what kind of hash stands in a line."""

FIELDS = ("pdq", "ref", "withdrawn", "modified", "category", "tags", "note", "uri", "quality", "opinions")
"""The fields of an entry that CSV holds, in the order in which they are written."""

TX_COLUMNS = ("signal_type", "signal_str", "collab", "category", "tags")
"""The header of ThreatExchange's CSV."""

_TX_FIELDS = {TYPE: "signal_type", "pdq": "signal_str", "category": "category", "tags": "tags"}
_DELIMITERS = ",;\t"
_SAID = "sep="


def read_columns(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read CSV, with the columns that the options choose, or with those that are called as the fields are.

    Commas, semicolons or tabs may separate. Tags have blanks, commas or semicolons between them, or are a JSON array.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: choose the columns.

    Raises:
        SourceError: there is no header line with these columns.
        UnknownNameError: a field is chosen that an entry has not got.
    """
    chosen = options.columns
    if chosen is not None and (unknown := [field for field in chosen if field not in (*FIELDS, TYPE)]):
        known = ", ".join((*FIELDS, TYPE))
        raise UnknownNameError(f"an entry has no field {shown(unknown[0])}; it has {known}")
    if chosen is None:
        return _read(stream, {PDQ: PDQ}, {field: field for field in (*FIELDS, TYPE)}, options)
    return _read(stream, {PDQ: PDQ, **chosen}, {}, options)


def read_tx_csv(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read ThreatExchange's CSV; which collaboration a line is from is not kept.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: say of what kind a signal without a type is.

    Raises:
        SourceError: there is no such header line.
    """
    return _read(stream, {PDQ: _TX_FIELDS[PDQ]}, _TX_FIELDS, options, lambda cell: kept_tags(cell.split()))


def header_of(text: str) -> tuple[str, list[str]]:
    """What separates the columns of a header line, and what they are called, in small letters and without blanks."""
    readings = [(delimiter, _split(text, delimiter)) for delimiter in _DELIMITERS]
    return max(readings, key=lambda reading: len(reading[1]))


def _split(text: str, delimiter: str) -> list[str]:
    try:
        columns = next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [_called(column) for column in columns]


def _called(column: str) -> str:
    return column.strip().lower()


def _read(
    stream: BinaryIO,
    needed: Mapping[str, str],
    others: Mapping[str, str],
    options: ListOptions,
    tags_of: Callable[[str], tuple[str, ...]] = cells.tags_of,
) -> Iterator[Listed]:
    """Read with columns that must be there, and with others where they are."""
    lines = physical_lines(stream)
    delimiter, columns = _header(lines)
    missing = [column for column in needed.values() if _called(column) not in columns]
    if missing:
        found = shown(", ".join(filter(None, columns))) or "none"
        raise SourceError(f"its first line has no column {shown(', '.join(missing))}; found: {found}")
    wished = {**others, **needed}
    places = {field: columns.index(_called(name)) for field, name in wished.items() if _called(name) in columns}
    _check_once([columns[place] for place in places.values()], columns)
    row = _Row(places, options, tags_of)
    for number, fields in Records(lines, delimiter, len(columns), set(range(len(columns)))):
        if isinstance(fields, str):
            yield BadEntry(number, fields)
        elif any(fields) and any(map(str.strip, fields)):
            try:
                yield row.entry(fields)
            except ValueError as error:
                yield bad_entry(number, error)


def _header(lines: Iterator[Line]) -> tuple[str, list[str]]:
    nothing: Line = (1, "", None)
    _, text, problem = next(lines, nothing)
    if text.lower().startswith((_SAID, f'"{_SAID}')):  # the line that spreadsheets write to say what separates
        _, text, problem = next(lines, nothing)
    if problem is not None:
        raise SourceError(f"not a text file in UTF-8. {problem}")
    if not text.strip():
        raise SourceError("empty; a list in CSV starts with a line of columns")
    if "\r" in text.rstrip("\r\n"):
        raise SourceError("lines end in CR alone; save the file with LF or CRLF line ends")
    return header_of(text)


def _check_once(used: list[str], columns: list[str]) -> None:
    if twice := [column for column in used if columns.count(column) > 1]:
        raise SourceError(f"a column comes more than once: {shown(twice[0])}")


class _Row:
    """Makes an entry of the fields of a line, which has one empty field more at its end: of what is not there."""

    def __init__(
        self, places: Mapping[str, int], options: ListOptions, tags_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._places = tuple(places.get(field, -1) for field in FIELDS)
        self._type = places.get(TYPE, -1)
        self._tags_of = tags_of
        self._default_type = options.default_type
        # Where there is but the hash most of the work is to find nothing.
        self._is_bare = len(places.keys() - {PDQ, TYPE}) == 0

    def entry(self, fields: list[str]) -> ListedHash | WithdrawnRef:
        """The entry, or, of one that is withdrawn, its id where that is all that there is.

        Raises:
            ValueError: the line is none.
        """
        fields.append("")
        check_kind(fields[self._type].strip() or self._default_type)
        at_pdq, at_ref, at_withdrawn, at_modified, at_category, at_tags, at_note, at_uri, *others = self._places
        value = fields[at_pdq].strip()
        if self._is_bare:
            return ListedHash(pdq_bytes(value))
        at_quality, at_opinions = others
        ref = kept_ref(cells.unguarded(fields[at_ref]))
        is_withdrawn = cells.is_withdrawn(fields[at_withdrawn])
        if ref and is_withdrawn and not value:
            return WithdrawnRef(ref, cells.seconds_of(fields[at_modified]))
        tags, quality = fields[at_tags], fields[at_quality].strip()
        return ListedHash(
            pdq_bytes(value),
            ref=ref,
            withdrawn=is_withdrawn,
            modified=cells.seconds_of(fields[at_modified]),
            category=kept(cells.unguarded(fields[at_category])),
            tags=self._tags_of(cells.unguarded(tags)) if tags else (),
            note=kept(cells.unguarded(fields[at_note])),
            uri=kept(cells.unguarded(fields[at_uri])),
            quality=quality_of(quality) if quality else None,
            opinions=cells.opinions_of(fields[at_opinions]),
        )
