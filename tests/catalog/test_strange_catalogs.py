"""Catalogs that a stranger has made: refused before a byte is changed, and before anything in them can act."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filled import photo, store
from sqlalchemy import func, select

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.orphans import has_orphans, remove_orphans
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.sqlite_files import FILE, OWN_FILES
from imgmatch.errors import IndexDamagedError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS id FROM r"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a catalog of one photo."""
    with closing(SqliteCatalog(tmp_path)) as catalog:
        catalog.migrate()
        store(catalog, [photo(1)])
    return tmp_path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def of_another(path: Path, mode: str) -> None:
    """A database of another program, in a mode of its own."""
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode={mode}")
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.execute("INSERT INTO recipes VALUES ('soup')")
        other.commit()


@pytest.mark.parametrize("mode", ["DELETE", "WAL", "PERSIST"])
@pytest.mark.parametrize("use", ["version", "migrate", "refuse_another"])
def test_a_database_of_another_program_is_refused_without_changing_a_byte(tmp_path: Path, mode: str, use: str) -> None:
    of_another(tmp_path / FILE, mode)
    before = bytes_of(tmp_path)
    with closing(SqliteCatalog(tmp_path)) as catalog, pytest.raises(NotAnIndexError, match="another program"):
        getattr(catalog, use)()
    assert bytes_of(tmp_path) == before


def test_a_log_of_another_program_is_not_taken_into_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    with closing(sqlite3.connect(tmp_path / "theirs" / "db")) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
        for suffix in ("", "-wal"):
            shutil.copyfile(tmp_path / "theirs" / f"db{suffix}", tmp_path / f"{FILE}{suffix}")
    shutil.rmtree(tmp_path / "theirs")
    before = bytes_of(tmp_path)
    assert len(before[f"{FILE}-wal"]) > 0
    with closing(SqliteCatalog(tmp_path)) as catalog, pytest.raises(NotAnIndexError, match="another program"):
        catalog.migrate()
    assert bytes_of(tmp_path) == before


def test_a_catalog_all_of_which_is_still_in_its_log_is_one(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with closing(SqliteCatalog(tmp_path)) as catalog:
        with catalog.write() as session:
            migrations.migrate(session)
        for name in (FILE, f"{FILE}-wal"):  # as a kill leaves it
            shutil.copyfile(tmp_path / name, tmp_path / "copy" / name)
    assert b"CREATE TABLE" not in (tmp_path / "copy" / FILE).read_bytes()
    with closing(SqliteCatalog(tmp_path / "copy")) as catalog:
        assert catalog.version() == migrations.VERSION


def test_a_catalog_that_was_just_made_has_its_tables_in_the_file_itself(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path)) as catalog:
        catalog.migrate()
        assert b"CREATE TABLE photos" in (tmp_path / FILE).read_bytes()


@pytest.mark.parametrize("name", OWN_FILES)
def test_a_catalog_of_which_a_file_is_a_link_is_refused_and_its_target_left_alone(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    of_another(elsewhere / "victim", "DELETE")
    before = bytes_of(elsewhere)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(elsewhere / "victim")
    with closing(SqliteCatalog(folder)) as catalog:
        for use in (catalog.version, catalog.migrate):
            with pytest.raises(NotAnIndexError, match=f"{name} is a link"):
                use()
    assert bytes_of(elsewhere) == before


def test_a_link_that_is_put_there_while_a_catalog_is_open_is_not_followed(folder: Path, tmp_path: Path) -> None:
    of_another(tmp_path / "victim", "DELETE")
    before = (tmp_path / "victim").read_bytes()
    with closing(SqliteCatalog(folder)) as catalog:
        catalog.version()
        (folder / FILE).rename(folder / "aside")
        (folder / FILE).symlink_to(tmp_path / "victim")
        with pytest.raises(NotAnIndexError, match="is a link"), catalog.write():
            pass
    assert (tmp_path / "victim").read_bytes() == before


def test_a_file_that_is_no_database_is_refused_without_changing_a_byte(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"a letter to a friend" * 400)
    before = bytes_of(tmp_path)
    with closing(SqliteCatalog(tmp_path)) as catalog, pytest.raises(IndexDamagedError):
        catalog.migrate()
    assert bytes_of(tmp_path) == before


# -- what is in it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["ALTER TABLE skipped RENAME TO s2", f"CREATE VIEW skipped AS {ENDLESS}"], "the view 'skipped'"),
        ([f"CREATE VIEW mine AS {ENDLESS}"], "the view 'mine'"),
        (["CREATE TABLE mine (x)"], "the table 'mine'"),
        (["CREATE INDEX mine ON photos (label)"], "the index 'mine'"),
        (["CREATE TRIGGER mine AFTER INSERT ON scans BEGIN DELETE FROM photos; END"], "the trigger 'mine'"),
        (
            [
                "DROP TRIGGER stale_banked",
                "CREATE TRIGGER stale_banked AFTER INSERT ON bank_entries BEGIN DELETE FROM photos; END",
            ],
            "the trigger 'stale_banked'",
        ),
        (["DROP TRIGGER stale_banked"], "no trigger 'stale_banked'"),
        (["DROP TABLE leases"], "no table 'leases'"),
        (["DROP INDEX ix_groups_name", "CREATE UNIQUE INDEX ix_groups_name ON groups (name)"], "'groups'"),
        (["DROP INDEX ix_groups_name", "CREATE INDEX ix_groups_name ON groups (name) WHERE id > 5"], "ix_groups_name"),
        (["ALTER TABLE skipped ADD COLUMN more TEXT NOT NULL DEFAULT 'x'"], "'skipped'"),
        (["ALTER TABLE skipped ADD COLUMN more TEXT"], "'skipped'"),
        (["ALTER TABLE skipped DROP COLUMN detail"], "'skipped'"),
        (["DROP TABLE reports", "CREATE TABLE reports (id INTEGER PRIMARY KEY, made_at BIGINT CHECK (0))"], "reports"),
        (["DROP TABLE reports", "CREATE VIRTUAL TABLE reports USING fts5 (made_at)"], "virtual table 'reports'"),
    ],
    ids=lambda value: value[-1][:60] if isinstance(value, list) else "",
)
def test_what_no_version_of_ours_makes_is_refused_and_named(folder: Path, statements: list[str], named: str) -> None:
    change(folder, *statements)
    with closing(SqliteCatalog(folder)) as catalog, pytest.raises(NotAnIndexError, match=named):
        catalog.version()


@pytest.mark.parametrize("version", ["-5", "0", "NULL", "-9223372036854775808"])
def test_a_version_that_is_none_is_damage(folder: Path, version: str) -> None:
    change(folder, "DELETE FROM versions" if version == "NULL" else f"UPDATE versions SET version = {version}")
    with closing(SqliteCatalog(folder)) as catalog:
        for use in (catalog.version, catalog.migrate):
            with pytest.raises(IndexDamagedError, match="version"):
                use()


def test_an_older_catalog_with_something_strange_in_it_is_not_brought_up_to_date(folder: Path) -> None:
    change(folder, "CREATE TABLE mine (x)", "UPDATE versions SET version = 5")
    before = bytes_of(folder)[FILE]
    with closing(SqliteCatalog(folder)) as catalog, pytest.raises((NotAnIndexError, IndexDamagedError)):
        catalog.migrate()
    assert bytes_of(folder)[FILE] == before


def test_a_catalog_whose_owner_has_counted_its_values_for_sqlite_is_one(folder: Path) -> None:
    change(folder, "ANALYZE")
    with closing(SqliteCatalog(folder)) as catalog:
        assert catalog.version() == migrations.VERSION


@pytest.fixture
def catalog(folder: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(folder)) as opened:
        yield opened


def test_what_is_wrong_beneath_the_rows_is_named(catalog: SqliteCatalog, folder: Path) -> None:
    assert catalog.faults() == []
    change(folder, "UPDATE photos SET account_id = 99")
    assert catalog.faults() == ["photos 1: leads to no row of accounts"]


def test_rows_that_contradict_each_other_are_damage_and_no_mistake_of_ours(
    catalog: SqliteCatalog, folder: Path
) -> None:
    change(folder, "PRAGMA foreign_keys=OFF", "UPDATE photos SET account_id = 99")
    with pytest.raises(IndexDamagedError, match="contradict"), catalog.write() as session:
        session.sql.exec_driver_sql("INSERT INTO versions SELECT version FROM versions")


OTHER = """
import sys
from pathlib import Path
from filled import photo, store
from imgmatch.catalog.sqlite import SqliteCatalog
catalog = SqliteCatalog(Path(sys.argv[1]))
catalog.refuse_another()
store(catalog, [photo(int(sys.argv[2]))])
catalog.close()
"""


@pytest.mark.slow
def test_a_second_look_in_one_process_takes_no_lock_away_from_the_first(folder: Path) -> None:
    """Who closes a file of its own loses its locks on it: another process would take away the log that is in use."""

    def elsewhere(number: int) -> None:
        where = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        subprocess.run([sys.executable, "-c", OTHER, str(folder), str(number)], check=True, env=where)

    with closing(SqliteCatalog(folder)) as first:
        store(first, [photo(2)])
        with closing(SqliteCatalog(folder)) as second:
            second.refuse_another()
            assert second.version() == migrations.VERSION
        elsewhere(3)
        store(first, [photo(4)])
        elsewhere(5)
        with first.read() as session:
            seen = set(session.sql.scalars(select(schema.photos.c.photo_id)))
    assert seen == {"p1", "p2", "p3", "p4", "p5"}


def test_a_catalog_whose_tables_are_in_its_log_alone_is_known_without_a_lock_being_lost(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path)) as first:
        first.migrate()
        with closing(SqliteCatalog(tmp_path)) as second:
            second.refuse_another()
        store(first, [photo(1)])
        with first.read() as session:
            assert session.sql.scalar(select(func.count()).select_from(schema.photos)) == 1


@pytest.mark.parametrize("damage", ["kind = 'nobody'", "row = 'text'", "kind = x'00', row = 1.5"])
def test_damaged_notes_of_orphans_are_not_looked_at_for_ever(folder: Path, damage: str) -> None:
    change(folder, "INSERT INTO orphans (kind, row) VALUES ('accounts', 7)", f"UPDATE orphans SET {damage}")
    with closing(SqliteCatalog(folder)) as catalog, catalog.write() as session:
        for _ in range(3):
            remove_orphans(session)
        assert not has_orphans(session)
