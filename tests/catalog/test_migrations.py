from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import insert, inspect, text

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.database import Catalog
from imgmatch.errors import IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield from opened(tmp_path)


def test_a_new_catalog_has_the_tables_of_the_schema_and_its_version(catalog: Catalog) -> None:
    assert catalog.version() == migrations.VERSION
    with catalog.read() as connection:
        assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA secure_delete")) == 1


def test_migrating_again_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.write() as connection:
        connection.execute(insert(schema.sources).values(key="kept"))
    before = (tmp_path / "catalog.sqlite3").read_bytes()
    catalog.migrate()
    assert (tmp_path / "catalog.sqlite3").read_bytes() == before
    assert catalog.version() == migrations.VERSION


def test_an_empty_file_is_a_catalog_not_yet_made(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").touch()
    with closing(Catalog(tmp_path / "catalog.sqlite3")) as catalog:
        assert catalog.version() == 0
        catalog.migrate()
        assert catalog.version() == migrations.VERSION


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with closing(Catalog(path)) as catalog:
        with pytest.raises(NotAnIndexError):
            catalog.version()
        with pytest.raises(NotAnIndexError):
            catalog.migrate()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_newer_catalog_is_refused_and_left_as_it_is(catalog: Catalog) -> None:
    with catalog.write() as connection:
        connection.execute(insert(schema.versions).values(version=migrations.VERSION + 1))
    with pytest.raises(IndexTooNewError, match="upgrade"):
        migrations.refuse_newer(catalog.version())
    with pytest.raises(IndexTooNewError, match="upgrade"):
        catalog.migrate()
    assert catalog.version() == migrations.VERSION + 1


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert sorted(migrations.STEPS) == list(range(2, migrations.VERSION + 1))
