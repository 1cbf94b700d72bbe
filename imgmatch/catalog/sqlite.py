"""The catalog in one file of SQLite, in the folder of the index.

Readers never wait. Writers take turns: threads of one process in the order they came, processes as they get hold of the
file. Row ids become visible in order, as :mod:`imgmatch.catalog.base` asks, because there is one writer at a time.
"""

from __future__ import annotations

import math
import operator
import os
import random
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError

from imgmatch.catalog import migrations
from imgmatch.catalog.checked import UNDECODABLE
from imgmatch.catalog.leases import TTL, Leases, ensure_held
from imgmatch.catalog.session import Session
from imgmatch.catalog.spellings import teach_spelling
from imgmatch.catalog.sqlite_files import FILE, make, refuse_another, refuse_links
from imgmatch.catalog.structure import refuse_strange
from imgmatch.catalog.turns import Turns
from imgmatch.catalog.waiting import PATIENCE, came_true
from imgmatch.errors import (
    ImgmatchError,
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexReadOnlyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from imgmatch.catalog.leases import Lease

_EMPTYING_MS = 500
"""Writers have to wait while the log is being emptied: it is tried for so long, and again after a pause."""

_FIRST_PAUSE, _SHORTEST_PAUSE, _IMPATIENCE = 0.01, 0.001, 0.8
"""Seconds between two looks whether the file is free, and by what the next pause is shorter. SQLite waits longer and
longer, up to 0.1 s: where many write without a pause, newcomers then overtake those who wait already."""

_PRIMARY_CODE = 0xFF

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 16 << 20,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 50,
}
"""What a value, a row, an expression and triggers that set off triggers may come to: far more than ours do."""

_as_text = operator.methodcaller("decode", "utf-8", UNDECODABLE)

_MOST_FAULTS = 20

_WRITING_KIB = 64 << 10
"""Cache of a writer: a batch of photos touches some 2,000 pages of 4 KiB in a large catalog, each of them often."""


class SqliteCatalog:
    """See :class:`imgmatch.catalog.base.Catalog`."""

    def __init__(self, home: str | os.PathLike[str], *, patience: float = PATIENCE, lease_ttl: float = TTL) -> None:
        """Use the file in the folder ``home``; a write waits up to ``patience`` seconds for its turn."""
        self._path = Path(home) / FILE
        self._patience = patience
        self._turns = Turns()
        self._leases = Leases(self, f"index {home}", lease_ttl)
        self._looked_at = False
        self._opened: tuple[int, int] | None = None
        self._reading = self._engine(_begin_reading)
        self._writing = self._engine(lambda connection: _begin_writing(connection, patience))
        event.listen(self._writing, "connect", _prepare_writing)

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._path.is_file()

    def is_replaced(self) -> bool:
        """See the contract."""
        return self._opened is not None and self._identity() != self._opened

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _engine(self, begin: Callable[[Connection], None]) -> Engine:
        # Any number of threads may read at once. Where nothing can be written, how to open is decided each time anew.
        pool = {"poolclass": QueuePool, "max_overflow": -1} if _writable(self._path) else {"poolclass": NullPool}
        engine = create_engine("sqlite://", creator=self._connect, hide_parameters=True, **pool)
        event.listen(engine, "begin", begin)
        return engine

    def _connect(self) -> sqlite3.Connection:
        """A connection; nothing is opened that is a link, and nothing of another program."""
        if self._looked_at:
            refuse_links(self._path.parent)
        else:
            self.refuse_another()
        if _writable(self._path):
            make(self._path.parent)
        connection = _connect(self._path, self._patience)
        self._opened = self._opened or self._identity()
        return connection

    def refuse_another(self) -> None:
        """See the contract."""
        refuse_another(self._path.parent)
        self._looked_at = True

    @contextmanager
    def read(self) -> Iterator[Session]:
        """See the contract."""
        with self._explained(), self._reading.connect() as connection:
            yield Session(connection)

    @contextmanager
    def write(self, lease: Lease | None = None) -> Iterator[Session]:
        """See the contract."""
        with self._explained(), self._turn(), self._writing.begin() as connection:
            session = Session(connection)
            if lease is not None:
                ensure_held(session, lease)
            yield session

    def lease(self, name: str, *, wait: float = 0.0) -> AbstractContextManager[Lease]:
        """See the contract."""
        return self._leases.hold(name, wait)

    def migrate(self) -> None:
        """See the contract."""
        with self.write() as session:
            changed = migrations.migrate(session)
        if changed:  # its tables then stand in the file, where who opens it looks before starting a process for the log
            with self._explained(), self._writing.connect() as connection:
                connection.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    def version(self) -> int:
        """See the contract."""
        with self.read() as session:
            version = migrations.version_of(session)
            if version == migrations.VERSION:
                refuse_strange(session)
            return version

    def compact(self, *, patience: float = math.inf) -> bool:
        """See the contract."""
        with self._explained(), self._turn():
            pooled = self._writing.raw_connection()  # neither statement runs inside a transaction
            try:
                cursor = pooled.cursor()
                cursor.execute("PRAGMA temp_store=FILE")  # all of the catalog is copied there
                cursor.execute(f"PRAGMA busy_timeout={_milliseconds(self._patience)}")
                cursor.execute("VACUUM")
                cursor.execute(f"PRAGMA busy_timeout={_EMPTYING_MS}")
                emptied = came_true(
                    lambda: not cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0],
                    min(patience, self._patience),
                    _EMPTYING_MS / 1_000,
                )
                cursor.execute("PRAGMA busy_timeout=0")
                cursor.execute("PRAGMA temp_store=MEMORY")
                cursor.close()
            finally:
                pooled.close()
        return emptied

    def faults(self) -> list[str]:
        """See the contract."""
        with self.read() as session:
            found = [row[0] for row in session.sql.exec_driver_sql(f"PRAGMA quick_check({_MOST_FAULTS})")]
            keys = session.sql.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_MOST_FAULTS)
        return [str(said) for said in found if said != "ok"] + [
            f"{table} {row}: leads to no row of {other}" for table, row, other, _ in keys
        ]

    def _contradicts_itself(self) -> bool:
        """Whether an index disagrees with its table, or rows lead nowhere: looked at only where a write has failed."""
        try:
            with self._reading.connect() as connection:
                said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
                return said != "ok" or connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None
        except (DatabaseError, sqlite3.Error):
            return True

    def hear(self, heard: Callable[[], None]) -> None:
        """See the contract: nobody is told, and to look costs next to nothing."""
        del heard

    def close(self) -> None:
        """See the contract."""
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.take(self._patience):
            raise IndexLockedError(f"index {self._path.parent}: another thread writes for too long")
        try:
            yield
        finally:
            self._turns.end()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            if self._contradicts_itself():
                raise IndexDamagedError(f"index {self._path.parent}: its rows contradict each other") from error
            raise  # a bug of ours: it must not be taken for a damaged index
        except ProgrammingError:
            raise  # likewise
        except (DatabaseError, sqlite3.Error) as error:
            raise explain(error, self._path) from error


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection, patience: float) -> None:
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    until, pause = time.monotonic() + patience, _FIRST_PAUSE
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        else:
            return
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 -- so that two do not look in step
        pause = max(_IMPATIENCE * pause, _SHORTEST_PAUSE)


def _milliseconds(seconds: float) -> int:
    return round(1_000 * seconds)


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path.absolute().as_uri() + _uri_options(path),
        uri=True,
        check_same_thread=False,  # the pool hands a connection to one thread at a time
        isolation_level=None,  # transactions begin where we say, not where the driver guesses
    )
    # A commit is on the disk before an engine file is made from it: otherwise a power cut could take the rows back, and
    # their ids would be given to other fingerprints than those the engine file has under them.
    pragmas = ["foreign_keys=ON", f"busy_timeout={_milliseconds(patience)}", "synchronous=FULL", "secure_delete=ON"]
    pragmas += ["trusted_schema=OFF", "cell_size_check=ON"]  # the file may come from a stranger
    connection.text_factory = _as_text
    teach_spelling(connection)
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
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
    connection.execute("PRAGMA busy_timeout=0")  # it waits for its turn itself
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
        return IndexReadOnlyError(f"{where} cannot be written ({said})")
    if "locked" in said or "busy" in said:
        return IndexLockedError(f"{where}: another process is writing ({said})")
    if isinstance(error, OperationalError) and "no such table" not in said:
        return IndexDamagedError(f"{where}: {said}")
    return IndexDamagedError(f"{where}: the catalog is damaged or of another program ({said})")
