"""The tables of a catalog in PostgreSQL: those of :mod:`imgmatch.catalog.schema`, and what a folder says in its header.

An index in a database has engine files on every machine that opens it, each made from the database alone. So what the
index is made of stands in the database, and each folder of engine files is noted there: what a row's removal means to
its files is kept until these are written without it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, insert, text

from imgmatch.catalog import schema
from imgmatch.catalog.checked import Whole, Words
from imgmatch.catalog.postgresql_triggers import statements, triggers
from imgmatch.catalog.tokens import make_own_token
from imgmatch.errors import IndexDamagedError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgmatch.catalog.session import Session

own = MetaData()

settings = Table(
    "settings",
    own,
    Column("name", Words(), primary_key=True),
    Column("value", String(), nullable=False),  # JSON
)
"""What the index is made of: ``hashers``, ``engine``, ``codebook``."""

places = Table(
    "places",
    own,
    Column("place", Words(), primary_key=True),
    Column("machine", Words(), nullable=False),
    Column("opened_at", Whole(), nullable=False),
    Column("fingerprints", Whole()),
    Column("features", Whole()),
)
"""Folders of engine files, each by its random name, and up to which row its files reach."""

FIRST = 11
"""The first version of the tables that there were in PostgreSQL."""

STEPS: Mapping[int, tuple[str, ...]] = {
    # Triggers, which are made anew after each step, say since then that rows were added which are searched.
    12: ("ALTER TABLE places ADD COLUMN fingerprints BIGINT, ADD COLUMN features BIGINT",),
    # Pairs of negatives are kept of no fingerprints yet: the next run joins all of them once more.
    13: (
        "ALTER TABLE photo_pictures ADD COLUMN panel VARCHAR",
        "ALTER TABLE pair_scores ADD COLUMN negative BIGINT",
        "ALTER TABLE group_photos ADD COLUMN negative BIGINT",
        "UPDATE clusterings SET joined_distance = 0",
    ),
}
"""Version to the statements that lead to it from the one before; SQLite has its own in ``steps``."""

OF_ANOTHER = "its database, or this schema of it, has tables of another program"

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_COLUMNS = (
    "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
    " WHERE table_schema = current_schema()"
)
_TRIGGERS = (
    "SELECT c.relname, t.tgname, p.prosrc, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid"
    " WHERE NOT t.tgisinternal AND n.nspname = current_schema()"
)
_NAMED = 5


def version_of(session: Session) -> int:
    """The version of the tables; 0 where there are none.

    Raises:
        NotAnIndexError: the schema has tables of something else.
        IndexDamagedError: they do not say which version they have.
    """
    tables = tables_of(session)
    if schema.versions.name not in tables:
        if tables:
            raise NotAnIndexError(OF_ANOTHER)
        return 0
    version = session.sql.scalar(text(f"SELECT max(version) FROM {schema.versions.name}"))  # noqa: S608 -- a name of ours
    if type(version) is not int or version < 1:
        raise IndexDamagedError("its catalog does not say which version it has")
    return version


def tables_of(session: Session) -> set[str]:
    """The tables there are."""
    return set(session.sql.scalars(text(TABLES)))


def make(session: Session, version: int) -> None:
    """Make all tables, without triggers, in a schema that has none."""
    for tables in (schema.metadata, own):
        tables.create_all(session.sql, checkfirst=False)
    session.sql.execute(insert(schema.versions).values(version=version))
    make_own_token(session)


def take_steps(session: Session, version: int) -> None:
    """Bring tables of an older version up to date; they have no triggers then."""
    drop_triggers(session)
    for number in range(version + 1, max(STEPS, default=FIRST) + 1):
        for statement in STEPS[number]:
            session.sql.exec_driver_sql(statement)
        session.sql.execute(insert(schema.versions).values(version=number))


def create_triggers(session: Session) -> None:
    """Have the database note of itself what comes and goes."""
    for statement in statements():
        session.sql.exec_driver_sql(statement)


def drop_triggers(session: Session) -> None:
    """Have it note nothing until :func:`create_triggers`."""
    for table, name, *_ in session.sql.execute(text(_TRIGGERS)).all():
        session.sql.exec_driver_sql(f'DROP TRIGGER "{name}" ON "{table}"')


def refuse_strange(session: Session) -> None:
    """Refuse a catalog of this version whose tables or triggers are not those that it makes.

    Raises:
        NotAnIndexError: it names them.
    """
    strange = [*_strange_columns(session), *_strange_triggers(session)]
    if strange:
        more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
        raise NotAnIndexError(f"its catalog is not as imgmatch makes it: {', '.join(strange[:_NAMED])}{more}")


def _strange_columns(session: Session) -> Iterator[str]:
    found: dict[str, set[tuple[str, bool]]] = {}
    for table, column, nullable in session.sql.execute(text(_COLUMNS)):
        found.setdefault(table, set()).add((column, nullable))
    for name, expected in _expected_columns().items():
        if found.get(name) != expected:
            yield f"the columns of the table {name!r}"


def _strange_triggers(session: Session) -> Iterator[str]:
    expected = {(table, name): body for name, table, _, body in triggers()}
    for table, name, body, enabled in session.sql.execute(text(_TRIGGERS)):
        if table in _expected_columns() and (expected.pop((table, name), None) != body or enabled != "O"):
            yield f"the trigger {name!r}"
    yield from (f"no trigger {name!r}" for _, name in expected)


@cache
def _expected_columns() -> dict[str, set[tuple[str, bool]]]:
    every = (*schema.metadata.tables.values(), *own.tables.values())
    return {table.name: {(column.name, bool(column.nullable)) for column in table.columns} for table in every}


def faults(session: Session, most: int) -> list[str]:
    """Rows that lead nowhere, which no table of PostgreSQL should have; so many are named at the most."""
    found: list[str] = []
    for table in schema.metadata.sorted_tables:
        for key in table.foreign_keys:
            other, column = key.column.table.name, key.parent.name
            query = (
                f'SELECT r."{column}" FROM "{table.name}" r WHERE r."{column}" IS NOT NULL'  # noqa: S608 -- names of ours
                f' AND NOT EXISTS (SELECT 1 FROM "{other}" o WHERE o."{key.column.name}" = r."{column}") LIMIT {most}'
            )
            found += [f"{table.name} {row}: leads to no row of {other}" for row in session.sql.scalars(text(query))]
    return found[:most]
