from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import delete, insert, inspect, text

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.database import Catalog
from imgmatch.catalog.orphans import sweep
from imgmatch.catalog.row_counts import swept_rows, tally
from imgmatch.errors import IndexTooNewError, NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


VERSION_1 = """
CREATE TABLE versions (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE sources (id INTEGER NOT NULL, "key" VARCHAR NOT NULL, PRIMARY KEY (id), UNIQUE ("key"));
CREATE TABLE accounts (
  id INTEGER NOT NULL, account VARCHAR NOT NULL, name VARCHAR, first_seen BIGINT NOT NULL, attributes JSON,
  PRIMARY KEY (id), UNIQUE (account)
);
CREATE TABLE fingerprints (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, hasher VARCHAR NOT NULL, bits BLOB NOT NULL, UNIQUE (hasher, bits)
);
CREATE TABLE photos (
  id INTEGER NOT NULL, photo_id VARCHAR NOT NULL, account_id INTEGER NOT NULL, source_id INTEGER NOT NULL,
  scan_id INTEGER NOT NULL, label VARCHAR NOT NULL, path VARCHAR NOT NULL, seen_at BIGINT NOT NULL,
  file_bytes BIGINT NOT NULL, file_mtime_ns BIGINT NOT NULL, sha256 BLOB NOT NULL, pixels BLOB NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, format VARCHAR NOT NULL, quality INTEGER NOT NULL,
  PRIMARY KEY (id), UNIQUE (photo_id), FOREIGN KEY(account_id) REFERENCES accounts (id),
  FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE INDEX ix_photos_account_id ON photos (account_id);
CREATE INDEX ix_photos_source_id ON photos (source_id);
CREATE TABLE scans (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, started_at BIGINT NOT NULL,
  finished_at BIGINT, counts JSON, FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE skipped (
  id INTEGER NOT NULL, source_id INTEGER NOT NULL, scan_id INTEGER NOT NULL, photo_id VARCHAR, account VARCHAR,
  label VARCHAR NOT NULL, line BIGINT, reason VARCHAR NOT NULL, detail VARCHAR NOT NULL, file_bytes BIGINT,
  file_mtime_ns BIGINT, PRIMARY KEY (id), FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE INDEX skipped_by_photo ON skipped (source_id, photo_id);
CREATE TABLE photo_fingerprints (
  fingerprint_id INTEGER NOT NULL, photo_id INTEGER NOT NULL, PRIMARY KEY (fingerprint_id, photo_id),
  FOREIGN KEY(fingerprint_id) REFERENCES fingerprints (id),
  FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX photo_fingerprints_by_photo ON photo_fingerprints (photo_id);
"""

ROWS_1 = """
INSERT INTO versions VALUES (1);
INSERT INTO sources VALUES (1, 'library');
INSERT INTO accounts VALUES (1, 'a', 'Ann', 5, '{"phone": "1"}'), (2, 'b', NULL, 6, NULL);
INSERT INTO fingerprints VALUES (3, 'phash', x'00ff'), (4, 'pdq', x'00ff');
INSERT INTO photos VALUES (1, 'p1', 1, 1, 2, 'a/1', '/a/1', 5, 9, 9, x'01', x'02', 3, 4, 'JPEG', 90),
                          (2, 'p2', 2, 1, 2, 'b/1', '/b/1', 6, 9, 9, x'01', x'02', 3, 4, 'JPEG', 90);
INSERT INTO scans VALUES (2, 1, 7, NULL, NULL);
INSERT INTO skipped VALUES (1, 1, 2, 'p3', 'c', 'c/1', 8, 'flat', 'grey', 1, 2);
INSERT INTO photo_fingerprints VALUES (3, 1), (3, 2), (4, 1), (4, 2);
"""


def structure(path: Path) -> dict[str, object]:
    """Every table with its columns, keys, indexes (each with its columns and options) and triggers, as SQLite tells."""
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as connection:

        def ask(question: str, name: str) -> list[tuple[object, ...]]:
            statement = f"SELECT * FROM {question}(?)"  # noqa: S608 -- the names are ours
            return sorted(connection.execute(statement, (name,)).fetchall(), key=repr)

        named = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        for kind, name, table, sql in named:
            if kind == "trigger":
                found[name] = (kind, table, sql)
            elif kind == "table":
                options = connection.execute("SELECT wr, strict FROM pragma_table_list WHERE name = ?", (name,))
                # The first column of an index list is only the order in which they were made.
                indexes = sorted(row[1:] for row in ask("pragma_index_list", name))
                keys = [row[2:] for row in ask("pragma_foreign_key_list", name)]
                found[name] = (ask("pragma_table_xinfo", name), sorted(keys), indexes, options.fetchall())
            else:
                found[name] = (kind, table, ask("pragma_index_xinfo", name))
        numbered = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
        found["numbered for ever"] = sorted(numbered.fetchall())
    return found


def contents(path: Path, tables: Iterable[str]) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608 -- the names are ours
            for table in tables
        }


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalog as the first version made it, with rows in every table."""
    path = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1 + ROWS_1)
    return path


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


def test_a_catalog_of_the_first_version_becomes_exactly_a_new_one(catalog: Catalog, old: Path, tmp_path: Path) -> None:
    assert structure(old) != structure(tmp_path / "catalog.sqlite3")
    with closing(Catalog(old)) as migrated:
        assert migrated.version() == 1
        migrated.migrate()
        assert migrated.version() == catalog.version() == migrations.VERSION
    assert structure(old) == structure(tmp_path / "catalog.sqlite3")


def test_a_migrated_catalog_keeps_every_row_it_had(old: Path) -> None:
    tables = ("sources", "accounts", "fingerprints", "photos", "scans", "skipped", "photo_fingerprints")
    before = contents(old, tables)
    assert all(before.values())
    with closing(Catalog(old)) as migrated:
        migrated.migrate()
        migrated.migrate()
    assert contents(old, tables) == before
    assert contents(old, ["versions", "features"]) == {
        "versions": [(number,) for number in range(1, migrations.VERSION + 1)],
        "features": [],
    }


TABLES_4 = ("tallies", "unlinked", "swept")
TABLES_3 = ("ties", "searches", "decisions", "decision_photos", "bank_pictures", "reports", "report_rings",
            "report_members")  # fmt: skip


@pytest.fixture
def second(old: Path) -> Path:
    """A catalog as the second version made it, with rows in its new tables too."""
    with closing(Catalog(old)) as catalog, catalog.write() as connection:
        migrations.STEPS[2](connection)
        connection.execute(insert(schema.versions).values(version=2))
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(
            "INSERT INTO features VALUES (7, x'02', 'book', x'0a', NULL), (9, x'03', 'book', x'0b', x'0c')"
        )
        connection.execute("INSERT INTO calibrations VALUES (1, 5, 1.5, -0.5, 0.5, 40)")
        connection.commit()
    return old


def test_a_catalog_of_the_second_version_becomes_exactly_a_new_one(
    catalog: Catalog, second: Path, tmp_path: Path
) -> None:
    with closing(Catalog(second)) as migrated:
        assert migrated.version() == 2
        migrated.migrate()
        assert migrated.version() == catalog.version() == migrations.VERSION
    assert structure(second) == structure(tmp_path / "catalog.sqlite3")


def test_from_the_second_version_every_row_is_kept_and_nothing_is_decided_or_tied_yet(second: Path) -> None:
    tables = sorted(set(schema.metadata.tables) - {"versions", *TABLES_3, *TABLES_4})
    before = contents(second, tables)
    assert all(before.values())
    with closing(Catalog(second)) as migrated:
        migrated.migrate()
    assert contents(second, tables) == before
    assert contents(second, TABLES_3) == {table: [] for table in TABLES_3}


@pytest.fixture
def third(second: Path) -> Path:
    """A catalog as the third version made it, with ties, and with rows that its last scan left to nobody."""
    with closing(Catalog(second)) as catalog, catalog.write() as connection:
        migrations.STEPS[3](connection)
        for column in ("outline_low", "outline_high"):  # it made the table as it is now, not as it was then
            connection.exec_driver_sql(f"ALTER TABLE ties DROP COLUMN {column}")
        connection.execute(insert(schema.versions).values(version=3))
        connection.exec_driver_sql("INSERT INTO ties VALUES (7, 9, 1.5, 0, 90, 0.25, NULL, 0.5)")
        connection.exec_driver_sql("INSERT INTO searches VALUES (1, 'rule', 9, 5)")
        connection.exec_driver_sql("INSERT INTO accounts VALUES (3, 'nobody', NULL, 5, NULL)")
        connection.exec_driver_sql("INSERT INTO fingerprints VALUES (8, 'pdq', x'03'), (9, 'phash', x'04')")
        connection.exec_driver_sql("INSERT INTO features VALUES (11, x'04', 'old book', x'0d', NULL)")
        connection.exec_driver_sql("INSERT INTO bank_pictures VALUES (1, 'known', x'04', 9, 'x', NULL, NULL, 5)")
    return second


def test_a_catalog_of_the_third_version_becomes_exactly_a_new_one(
    catalog: Catalog, third: Path, tmp_path: Path
) -> None:
    with closing(Catalog(third)) as migrated:
        assert migrated.version() == 3
        migrated.migrate()
        assert migrated.version() == catalog.version() == migrations.VERSION
    assert structure(third) == structure(tmp_path / "catalog.sqlite3")


def test_from_the_third_version_every_row_is_kept_and_ties_have_no_outlines_yet(third: Path) -> None:
    tables = sorted(set(schema.metadata.tables) - {"versions", "ties", *TABLES_4})
    before, ties = contents(third, tables), contents(third, ["ties"])["ties"]
    with closing(Catalog(third)) as migrated:
        migrated.migrate()
    assert contents(third, tables) == before
    assert contents(third, ["ties"]) == {"ties": [(*tie, None, None) for tie in ties]}
    assert ties


OF_VERSION_1 = {("photos", "", 2), ("accounts", "", 2), ("fingerprints", "phash", 1), ("fingerprints", "pdq", 1)}
# Of the second version on there are two pictures with features, of which x'03' is shown by no photo.
OF_VERSION_2 = OF_VERSION_1 | {("features", "book", 2)}
OF_VERSION_3 = {
    *{("photos", "", 2), ("accounts", "", 3), ("ties", "", 1)},
    *{("fingerprints", "phash", 2), ("fingerprints", "pdq", 2), ("features", "book", 2), ("features", "old book", 1)},
}
UNUSED_3 = {("accounts", 3), ("features", 9), ("fingerprints", 8)}


@pytest.mark.parametrize(
    ("made", "tallied", "unused"),
    [
        ("old", OF_VERSION_1, set()),
        ("second", OF_VERSION_2, {("features", 9)}),
        ("third", OF_VERSION_3, UNUSED_3),
    ],
)
def test_what_an_older_catalog_holds_is_counted_and_what_nothing_uses_is_swept_by_the_next_sweep(
    request: pytest.FixtureRequest,
    made: str,
    tallied: set[tuple[str, str, int]],
    unused: set[tuple[str, int]],
) -> None:
    path: Path = request.getfixturevalue(made)
    with closing(Catalog(path)) as migrated:
        migrated.migrate()
        counted = {row for row in contents(path, ["tallies"])["tallies"] if row[2]}
        assert counted == tallied
        assert set(contents(path, ["unlinked"])["unlinked"]) >= unused
        kinds = ("accounts", "features", "fingerprints")
        before = {(kind, row[0]) for kind in kinds for row in contents(path, [kind])[kind]}
        with migrated.write() as connection:
            sweep(connection)
        assert before - {(kind, row[0]) for kind in kinds for row in contents(path, [kind])[kind]} == unused


def test_an_older_catalog_counts_what_is_written_after_it_was_brought_up_to_date(third: Path) -> None:
    with closing(Catalog(third)) as migrated:
        migrated.migrate()
        with migrated.write() as connection:
            connection.execute(delete(schema.photos).where(schema.photos.c.photo_id == "p1"))
            connection.execute(delete(schema.features).where(schema.features.c.id == 7))
            sweep(connection)
            assert swept_rows(connection, "features", "book", 9) == [7, 9]
            assert (tally(connection, "photos"), tally(connection, "accounts"), tally(connection, "ties")) == (1, 1, 0)
            assert (tally(connection, "features", "book"), tally(connection, "features", "old book")) == (0, 1)


def test_a_migration_that_is_killed_leaves_the_old_catalog_as_it_was(old: Path) -> None:
    before, rows = structure(old), contents(old, ["versions", "photos"])

    def begin(catalog: Catalog) -> None:
        with catalog.write() as connection:
            migrations.migrate(connection)
            raise KeyboardInterrupt

    with closing(Catalog(old)) as catalog:
        with pytest.raises(KeyboardInterrupt):
            begin(catalog)
        assert catalog.version() == 1
        assert (structure(old), contents(old, ["versions", "photos"])) == (before, rows)
        catalog.migrate()
        assert catalog.version() == migrations.VERSION
