"""Bringing a catalog to the schema of this version, one numbered step after another.

A new catalog is made from :mod:`imgmatch.catalog.schema` at once. A change of the schema adds to
:mod:`imgmatch.catalog.steps` what turns a catalog of the version before into one of its version; the tests hold both
roads to the same tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, inspect, select

from imgmatch.catalog import schema
from imgmatch.catalog.row_counts import create_triggers, drop_triggers
from imgmatch.catalog.stale import create_stale_triggers
from imgmatch.catalog.steps import STEPS
from imgmatch.errors import IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session

VERSION = max(STEPS, default=1)


def version_of(session: Session) -> int:
    """The schema version of an open catalog, 0 for an empty database.

    Raises:
        NotAnIndexError: the database holds tables of something else.
    """
    tables = inspect(session.sql).get_table_names()
    if schema.versions.name in tables:
        return session.sql.scalar(select(func.max(schema.versions.c.version))) or 0
    if tables:
        raise NotAnIndexError("its catalog.sqlite3 is a database of another program")
    return 0


def refuse_newer(version: int) -> None:
    """Raise IndexTooNewError if ``version`` is later than this program knows."""
    if version > VERSION:
        raise IndexTooNewError(f"its catalog has version {version}; this imgmatch knows up to {VERSION}: upgrade it")


def migrate(session: Session) -> None:
    """Bring the catalog to ``VERSION`` inside the caller's transaction.

    Raises:
        IndexTooNewError: it is newer already.
    """
    version = version_of(session)
    refuse_newer(version)
    if version == VERSION:
        return
    if version == 0:
        schema.metadata.create_all(session.sql)
        session.sql.execute(insert(schema.versions).values(version=VERSION))
    else:
        drop_triggers(session)
        for number in range(version + 1, VERSION + 1):
            take_step(session, number)
    create_triggers(session)
    create_stale_triggers(session)


def take_step(session: Session, version: int) -> None:
    """Turn a catalog of the version before, without triggers, into one of ``version``."""
    for statement in STEPS[version]:
        session.sql.exec_driver_sql(statement)
    session.sql.execute(insert(schema.versions).values(version=version))
