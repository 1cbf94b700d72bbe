"""Bringing a catalog to the schema of this version, one numbered step after another.

A new catalog is made from :mod:`imgmatch.catalog.schema` at once. A change of the schema adds to
:mod:`imgmatch.catalog.steps` what turns a catalog of the version before into one of its version; the tests hold both
roads to the same tables.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import create_mock_engine, insert, inspect

from imgmatch.catalog import postgresql_schema, row_counts, schema, structure
from imgmatch.catalog.dialects import is_postgresql
from imgmatch.catalog.sqlite_files import OF_ANOTHER
from imgmatch.catalog.stale import create_stale_triggers
from imgmatch.catalog.steps import STEPS
from imgmatch.catalog.tokens import make_own_token
from imgmatch.errors import IndexDamagedError, IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from sqlalchemy import DDLElement

    from imgmatch.catalog.session import Session

VERSION = max(STEPS, default=1)


def version_of(session: Session) -> int:
    """The schema version of an open catalog, 0 for an empty database.

    Raises:
        NotAnIndexError: the database holds tables of something else, or something that is no plain table.
        IndexDamagedError: it does not say which version it has.
    """
    if is_postgresql(session.sql):
        return postgresql_schema.version_of(session)
    tables = inspect(session.sql).get_table_names()
    structure.refuse_active(session)
    if schema.versions.name in tables:
        return _said_version(session)
    if tables:
        raise NotAnIndexError(OF_ANOTHER)
    return 0


def _said_version(session: Session) -> int:
    version = session.sql.exec_driver_sql(f"SELECT max(version) FROM {schema.versions.name}").scalar()  # noqa: S608
    if type(version) is not int or version < 1:
        raise IndexDamagedError("its catalog does not say which version it has")
    return version


def refuse_newer(version: int) -> None:
    """Raise IndexTooNewError if ``version`` is later than this program knows."""
    if version > VERSION:
        raise IndexTooNewError(f"its catalog has version {version}; this imgmatch knows up to {VERSION}: upgrade it")


def migrate(session: Session) -> bool:
    """Bring the catalog to ``VERSION`` inside the caller's transaction; tells whether it was anything else.

    Raises:
        IndexTooNewError: it is newer already.
        NotAnIndexError: something is in it that no version has made.
    """
    version = version_of(session)
    refuse_newer(version)
    if version == VERSION:
        return False
    if is_postgresql(session.sql):
        postgresql_schema.make(session, VERSION) if version == 0 else postgresql_schema.take_steps(session, version)
    elif version == 0:
        for statement in _tables():
            session.sql.exec_driver_sql(statement)
        session.sql.execute(insert(schema.versions).values(version=VERSION))
        make_own_token(session)
    else:
        drop_triggers(session)
        for number in range(version + 1, VERSION + 1):
            take_step(session, number)
    create_triggers(session)
    refuse_strange(session)
    return True


def create_triggers(session: Session) -> None:
    """Have the database note of itself what comes and goes."""
    if is_postgresql(session.sql):
        postgresql_schema.create_triggers(session)
    else:
        row_counts.create_triggers(session)
        create_stale_triggers(session)


def drop_triggers(session: Session) -> None:
    """Have it note nothing until :func:`create_triggers`, such as while tables are being changed or filled."""
    (postgresql_schema if is_postgresql(session.sql) else row_counts).drop_triggers(session)


def refuse_strange(session: Session) -> None:
    """Refuse a catalog of this version that is not as it makes it.

    Raises:
        NotAnIndexError: it says what is strange.
    """
    (postgresql_schema if is_postgresql(session.sql) else structure).refuse_strange(session)


@cache
def _tables() -> tuple[str, ...]:
    """What makes all tables and indexes; kept, because writing it down takes several times as long as running it."""
    statements: list[str] = []

    def note(statement: DDLElement, _: object) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("sqlite://", note)
    schema.metadata.create_all(engine, checkfirst=False)
    return tuple(statements)


def take_step(session: Session, version: int) -> None:
    """Turn a catalog of the version before, without triggers, into one of ``version``."""
    for statement in STEPS[version]:
        session.sql.exec_driver_sql(statement)
    session.sql.execute(insert(schema.versions).values(version=version))
