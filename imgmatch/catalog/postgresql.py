"""The catalog in a database of PostgreSQL, which any number of machines share.

Readers see one state and never wait (``REPEATABLE READ``). Writers take turns: each holds one advisory lock for the
length of its transaction, which PostgreSQL gives out in the order in which it was asked for. So row ids become visible
in order, as :mod:`imgmatch.catalog.base` asks, two writes never wait for each other's rows, and a write means here what
it means in SQLite. Writes are short: what is computed is computed before.
"""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import Error, OperationalError
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from imgmatch.catalog import migrations, postgresql_schema
from imgmatch.catalog.leases import TTL, Leases, ensure_held
from imgmatch.catalog.notices import Notices
from imgmatch.catalog.postgresql_triggers import CHANNEL
from imgmatch.catalog.session import Session
from imgmatch.catalog.tokens import own_token
from imgmatch.catalog.waiting import PATIENCE, came_true
from imgmatch.errors import (
    ImgmatchError,
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexUnusableError,
)
from imgmatch.homes import without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from psycopg import Connection, Cursor
    from sqlalchemy import Connection as SqlConnection

    from imgmatch.catalog.leases import Lease

_KEPT_CONNECTIONS = 8
"""Of readers and of writers each; more are opened while they are needed."""

_SILENCE_MS = 120_000
"""A transaction whose client says nothing for so long is ended by the server: it may be gone, and others wait."""

_CONNECTING = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}

_TURN = (
    "SET LOCAL lock_timeout = {patience}; SET LOCAL idle_in_transaction_session_timeout = {silence};"
    " SELECT pg_advisory_xact_lock(hashtextextended('imgmatch:' || current_schema(), 0));"
    " SET LOCAL lock_timeout = 0"
)
_SEEING = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " AND datname = current_database() AND age(backend_xmin) > age(%s::xid)"
)
"""Transactions that see a state from before."""

_LOOK_AGAIN = 0.2
"""Seconds between two looks whether these have ended."""

_CURRENT_SCHEMA = "SELECT current_schema()"
_MOST_FAULTS = 20

_ERRORS: dict[str, tuple[type[ImgmatchError], str]] = {
    **dict.fromkeys(("3D000",), (IndexNotFoundError, ": there is no such database")),
    **dict.fromkeys(("28P01",), (IndexUnusableError, ": the password is wrong")),
    **dict.fromkeys(("28000",), (IndexUnusableError, ": the server does not let this user in")),
    **dict.fromkeys(("53100", "53200", "54000"), (IndexFullError, ": the server has no room left ({said})")),
    **dict.fromkeys(("25006", "42501"), (IndexReadOnlyError, " cannot be written ({said})")),
    **dict.fromkeys(
        ("55P03", "57014", "40001", "40P01", "53300"), (IndexLockedError, ": another process is writing ({said})")
    ),
    **dict.fromkeys(("XX001", "XX002", "58030", "42P01", "42703"), (IndexDamagedError, ": {said}")),
}
"""By the codes of appendix A of PostgreSQL's manual."""


class PostgresqlCatalog:
    """See :class:`imgmatch.catalog.base.Catalog`."""

    def __init__(self, home: str | os.PathLike[str], *, patience: float = PATIENCE, lease_ttl: float = TTL) -> None:
        """Use the database that the URL ``home`` names; a write waits up to ``patience`` seconds for its turn.

        Raises:
            IndexUnusableError: it is no URL of a database.
        """
        self._url = parsed(home)
        self.name = without_password(home)
        self._patience = patience
        self._leases = Leases(self, f"index {self.name}", lease_ttl)
        self._token: str | None = None
        self._reading = self._engine(isolation_level="REPEATABLE READ", execution_options={"postgresql_readonly": True})
        self._writing = self._engine(isolation_level="READ COMMITTED")
        event.listen(self._writing, "begin", self._take_turn)

    def _engine(self, **options: object) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=_KEPT_CONNECTIONS,
            max_overflow=-1,
            pool_pre_ping=True,  # a server that was started anew has closed what the pool holds
            hide_parameters=True,
            **options,
        )
        engine.dialect.use_insertmanyvalues_wo_returning = True  # one statement, and one run of triggers, for many rows
        return engine

    def _take_turn(self, connection: SqlConnection) -> None:
        patience = max(round(1_000 * self._patience), 1)
        connection.exec_driver_sql(_TURN.format(patience=patience, silence=_SILENCE_MS))

    def exists(self) -> bool:
        """Whether the database has tables of a catalog."""
        try:
            with self.read() as session:
                return "versions" in postgresql_schema.tables_of(session)
        except IndexNotFoundError:
            return False

    def is_replaced(self) -> bool:
        """See the contract."""
        if self._token is None:
            return False
        try:
            with self.read() as session:
                return own_token(session) != self._token
        except (IndexNotFoundError, IndexDamagedError):
            return True

    def refuse_another(self) -> None:
        """See the contract."""
        with self.read() as session:
            postgresql_schema.version_of(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """See the contract."""
        with self._explained(), self._reading.connect() as connection:
            yield Session(connection)

    @contextmanager
    def write(self, lease: Lease | None = None) -> Iterator[Session]:
        """See the contract."""
        with self._explained(), self._writing.begin() as connection:
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
            if session.sql.scalar(text(_CURRENT_SCHEMA)) is None:
                raise IndexNotFoundError(f"index {self.name}: the schema that the URL names is not there")
            migrations.migrate(session)

    def version(self) -> int:
        """See the contract."""
        with self.read() as session:
            version = migrations.version_of(session)
            if version == migrations.VERSION:
                migrations.refuse_strange(session)
                self._token = self._token or own_token(session)
            return version

    def faults(self) -> list[str]:
        """See the contract."""
        with self.read() as session:
            return postgresql_schema.faults(session, _MOST_FAULTS)

    def compact(self, *, patience: float = math.inf) -> bool:
        """See the contract: rows that were removed are cleared from the tables, if nobody sees them any more.

        The server's log and its backups may have them for longer; ``docs/privacy.md`` says for how long.
        """
        with self._explained(), self._alone() as cursor:
            begun = cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text").fetchone()
            cleared = came_true(lambda: not _seeing(cursor, begun), min(patience, self._patience), _LOOK_AGAIN)
            for (name,) in cursor.execute(postgresql_schema.TABLES).fetchall():
                cursor.execute(SQL("VACUUM {}").format(Identifier(name)))
        return cleared

    @contextmanager
    def _alone(self) -> Iterator[Cursor[Any]]:
        """A cursor outside of transactions, and of turns."""
        pooled = self._reading.raw_connection()
        try:
            connection = cast("Connection[Any]", pooled.driver_connection)
            connection.autocommit = True
            try:
                with connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.autocommit = False
        finally:
            pooled.close()

    def hear(self, heard: Callable[[], None]) -> Notices:
        """See the contract."""
        return Notices(self.name, self._connected, self._say, heard)

    def _connected(self) -> Connection[Any]:
        """A connection that is not of the pool, outside of transactions."""
        _, options = self._reading.dialect.create_connect_args(self._url)
        with self._explained():
            return psycopg.connect(**options, autocommit=True)

    def _say(self, what: str) -> None:
        with self._explained(), self._alone() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, what))

    def close(self) -> None:
        """See the contract."""
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, psycopg.IntegrityError):  # the driver's own: of rows that were copied in
            raise  # a mistake of ours: the server sees to it that no row leads nowhere
        except DBAPIError as error:
            raise explain(error.orig, self.name) from error
        except PoolTimeoutError as error:
            raise IndexLockedError(f"index {self.name}: no connection became free") from error
        except Error as error:
            raise explain(error, self.name) from error


def _seeing(cursor: Cursor[Any], begun: Any) -> int:  # noqa: ANN401 -- a row
    """How many transactions see a state from before."""
    seeing = cursor.execute(_SEEING, begun).fetchone()
    return 0 if seeing is None else int(seeing[0])


def parsed(home: str | os.PathLike[str]) -> URL:
    """The URL as SQLAlchemy takes it, with what imgmatch sets where the URL does not.

    Raises:
        IndexUnusableError: it is none of a database.
    """
    try:
        url = make_url(os.fspath(home)).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise IndexUnusableError(f"index {without_password(home)}: this is no URL of a database") from None
    added = {name: value for name, value in _CONNECTING.items() if name not in url.query}
    return url.update_query_dict(added | ({} if "application_name" in url.query else {"application_name": "imgmatch"}))


def explain(error: BaseException | None, name: str) -> ImgmatchError:
    """The imgmatch error for what the server, or the driver, said."""
    state = getattr(error, "sqlstate", None) or ""
    said = " ".join(str(error).split()) or type(error).__name__
    if not state and "does not exist" in said and "database" in said:  # before there is a connection, no code is told
        state = "3D000"
    kind, form = _ERRORS.get(state, (IndexUnusableError, ": {said}"))
    if state not in _ERRORS and isinstance(error, OperationalError):
        form = ": the server cannot be reached, or went away ({said})"
    return kind(f"index {name}{form.format(said=said)}")
