"""The files of a catalog in SQLite, looked at before SQLite opens, follows or changes any of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from imgmatch import own_files
from imgmatch.errors import IndexDamagedError, IndexReadOnlyError, NotAnIndexError

FILE = "catalog.sqlite3"
_LOG = f"{FILE}-wal"
OWN_FILES = (FILE, f"{FILE}-journal", _LOG, f"{FILE}-shm")
"""What it may keep in the folder of an index."""

OF_ANOTHER = "its catalog.sqlite3 is a database of another program"

_MAGIC = b"SQLite format 3\0"
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_MARK = "versions"
"""The table that every catalog has, and by which it is known."""

_TRIES, _PAUSE = 5, 0.05
"""Who compacts a catalog may be moving the pages that are looked at: it takes a few milliseconds."""

_LARGEST_COPY = 64 << 20
"""Bytes of a database without tables and of its log, which may hold them all: ours has less before its first rows."""


def refuse_links(folder: Path) -> None:
    """Refuse a catalog any file of which is a link, or no plain file.

    Raises:
        NotAnIndexError: one of them is.
        IndexReadOnlyError: we are not allowed to look.
    """
    for name in OWN_FILES:
        try:
            strange = own_files.what_is_strange(folder / name)
        except OSError as error:
            raise IndexReadOnlyError(f"{folder / name} cannot be read ({error.strerror or error})") from None
        if strange is not None:
            raise NotAnIndexError(f"{folder / name} {strange}")


def refuse_another(folder: Path) -> None:
    """Refuse what another program has made, before a byte of it is changed.

    The file alone is looked at, without a lock and without its log; where it has no tables yet, its log is looked at,
    too, in a copy of both.

    Raises:
        NotAnIndexError: it is a database, or the log of one, of another program.
        IndexDamagedError: it is no database.
    """
    refuse_links(folder)
    path = folder / FILE
    for left in reversed(range(_TRIES)):
        try:
            tables = _tables_of(path)
            break
        except sqlite3.Error as error:
            if not left:
                where = f"index {folder}: the catalog is damaged or of another program"
                raise IndexDamagedError(f"{where} ({str(error).lower()})") from None
        time.sleep(_PAUSE)
    if not tables and _size(folder / _LOG):
        tables = _tables_with_log(folder)
    if tables and _MARK not in tables:
        raise NotAnIndexError(OF_ANOTHER)


def make(folder: Path) -> None:
    """Make the file, empty, with the mode that the files of this folder have, unless it is there."""
    with contextlib.suppress(OSError):  # SQLite says better what is wrong
        os.close(own_files.create(folder / FILE, own_files.file_mode(shared=own_files.is_shared(folder))))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _tables_of(path: Path) -> set[str]:
    """The tables and views in the file; none where it is empty or not there, or may not be read."""
    try:
        with own_files.open_to_read(path) as file:
            magic = file.read(len(_MAGIC))
    except OSError:
        return set()
    if not magic:
        return set()
    if magic != _MAGIC:
        raise sqlite3.DatabaseError("file is not a database")
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        return {name for (name,) in connection.execute(_TABLES)}


def _tables_with_log(folder: Path) -> set[str]:
    """The same with what is in the log; nothing where that cannot be told."""
    if _size(folder / FILE) + _size(folder / _LOG) > _LARGEST_COPY:
        raise NotAnIndexError(f"{folder / _LOG} is the log of another program")
    with tempfile.TemporaryDirectory(prefix="imgmatch-") as aside:
        for name in (FILE, _LOG):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(folder / name, Path(aside) / name)
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(Path(aside) / FILE)) as connection:
            return {name for (name,) in connection.execute(_TABLES)}
    return set()
