"""Reports of rings read back: which accounts and photos a file that was written long ago still shows.

A report lies where it was put, outside the index, and whoever can write there may have changed it: what is read here is
anybody's. Nothing of it is run, no pattern is searched for that could take long, and what cannot be read is an error.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from imgmatch.actions.reports import UnreadableReportError
from imgmatch.formats.text import as_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_DATA = '<script type="application/json" id="reported">'
"""Where a page begins to say to a program what it shows; no name can bring this, as ``<`` is escaped in all of them."""

KIND = "rings"

_SCRIPT_END = b"</script>"
_TITLE = " · imgmatch</title>"
_DOCTYPE = "<!doctype html"
_JSON = frozenset({".json", ".jsonl", ".ndjson"})
_FIRST_KEY = '"ring"'
_COLUMNS = frozenset({"ring", "group", "account", "photo_id"})
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Shows:
    """What a report shows.

    Attributes:
        accounts: those of its rings, those that left them, and those listed with common pictures.
        photos: ids of those it shows or names.
        cells: whether these are as cells of a spreadsheet have them, without control characters (``as_cells``).
    """

    accounts: frozenset[str]
    photos: frozenset[str]
    cells: bool = False

    def any_of(self, accounts: frozenset[str], photos: frozenset[str]) -> bool:
        """Whether it shows any of these."""
        some, these = (as_cells(accounts), as_cells(photos)) if self.cells else (accounts, photos)
        return not (self.accounts.isdisjoint(some) and self.photos.isdisjoint(these))


@lru_cache(maxsize=2)
def as_cells(names: frozenset[str]) -> frozenset[str]:
    """Names as a spreadsheet has them: several may be written alike there.

    Those longer than a reader of spreadsheets takes are left out: a report with one of them counts as broken.
    """
    short = (name for name in names if len(name) < csv.field_size_limit())
    lines = csv.reader(as_csv(({"name": name} for name in short), ("name",)))
    next(lines)
    return frozenset(cell for (cell,) in lines)


def reader(head: bytes, suffix: str) -> tuple[Callable[[bytes], Shows | None] | None, bool]:
    """What reads a file that begins like this, if it may be a report, and whether it surely is one.

    See :class:`imgmatch.actions.reports.ReportReader`; what it gives raises ``UnreadableReportError`` for a page of an
    imgmatch that did not write down what it shows, and a ``ValueError``, ``LookupError`` or ``TypeError`` of its own
    for whatever is broken.
    """
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head).lstrip()
    if text[: len(_DOCTYPE)].lower() == _DOCTYPE:
        return (_page, True) if _TITLE in text else (None, False)
    if text and (suffix in _JSON or (text.startswith(("[", "{")) and _FIRST_KEY in text)):
        return _records, _FIRST_KEY in text
    lines = csv.reader([text.partition("\n")[0]])
    return (_rows, True) if set(next(lines, ())) >= _COLUMNS else (None, False)


def _page(content: bytes) -> Shows:
    accounts, photos, at = set[str](), set[str](), content.find(PAGE_DATA.encode())
    if at < 0:
        raise UnreadableReportError(
            "the page does not say: an older imgmatch wrote it, or it is none of rings, or torn"
        )
    while at >= 0:
        start = at + len(PAGE_DATA)
        end = content.index(_SCRIPT_END, start)
        data = json.loads(content[start:end])
        if data["imgmatch"] != KIND:
            raise ValueError("no page of rings")
        accounts |= _texts(data["accounts"])
        photos |= _texts(data["photos"])
        at = content.find(PAGE_DATA.encode(), end)
    return Shows(frozenset(accounts), frozenset(photos))


def _records(content: bytes) -> Shows | None:
    """A list of rings, or one ring after another."""
    accounts, photos = set[str](), set[str]()
    for number, record in enumerate(_values(content.decode("utf-8-sig"))):
        if not _is_ring(record):
            if number == 0:
                return None
            raise UnreadableReportError("not all in it is a ring")
        groups, first = record["groups"], record.get("first_account")
        shown = [photo for group in groups for photo in group["photos"]]
        accounts |= _texts([one["account"] for one in (*record["accounts"], *shown)] + [first] * (first is not None))
        accounts |= _texts(record.get("joined", [])) | _texts(record.get("left", []))
        photos |= _texts([photo["photo_id"] for photo in shown])
        photos |= _texts([group[key] for group in groups for key in ("group", "medoid") if key in group])
    return Shows(frozenset(accounts), frozenset(photos))


def _is_ring(record: object) -> bool:
    return (
        isinstance(record, dict)
        and isinstance(record.get("ring"), str)
        and all(isinstance(record.get(key), list) for key in ("accounts", "groups"))
    )


def _values(text: str) -> Iterator[Any]:
    """The elements of a list, or documents one after another: one at a time, as each may be large."""
    decode = json.JSONDecoder().raw_decode
    at = _after_blank(text, 0)
    listed = text.startswith("[", at)
    at = _after_blank(text, at + listed)
    while at < len(text) if not listed else not text.startswith("]", at):
        value, at = decode(text, at)
        yield value
        at = _after_blank(text, at)
        if listed and text.startswith(",", at):
            at = _after_blank(text, at + 1)
        elif listed and not text.startswith("]", at):
            raise ValueError("the list is not closed")
    if listed and _after_blank(text, at + 1) < len(text):
        raise ValueError("something follows the list")


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _rows(content: bytes) -> Shows:
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    header = next(lines)
    accounts, photos = set[str](), set[str]()
    for line in filter(None, lines):
        row = dict(zip(header, line, strict=True))
        accounts.add(row["account"])
        photos |= {row["photo_id"], row["group"]}
    return Shows(frozenset(accounts - {""}), frozenset(photos - {""}), cells=True)


def _texts(values: list[Any]) -> set[str]:
    """Names as they are; a known picture whose photo is gone has an empty one, which is none."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError("a name is no text")
    return set(values) - {""}
