"""Reports of rings read back: which accounts and photos a file that was written long ago still shows.

A report lies where it was put, outside the index, and whoever can write there may have changed it: what is read here is
anybody's. Nothing of it is run, no pattern is searched for that could take long, and what cannot be read is told.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgmatch.errors import ImgmatchError
from imgmatch.formats.text import as_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

PAGE_DATA = '<script type="application/json" id="reported">'
"""Where a page begins to tell a program what it shows; no name can bring this, as ``<`` is escaped in all of them."""

KIND = "rings"
SUFFIXES = frozenset({".html", ".htm", ".json", ".jsonl", ".ndjson", ".csv"})
MOST_BYTES = 200_000_000

_SCRIPT_END = b"</script>"
_TITLE = " · imgmatch</title>"
_DOCTYPE = "<!doctype html"
_JSON = frozenset({".json", ".jsonl", ".ndjson"})
_FIRST_KEY = '"ring"'
_COLUMNS = frozenset({"ring", "group", "account", "photo_id"})
_HEAD = 1 << 14
_BLANK = re.compile(r"[ \t\r\n]*")
_BROKEN = (ValueError, KeyError, TypeError, RecursionError, MemoryError, csv.Error)


class UnreadableReportError(ImgmatchError):
    """A file is a report, or looks like one, and what it shows cannot be told."""


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


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking through reports came to.

    Attributes:
        read: how many reports were read.
        showing: those that show what was looked for.
        unclear: files and folders that are a report, or may be, and could not be read, and why.
    """

    read: int
    showing: tuple[Path, ...]
    unclear: tuple[tuple[Path, str], ...]


def look_through(paths: Sequence[Path], accounts: Collection[str], photos: Collection[str]) -> Looked:
    """Find the reports that show any of these accounts or photos; no file there makes this fail.

    Args:
        paths: files, and folders with all that is in them; links in them are not followed.
        accounts: ids.
        photos: ids.
    """
    wanted = {False: (accounts, photos), True: (as_cells(accounts), as_cells(photos))}
    showing, unclear, read = [], list[tuple[Path, str]](), 0
    for path in _files(paths, unclear):
        try:
            shows = shown_by(path)
        except UnreadableReportError as error:
            unclear.append((path, str(error)))
            continue
        if shows is not None:
            read += 1
            some, these = wanted[shows.cells]
            if not (shows.accounts.isdisjoint(some) and shows.photos.isdisjoint(these)):
                showing.append(path)
    return Looked(read, tuple(showing), tuple(unclear))


def shown_by(path: Path) -> Shows | None:
    """What a report of rings shows; ``None`` where the file is none, whatever it is called.

    Raises:
        UnreadableReportError: it is one, or by its suffix may be one, and it is broken, too large, not to be opened, or
            a page of an imgmatch that did not write down what it shows.
    """
    named = path.suffix.lower() in SUFFIXES
    known = False
    try:
        with open(path, "rb", opener=_at_once) as file:
            state = os.fstat(file.fileno())
            head = file.read(_HEAD) if stat.S_ISREG(state.st_mode) else b""
            read, known = _reader(head, path.suffix.lower())
            if read is None:
                return None
            if state.st_size > MOST_BYTES:
                raise UnreadableReportError(f"it is larger than {MOST_BYTES // 1_000_000} MB")  # noqa: TRY301
            content = head + file.read(MOST_BYTES)
        return read(content)
    except OSError as error:
        why = error.strerror or str(error)
    except UnreadableReportError as error:
        why = str(error)
    except _BROKEN:
        why = "it is broken, or in no format of imgmatch"
    if named or known:
        raise UnreadableReportError(why)
    return None


def as_cells(names: Collection[str]) -> frozenset[str]:
    """Names as a spreadsheet has them: several may be written alike there.

    Those longer than a reader of spreadsheets takes are left out: a report with one of them counts as broken.
    """
    short = (name for name in names if len(name) < csv.field_size_limit())
    lines = csv.reader(as_csv(({"name": name} for name in short), ("name",)))
    next(lines)
    return frozenset(cell for (cell,) in lines)


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write into what turns out to be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _reader(head: bytes, suffix: str) -> tuple[Callable[[bytes], Shows | None] | None, bool]:
    """What reads a file that begins like this, if it may be a report, and whether it surely is one."""
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
        told = json.loads(content[start:end])
        if told["imgmatch"] != KIND:
            raise ValueError("no page of rings")
        accounts |= _texts(told["accounts"])
        photos |= _texts(told["photos"])
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


def _files(paths: Sequence[Path], unclear: list[tuple[Path, str]]) -> Iterator[Path]:
    """Every file once; folders that cannot be read, and links to where nobody looks, go to ``unclear``."""
    roots = [path.resolve() for path in paths]
    seen: set[Path] = set()
    for path, root in zip(paths, roots, strict=True):
        for file in _walk(path, roots, unclear) if path.is_dir() else (path,):
            real = root / file.relative_to(path)
            if real not in seen:
                seen.add(real)
                yield file


def _walk(top: Path, roots: Sequence[Path], unclear: list[tuple[Path, str]]) -> Iterator[Path]:
    folders = [top]
    while folders:
        folder = folders.pop()
        below = []
        try:
            with os.scandir(folder) as entries:
                found = sorted(
                    (one.name, one.is_symlink(), one.is_dir(follow_symlinks=False), one.is_file(follow_symlinks=False))
                    for one in entries
                )
        except OSError as error:
            unclear.append((folder, error.strerror or str(error)))
            continue
        for name, link, is_folder, is_file in found:
            path = folder / name
            if link and _leads_out(path, roots):
                unclear.append((path, "it is a link to elsewhere, which is not followed"))
            elif is_folder:
                below.append(path)
            elif is_file:
                yield path
        folders += reversed(below)


def _leads_out(link: Path, roots: Sequence[Path]) -> bool:
    """Whether a link leads to a folder, or to what may be a report, that is looked at nowhere else."""
    try:
        target = link.resolve(strict=True)
        may_be = target.is_dir() or SUFFIXES & {link.suffix.lower(), target.suffix.lower()}
    except (OSError, RuntimeError):  # it leads nowhere, or round and round
        return False
    return bool(may_be) and not any(target.is_relative_to(root) for root in roots)
