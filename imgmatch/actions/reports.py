"""Reports that lie outside the index: which files there still show an account or a photo.

A report lies where it was put, and whoever can write there may have changed it: what is read here is anybody's. What
cannot be read is said.
"""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imgmatch.errors import ImgmatchError
from imgmatch.model import ReportSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SUFFIXES = frozenset({".html", ".htm", ".json", ".jsonl", ".ndjson", ".csv"})
MOST_BYTES = 200_000_000

_HEAD = 1 << 14
_BROKEN = (ValueError, KeyError, TypeError, RecursionError, MemoryError, csv.Error)


class UnreadableReportError(ImgmatchError):
    """A file is a report, or looks like one, and cannot be read."""


class ShownReport(Protocol):
    """What a report shows."""

    def any_of(self, accounts: frozenset[str], photos: frozenset[str]) -> bool:
        """Whether any of these accounts and photos, by their ids, are among it."""


class ReportReader(Protocol):
    """Knows reports by how they begin."""

    def __call__(self, head: bytes, suffix: str, /) -> tuple[Callable[[bytes], ShownReport | None] | None, bool]:
        """What reads a file that begins like this, if it may be a report, and whether it surely is one.

        Args:
            head: its first bytes.
            suffix: of its name, in small letters.
        """


def search_reports(
    paths: Sequence[Path], accounts: Iterable[str], photos: Iterable[str], reader: ReportReader
) -> ReportSearch:
    """Find the reports that show any of these accounts or photos; no file there makes this fail.

    Args:
        paths: files, and folders with all that is in them; links in them are not followed.
        accounts: ids.
        photos: ids.
        reader: knows the formats, such as :func:`imgmatch.formats.reported.reader`.
    """
    asked = frozenset(accounts), frozenset(photos)
    showing, unclear, read = [], list[tuple[Path, str]](), 0
    for path in _files(paths, unclear):
        try:
            shows = shown_by(path, reader)
        except UnreadableReportError as error:
            unclear.append((path, str(error)))
            continue
        if shows is not None:
            read += 1
            if shows.any_of(*asked):
                showing.append(path)
    return ReportSearch(read, tuple(showing), tuple(unclear))


def shown_by(path: Path, reader: ReportReader) -> ShownReport | None:
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
            read, known = reader(head, path.suffix.lower())
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


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write into what turns out to be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


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
