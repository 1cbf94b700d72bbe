"""Bringing a catalog to the schema of this version, one numbered step after another.

A new catalog is made from :mod:`imgmatch.catalog.schema` at once. A change of the schema adds a function to ``STEPS``
that turns a catalog of the version before into one of its version; the tests hold both roads to the same tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, inspect, select

from imgmatch.catalog import row_counts as tallies
from imgmatch.catalog import schema
from imgmatch.errors import IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection


def _add_features(connection: Connection) -> None:
    """Version 2: local features, one row a picture, which the next scan fills, and what scores are calibrated by."""
    schema.features.create(connection)
    schema.calibrations.create(connection)
    for index in schema.photos.indexes:
        index.create(connection, checkfirst=True)


def _add_night(connection: Connection) -> None:
    """Version 3: what a night finds and what people decide; ties are found by the next night."""
    for table in (
        schema.ties,
        schema.searches,
        schema.decisions,
        schema.decision_photos,
        schema.bank_pictures,
        schema.reports,
        schema.report_rings,
        schema.report_members,
    ):
        table.create(connection)


def _add_tallies(connection: Connection) -> None:
    """Version 4: rows are counted, and what may be unused or is gone is noted; ties keep outlines."""
    schema.tallies.create(connection)
    schema.unlinked.create(connection)
    schema.swept.create(connection)
    known = {column["name"] for column in inspect(connection).get_columns("ties")}
    for name in ("outline_low", "outline_high"):
        if name not in known:  # the step before makes the table as it is now
            connection.exec_driver_sql(f"ALTER TABLE ties ADD COLUMN {name} JSON")
    tallies.count_all(connection)
    tallies.create_triggers(connection)


STEPS: Mapping[int, Callable[[Connection], None]] = {2: _add_features, 3: _add_night, 4: _add_tallies}
"""Version to the step that leads to it; version 1 is the first schema and has none."""

VERSION = max(STEPS, default=1)


def version_of(connection: Connection) -> int:
    """The schema version of an open catalog, 0 for an empty database.

    Raises:
        NotAnIndexError: the database holds tables of something else.
    """
    tables = inspect(connection).get_table_names()
    if schema.versions.name in tables:
        return connection.scalar(select(func.max(schema.versions.c.version))) or 0
    if tables:
        raise NotAnIndexError("its catalog.sqlite3 is a database of another program")
    return 0


def refuse_newer(version: int) -> None:
    """Raise IndexTooNewError if ``version`` is later than this program knows."""
    if version > VERSION:
        raise IndexTooNewError(f"its catalog has version {version}; this imgmatch knows up to {VERSION}: upgrade it")


def migrate(connection: Connection) -> None:
    """Bring the catalog to ``VERSION`` inside the caller's transaction.

    Raises:
        IndexTooNewError: it is newer already.
    """
    version = version_of(connection)
    refuse_newer(version)
    if version == 0:
        schema.metadata.create_all(connection)
        tallies.create_triggers(connection)
        connection.execute(insert(schema.versions).values(version=VERSION))
        return
    for number in range(version + 1, VERSION + 1):
        STEPS[number](connection)
        connection.execute(insert(schema.versions).values(version=number))
