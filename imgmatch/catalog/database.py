"""Opening the catalog, and transactions whose failures name the index."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError

from imgmatch.catalog import migrations
from imgmatch.errors import (
    ImgmatchError,
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexReadOnlyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PATIENCE_MS = 10_000

_TO_WRITE = "BEGIN IMMEDIATE"
_WRITING_KIB = 64 << 10
"""Cache of a writer: a batch of photos touches some 2,000 pages of 4 KiB in a large catalog, each of them often."""


class Catalog:
    """An open catalog. Reading is safe from several threads and processes; writing is for the holder of the lock."""

    def __init__(self, path: Path, *, patience_ms: int = PATIENCE_MS) -> None:
        """Use the file at ``path``; a write waits up to ``patience_ms`` for another one to end."""
        self._path = path
        self._reading = _engine(path, "BEGIN", patience_ms)
        self._writing = _engine(path, _TO_WRITE, patience_ms)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the catalog throughout."""
        with self._explained(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it or nothing."""
        with self._explained(), self._writing.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date."""
        with self.write() as connection:
            migrations.migrate(connection)

    def version(self) -> int:
        """The schema version; 0 if there are no tables yet."""
        with self.read() as connection:
            return migrations.version_of(connection)

    def compact(self) -> None:
        """Give freed pages back and empty the write-ahead log, so that what was erased is nowhere in the files."""
        with self._explained():
            pooled = self._writing.raw_connection()  # neither statement runs inside a transaction
            try:
                cursor = pooled.cursor()
                cursor.execute("PRAGMA temp_store=FILE")  # all of the catalog is copied there
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.execute("PRAGMA temp_store=MEMORY")
                cursor.close()
            finally:
                pooled.close()

    def close(self) -> None:
        """Close every connection."""
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise  # a bug of ours: it must not be taken for a damaged index
        except (DatabaseError, sqlite3.Error) as error:
            raise explain(error, self._path) from error


def _engine(path: Path, begin: str, patience_ms: int) -> Engine:
    # Any number of threads may read at once. Where nothing can be written, how to open is decided each time anew.
    pool = {"poolclass": QueuePool, "max_overflow": -1} if _writable(path) else {"poolclass": NullPool}
    engine = create_engine("sqlite://", creator=lambda: _connect(path, patience_ms), **pool)

    if begin == _TO_WRITE:
        event.listen(engine, "connect", _prepare_writing)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connect(path: Path, patience_ms: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path.absolute().as_uri() + _uri_options(path),
        uri=True,
        check_same_thread=False,  # the pool hands a connection to one thread at a time
        isolation_level=None,  # transactions begin where we say, not where the driver guesses
    )
    # A commit is on the disk before an engine file is made from it: otherwise a power cut could take the rows back, and
    # their ids would be given to other fingerprints than those the engine file has under them.
    pragmas = ["foreign_keys=ON", f"busy_timeout={patience_ms}", "synchronous=FULL", "secure_delete=ON"]
    if _writable(path):
        pragmas.append("journal_mode=WAL")
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare_writing(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"PRAGMA cache_size=-{_WRITING_KIB}")
    # Each statement that fires triggers notes the pages it changes, to be able to take back itself alone: in a file, if
    # it may, where that costs more than the statement.
    connection.execute("PRAGMA temp_store=MEMORY")


def _writable(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _uri_options(path: Path) -> str:
    if _writable(path):
        return ""
    # Where we cannot write, SQLite cannot make the shared memory file that readers and a writer agree by. A writer with
    # more rights than ours has made one beside its log; without a log, the catalog stands still.
    return "?mode=ro" if path.with_name(path.name + "-wal").exists() else "?immutable=1"


def explain(error: DatabaseError | sqlite3.Error, path: Path) -> ImgmatchError:
    """The imgmatch error for what the database said."""
    said = str(error.orig if isinstance(error, DatabaseError) else error).lower()
    where = f"index {path.parent}"
    if "disk is full" in said or "disk i/o error" in said:
        return IndexFullError(f"{where}: cannot write, the disk is full or failing ({said})")
    if "readonly" in said or "read-only" in said or "unable to open" in said:
        return IndexReadOnlyError(f"{where}: cannot be written ({said})")
    if "locked" in said or "busy" in said:
        return IndexLockedError(f"{where}: another process is writing ({said})")
    if isinstance(error, OperationalError) and "no such table" not in said:
        return IndexDamagedError(f"{where}: {said}")
    return IndexDamagedError(f"{where}: the catalog is damaged or of another program ({said})")
