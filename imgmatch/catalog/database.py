"""Opening the catalog, and transactions whose failures name the index."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

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

_BUSY_MS = 10_000


class Catalog:
    """An open catalog. Reading is safe from several threads and processes; writing is for the holder of the lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = _engine(path, "BEGIN")
        self._writing = _engine(path, "BEGIN IMMEDIATE")

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
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
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
        except DatabaseError as error:
            raise explain(error, self._path) from error


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(f"sqlite:///file:{quote(str(path))}?{_uri_options(path)}uri=true")

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a driver's connection
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        for pragma in ("foreign_keys=ON", f"busy_timeout={_BUSY_MS}", "synchronous=NORMAL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if os.access(path.parent, os.W_OK):
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _uri_options(path: Path) -> str:
    if os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK)):
        return ""
    # Where nothing can be written SQLite cannot keep its shared memory file, and nobody can change the catalog either,
    # unless a writer left a log behind: then reading needs that log.
    return "mode=ro&" if path.with_name(path.name + "-wal").exists() else "immutable=1&"


def explain(error: DatabaseError, path: Path) -> ImgmatchError:
    """The imgmatch error for what the database said."""
    said = str(error.orig).lower()
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
