"""Writes lists in the forms that others read.

A form that cannot say that an entry is withdrawn leaves such entries out: whoever reads it would take them for standing
ones. What pdq-photo-hasher prints is not written, as the quality it has to give is not known of a bank's entries, and
NCMEC's XML is an answer of its own service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

from imgmatch.exchange import cells
from imgmatch.exchange.columns import FIELDS, TX_COLUMNS
from imgmatch.exchange.entries import check_form
from imgmatch.exchange.lines import HASH_WORD
from imgmatch.exchange.stopncii import as_record
from imgmatch.model import PDQ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imgmatch.model import ListedHash


_NEEDS_QUOTES = frozenset('",;\t\r\n')


def write_list(entries: Iterable[ListedHash], stream: TextIO, form: str) -> int:
    """Write a list.

    Hashes are written in lower case. What is written reads back equal as far as the form has a place for it: ``csv``
    for every field; ``stopncii`` for the hash, whether it is withdrawn, when it was changed, tags and opinions;
    ``tx-csv`` for category and tags; ``mih`` for the note, and where there is none it says the list's id;
    ``hashes`` and ``tx`` for the hash alone. Blanks in the tags of ``tx-csv`` become ``_``, line ends and blanks at the
    ends of a note in ``mih`` are lost, and control characters but tabs and line ends
    become ``U+FFFD`` everywhere.

    Args:
        entries: written one after the other; they are never all in memory.
        stream: open for writing text, with line ends as they are given.
        form: one of :data:`WRITTEN_FORMS`.

    Returns:
        how many were written.

    Raises:
        UnknownNameError: no such form is written.
    """
    check_form(form, WRITTEN_FORMS)
    return _WRITERS[form](iter(entries), stream)


def _write_hashes(entries: Iterator[ListedHash], stream: TextIO) -> int:
    return _write_lines((entry.pdq.hex() for entry in _standing(entries)), stream)


def _write_tx(entries: Iterator[ListedHash], stream: TextIO) -> int:
    return _write_lines((f"{PDQ} {entry.pdq.hex()}" for entry in _standing(entries)), stream)


def _write_mih(entries: Iterator[ListedHash], stream: TextIO) -> int:
    return _write_lines(map(_mih_line, _standing(entries)), stream)


def _mih_line(entry: ListedHash) -> str:
    said = " ".join(cells.printable(entry.note or entry.ref or "").splitlines()).strip()
    return f"{HASH_WORD}{entry.pdq.hex()},{said}" if said else f"{HASH_WORD}{entry.pdq.hex()}"


def _write_lines(lines: Iterable[str], stream: TextIO) -> int:
    number = 0
    for line in lines:
        stream.write(line + "\n")
        number += 1
    return number


def _write_csv(entries: Iterator[ListedHash], stream: TextIO) -> int:
    return _write_rows(FIELDS, map(_row, entries), stream)


def _write_tx_csv(entries: Iterator[ListedHash], stream: TextIO) -> int:
    return _write_rows(TX_COLUMNS, map(_tx_row, _standing(entries)), stream)


def _row(entry: ListedHash) -> list[str]:
    texts = {
        "pdq": entry.pdq.hex(),
        "ref": entry.ref or "",
        "withdrawn": "true" if entry.withdrawn else "",
        "modified": "" if entry.modified is None else str(entry.modified),
        "category": entry.category or "",
        "tags": cells.tags_cell([cells.printable(tag) for tag in entry.tags]),
        "note": entry.note or "",
        "uri": entry.uri or "",
        "quality": "" if entry.quality is None else str(entry.quality),
        "opinions": cells.opinions_cell(entry.opinions),
    }
    return [texts[field] for field in FIELDS]


def _tx_row(entry: ListedHash) -> list[str]:
    tags = " ".join("_".join(tag.split()) for tag in entry.tags)
    return [PDQ, entry.pdq.hex(), "", entry.category or "", tags]


def _write_rows(header: tuple[str, ...], rows: Iterable[list[str]], stream: TextIO) -> int:
    stream.write(",".join(header) + "\n")
    return _write_lines((",".join(map(_quoted, row)) for row in rows), stream)


def _quoted(text: str) -> str:
    """A cell, in quotes where something of it would else be lost: blanks at its ends, too."""
    cell = cells.guarded(cells.printable(text))
    if _NEEDS_QUOTES.isdisjoint(cell) and cell.strip(" ") == cell:
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _write_stopncii(entries: Iterator[ListedHash], stream: TextIO) -> int:
    number = 0
    stream.write("[")
    for entry in entries:
        stream.write((",\n" if number else "\n") + json.dumps(as_record(entry)))
        number += 1
    stream.write("\n]\n")
    return number


def _standing(entries: Iterable[ListedHash]) -> Iterator[ListedHash]:
    return (entry for entry in entries if not entry.withdrawn)


_WRITERS: dict[str, Callable[[Iterator[ListedHash], TextIO], int]] = {
    "hashes": _write_hashes,
    "tx": _write_tx,
    "tx-csv": _write_tx_csv,
    "csv": _write_csv,
    "stopncii": _write_stopncii,
    "mih": _write_mih,
}

WRITTEN_FORMS = tuple(_WRITERS)
"""The forms in which lists are written."""
