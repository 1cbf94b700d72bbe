"""The files of a catalog in SQLite, looked at before SQLite opens, follows or changes any of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from imgmatch import own_files
from imgmatch.errors import IndexDamagedError, IndexReadOnlyError, NotAnIndexError

FILE = "catalog.sqlite3"
_LOG = f"{FILE}-wal"
OWN_FILES = (FILE, f"{FILE}-journal", _LOG, f"{FILE}-shm")
"""What it may keep in the folder of an index."""

OF_ANOTHER = "its catalog.sqlite3 is a database of another program"

_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_MARK = "versions"
"""The table that every catalog has, and by which it is known."""

_LARGEST_COPY = 64 << 20
"""Bytes of a database in which no tables can be seen, and of its log, which may hold them."""


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

    The file alone is looked at, without a lock and without its log; where no tables can be seen in it, its log is
    looked at, too, in a copy of both. Where that does not tell either, SQLite opens it and says what it finds.

    Raises:
        NotAnIndexError: it is a database, or the log of one, of another program.
        IndexDamagedError: it is no database.
    """
    refuse_links(folder)
    path = folder / FILE
    try:
        tables = _tables_of(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise IndexDamagedError(
                f"index {folder}: the catalog is damaged or of another program (no database)"
            ) from None
        tables = set()  # SQLite says better what is wrong
    if not tables and 0 < _size(folder / _LOG) < _LARGEST_COPY - _size(path):
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
    """The tables and views in the file alone; none where that cannot be told: half of them may be in the log.

    SQLite looks, and nobody else: a process that closes a file itself loses all locks that it has on it.

    Raises:
        sqlite3.DatabaseError: it is no database, or cannot be read.
    """
    if not _size(path):
        return set()
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        return {str(name) for (name,) in connection.execute(_TABLES)}


def _tables_with_log(folder: Path) -> set[str]:
    """The same with what is in the log, from a copy of both, which a process of its own makes: see above."""
    done = subprocess.run(  # noqa: S603 -- ourselves
        [sys.executable, "-P", "-m", __name__, str(folder)], capture_output=True, check=False, text=True
    )
    return set() if done.returncode else set(json.loads(done.stdout))


def _copied_tables(folder: Path) -> set[str]:
    with tempfile.TemporaryDirectory(prefix="imgmatch-") as aside:
        for name in (FILE, _LOG):
            with contextlib.suppress(OSError):
                shutil.copyfile(folder / name, Path(aside) / name)
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(Path(aside) / FILE)) as connection:
            return {str(name) for (name,) in connection.execute(_TABLES)}
    return set()


if __name__ == "__main__":
    json.dump(sorted(_copied_tables(Path(sys.argv[1]))), sys.stdout)
