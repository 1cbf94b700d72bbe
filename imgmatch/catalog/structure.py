"""Whether the tables of a catalog are those of this version, and nothing beside them: no view, no trigger of others.

What the database would do of itself is compared to the letter; tables by their columns, keys and what must be unique,
for those of a catalog that was brought up to date are written down differently from new ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import UniqueConstraint

from imgmatch.catalog import schema
from imgmatch.catalog.checked import Bytes, Words
from imgmatch.catalog.row_counts import trigger_rules
from imgmatch.catalog.stale import TRIGGERS
from imgmatch.errors import NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.session import Session

_NAMED = 5
"""So many are named, the others counted."""

_MOST_ENTRIES, _MOST_TEXT = 1_000, 20_000
_ENTRIES = (
    f"SELECT type, name, tbl_name, substr(sql, 1, {_MOST_TEXT}), rootpage FROM sqlite_master LIMIT {_MOST_ENTRIES}"  # noqa: S608
)
_OF_TABLES = "FROM sqlite_master AS m JOIN"
_COLUMNS = f'SELECT m.name, x.name, x."notnull", x.pk > 0, x.hidden {_OF_TABLES} pragma_table_xinfo(m.name) AS x'
_UNIQUE = (
    f"SELECT m.name, l.name, i.name {_OF_TABLES} pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i"
    ' WHERE l."unique"'
)
_KEYS = f'SELECT m.name, k."table", k."from", k.on_delete {_OF_TABLES} pragma_foreign_key_list(m.name) AS k'

_UNUSED = re.compile(r"\b(AS|CHECK|COLLATE|CONFLICT|DEFAULT|GENERATED|STRICT|USING|VIRTUAL|WHERE)\b", re.IGNORECASE)
"""What no table and no index of ours says."""


def refuse_strange(session: Session) -> None:
    """Refuse a catalog of this version that has other tables, indexes, views or triggers than it makes.

    Raises:
        NotAnIndexError: it names them.
    """
    strange = [*_strange_entries(session), *_strange_tables(session)]
    if strange:
        raise NotAnIndexError(f"its catalog is not as imgmatch makes it: {_listed(strange)}")


def refuse_active(session: Session) -> None:
    """Refuse a catalog of any version in which something is no plain table: looking into it may never end.

    Raises:
        NotAnIndexError: it names them.
    """
    entries = session.sql.exec_driver_sql(_ENTRIES).all()
    views = [f"the view {name!r}" for kind, name, *_ in entries if kind == "view"]
    virtual = [f"the virtual table {name!r}" for kind, name, *_, page in entries if kind == "table" and not page]
    if views or virtual or len(entries) == _MOST_ENTRIES:
        raise NotAnIndexError(f"its catalog is not as imgmatch makes it: {_listed(views + virtual or ['its length'])}")


def _listed(strange: list[str]) -> str:
    more = len(strange) - _NAMED
    return ", ".join(strange[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _strange_entries(session: Session) -> Iterator[str]:
    """What is there and should not be, or is not as it should be, or is missing."""
    expected = dict(_expected_entries())
    for kind, name, table, text, _ in session.sql.exec_driver_sql(_ENTRIES):
        if kind in {"table", "index"} and str(name).startswith("sqlite_"):
            continue  # SQLite's own, such as the numbers given out
        known = expected.pop((kind, name), None)
        sound = known[1] == text if known and kind == "trigger" else not _UNUSED.search(text or "")
        if known is None or known[0] != table or not sound:
            yield f"the {kind} {name!r}"
    yield from (f"no {kind} {name!r}" for kind, name in expected)


def _strange_tables(session: Session) -> Iterator[str]:
    """Tables that have other columns than they should, or refuse other rows."""
    found: dict[str, list[set[tuple[object, ...]]]] = defaultdict(lambda: [set(), set(), set()])
    for table, *column in session.sql.exec_driver_sql(f"{_COLUMNS} WHERE m.type = 'table'"):
        found[table][0].add(tuple(column))
    unique: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table, index, column in session.sql.exec_driver_sql(f"{_UNIQUE} AND m.type = 'table'"):
        unique[table, index].append(column)
    for (table, _), columns in unique.items():
        found[table][1].add(tuple(columns))
    for table, *key in session.sql.exec_driver_sql(f"{_KEYS} WHERE m.type = 'table'"):
        found[table][2].add(tuple(key))
    for table, expected in _expected_tables().items():
        if found.get(table) != expected:
            yield f"the columns or keys of the table {table!r}"


@cache
def _expected_entries() -> dict[tuple[str, str], tuple[str, str]]:
    """Kind and name to the table it belongs to and, of a trigger, what it says."""
    expected = {("table", name): (name, "") for name in schema.metadata.tables}
    for table in schema.metadata.tables.values():
        expected |= {("index", str(index.name)): (table.name, "") for index in table.indexes}
    for name, rule in (*trigger_rules(), *TRIGGERS.items()):
        table_name = re.search(r" ON (\w+) ", rule)
        expected["trigger", name] = (table_name[1] if table_name else "", f"CREATE TRIGGER {name} {rule}")
    return expected


@cache
def _expected_tables() -> dict[str, list[set[tuple[object, ...]]]]:
    """Columns, what must be unique, and foreign keys of each table, as SQLite tells of them."""
    expected: dict[str, list[set[tuple[object, ...]]]] = {}
    for table in schema.metadata.tables.values():
        columns: set[tuple[object, ...]] = {(c.name, int(not c.nullable), int(c.primary_key), 0) for c in table.columns}
        unique = {tuple(c.name for c in one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)}
        keys: set[tuple[object, ...]] = {
            (key.column.table.name, key.parent.name, key.ondelete or "NO ACTION")
            for column in table.columns
            for key in column.foreign_keys
        }
        primary = tuple(column.name for column in table.primary_key.columns)
        if len(primary) > 1 or isinstance(table.c[primary[0]].type, Bytes | Words):  # others are the row id itself
            unique.add(primary)
        expected[table.name] = [columns, set(unique), keys]
    return expected
