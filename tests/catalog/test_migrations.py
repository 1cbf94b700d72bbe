from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from filled import opened
from sqlalchemy import delete, insert, inspect, select, text

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores, search_watermark
from imgmatch.catalog.row_counts import row_count, tombstones
from imgmatch.catalog.scans import DUPLICATE_DETAIL
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.steps import STEPS
from imgmatch.errors import IndexTooNewError, NotAnIndexError
from imgmatch.model import account_look_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.sqlite


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
            statement = f"SELECT * FROM {question}(?)"
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
        return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalog as the first version made it, with rows in every table."""
    path = tmp_path / "old" / "catalog.sqlite3"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1 + ROWS_1)
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def test_a_new_catalog_has_the_tables_of_the_schema_and_its_version(catalog: SqliteCatalog) -> None:
    assert catalog.version() == migrations.VERSION
    with catalog.read() as session:
        assert set(inspect(session.sql).get_table_names()) == set(schema.metadata.tables)
        assert session.sql.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.sql.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.sql.scalar(text("PRAGMA secure_delete")) == 1


def test_migrating_again_changes_nothing(catalog: SqliteCatalog, tmp_path: Path) -> None:
    with catalog.write() as session:
        session.sql.execute(insert(schema.sources).values(key="kept"))
    before = (tmp_path / "catalog.sqlite3").read_bytes()
    catalog.migrate()
    assert (tmp_path / "catalog.sqlite3").read_bytes() == before
    assert catalog.version() == migrations.VERSION


def test_an_empty_file_is_a_catalog_not_yet_made(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").touch()
    with closing(SqliteCatalog(tmp_path)) as catalog:
        assert catalog.version() == 0
        catalog.migrate()
        assert catalog.version() == migrations.VERSION


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with closing(SqliteCatalog(path.parent)) as catalog:
        with pytest.raises(NotAnIndexError):
            catalog.version()
        with pytest.raises(NotAnIndexError):
            catalog.migrate()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_newer_catalog_is_refused_and_left_as_it_is(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        session.sql.execute(insert(schema.versions).values(version=migrations.VERSION + 1))
    with pytest.raises(IndexTooNewError, match="upgrade"):
        migrations.refuse_newer(catalog.version())
    with pytest.raises(IndexTooNewError, match="upgrade"):
        catalog.migrate()
    assert catalog.version() == migrations.VERSION + 1


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert sorted(STEPS) == list(range(2, migrations.VERSION + 1))


ROWS_2 = """
INSERT INTO features VALUES (7, x'02', 'book', x'0a', NULL), (9, x'03', 'book', x'0b', x'0c');
INSERT INTO calibrations VALUES (1, 5, 1.5, -0.5, 0.5, 40);
"""

ROWS_3 = """
INSERT INTO ties VALUES (7, 9, 1.5, 0, 90, 0.25, NULL, 0.5);
INSERT INTO searches VALUES (1, 'rule', 9, 5);
INSERT INTO accounts VALUES (3, 'nobody', NULL, 5, NULL);
INSERT INTO fingerprints VALUES (8, 'pdq', x'03'), (9, 'phash', x'04');
INSERT INTO features VALUES (11, x'04', 'old book', x'0d', NULL);
INSERT INTO bank_pictures VALUES (1, 'known', x'04', 9, 'x', NULL, NULL, 5);
INSERT INTO decisions VALUES (4, 9, 'confirm', 'pair', 'p1 p2', 'ana', NULL);
INSERT INTO decision_photos VALUES (4, 0, 'p1', 'a', x'00ff'), (4, 0, 'p2', 'b', x'00ff');
INSERT INTO reports VALUES (2, 9);
INSERT INTO report_rings VALUES (2, 'r1', 1);
INSERT INTO report_members VALUES (2, 'a', 'r1'), (2, 'b', 'r1');
"""

ROWS_4 = """
INSERT INTO swept VALUES ('features', 3, 'book');
CREATE TRIGGER tally_added_photos AFTER INSERT ON photos BEGIN INSERT INTO tallies VALUES ('photos', '', 1)
  ON CONFLICT DO UPDATE SET number = number + 1; END;
CREATE TRIGGER swept_features AFTER DELETE ON features BEGIN
  INSERT OR IGNORE INTO swept VALUES ('features', OLD.id, OLD.codebook); END;
"""

RENAMED = {"pair_scores": "ties", "feature_searches": "searches", "row_counts": "tallies", "orphans": "unlinked",
           "tombstones": "swept"}  # fmt: skip
"""What tables of today were called before version 5."""


def brought_to(path: Path, version: int) -> Path:
    """The catalog of the first version at ``path`` as a later version made it, with rows in the new tables too."""
    for number, rows in ((2, ROWS_2), (3, ROWS_3), (4, ROWS_4)):
        if number <= version:
            with closing(SqliteCatalog(path.parent)) as catalog, catalog.write() as session:
                migrations.take_step(session, number)
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(rows)
    return path


@pytest.mark.parametrize("version", range(1, 5))
def test_a_catalog_of_an_older_version_becomes_exactly_a_new_one(
    catalog: SqliteCatalog, old: Path, tmp_path: Path, version: int
) -> None:
    brought_to(old, version)
    with closing(SqliteCatalog(old.parent)) as migrated:
        assert migrated.version() == version
        migrated.migrate()
        assert migrated.version() == catalog.version() == migrations.VERSION
    assert structure(old) == structure(tmp_path / "catalog.sqlite3")


def test_the_steps_from_every_version_keep_every_row(old: Path) -> None:
    brought_to(old, 4)
    with closing(sqlite3.connect(old)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = {name for (name,) in named} - {"versions"}
    before = contents(old, tables)
    assert all(before.values())
    with closing(SqliteCatalog(old.parent)) as migrated:
        migrated.migrate()
    now = {was: name for name, was in RENAMED.items()}
    del before["bank_pictures"]  # its rows are entries of a bank now
    after = contents(old, [now.get(name, name) for name in sorted(before)])
    expected = {now.get(name, name): rows for name, rows in before.items()}
    expected["photos"] = [(*row[:11], *row[12:]) for row in expected["photos"]]  # its picture is a row of its own now
    expected["decision_photos"] = [(*row[:3], row[4], row[3]) for row in expected["decision_photos"]]
    expected["pair_scores"] = [(*row, None) for row in expected["pair_scores"]]
    expected["photo_fingerprints"] = [(*row, 0) for row in expected["photo_fingerprints"]]
    assert contents(old, ["photo_pictures"])["photo_pictures"] == [
        (1, 0, b"\x02", None, None, None),
        (2, 0, b"\x02", None, None, None),
    ]
    before["tallies"] = [*before["tallies"], ("bank_entries", "1", 1)]
    expected["row_counts"] = sorted(
        ("pair_scores" if kind == "ties" else kind, *rest) for kind, *rest in before["tallies"]
    )
    expected["accounts"] = [(*row, account_look_hash(str(row[1])), None) for row in expected["accounts"]]
    expected["decisions"] = [(*row, None, None) for row in expected["decisions"]]
    expected["photos"] = [(*row, None) for row in expected["photos"]]  # none of them is known to be damaged
    banks = contents(old, ["banks", "bank_entries"])
    assert banks["banks"] == [(1, "known", "partner", None, 1, 1.0, None, 5, 0, None)]
    [(*entry, _, _, _, _, _, _, _, _, _, _)] = banks["bank_entries"]
    assert entry == [1, 1, b"\x04", None, b"\x04", 9, "x", None, None]
    assert after == expected


def test_what_was_said_of_a_duplicate_no_longer_names_the_photo_it_repeats(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        row = (2, 1, 2, None, "b", "b/2", 9, "duplicate", "photo_id 'p1' stands for an earlier photo of this scan")
        connection.execute("INSERT INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)
        connection.commit()
    with closing(SqliteCatalog(old.parent)) as migrated:
        migrated.migrate()
    details = {row[7]: row[8] for row in contents(old, ["skipped"])["skipped"]}
    assert details == {"flat": "grey", "duplicate": DUPLICATE_DETAIL}


def test_what_could_not_be_read_before_is_tried_again(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        row = (2, 1, 2, "p4", "b", "b/2", 9, "unreadable", "damaged", 70, 80)
        connection.execute("INSERT INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.commit()
    with closing(SqliteCatalog(old.parent)) as migrated:
        migrated.migrate()
    states = {row[7]: row[9:] for row in contents(old, ["skipped"])["skipped"]}
    assert states == {"flat": (1, 2), "unreadable": (None, None)}


def test_pair_scores_of_a_catalog_of_the_third_version_have_no_outlines(old: Path) -> None:
    with closing(SqliteCatalog(brought_to(old, 3).parent)) as migrated:
        migrated.migrate()
        with migrated.read() as session:
            assert list(read_pair_scores(session)) == [
                PairScore(7, 9, 1.5, mirrored=False, rotation=90, overlap_low=0.25, overlap_high=None, agreement=0.5)
            ]
            assert search_watermark(session, "rule") == 9


def test_near_pairs_of_a_catalog_of_the_twelfth_version_are_joined_once_more_for_negatives(old: Path) -> None:
    with closing(SqliteCatalog(old.parent)) as migrated:
        with migrated.write() as session:
            for number in range(2, 13):
                migrations.take_step(session, number)
            session.sql.exec_driver_sql("INSERT INTO near_pairs VALUES (3, 4, 9, 4)")
            session.sql.exec_driver_sql("INSERT INTO clusterings VALUES (1, 4, 36, '{}', 7)")
        assert migrated.version() == 12
        migrated.migrate()
        with migrated.read() as session:
            assert session.sql.execute(select(schema.clusterings)).all() == [(1, 4, 0, {}, 7)]
            assert session.sql.execute(select(schema.near_pairs)).all() == [(3, 4, 9, 4)]


OF_VERSION_1 = {("photos", "", 2), ("accounts", "", 2), ("fingerprints", "phash", 1), ("fingerprints", "pdq", 1)}
# Of the second version on there are two pictures with features, of which x'03' is shown by no photo.
OF_VERSION_2 = OF_VERSION_1 | {("features", "book", 2)}
OF_VERSION_3 = {
    *{("photos", "", 2), ("accounts", "", 3), ("pair_scores", "", 1)},
    *{("fingerprints", "phash", 2), ("fingerprints", "pdq", 2), ("features", "book", 2), ("features", "old book", 1)},
    ("bank_entries", "1", 1),
}
UNUSED_3 = {("accounts", 3), ("features", 9), ("fingerprints", 8)}


@pytest.mark.parametrize(
    ("version", "counted", "unused"),
    [
        (1, OF_VERSION_1, set()),
        (2, OF_VERSION_2, {("features", 9)}),
        (3, OF_VERSION_3, UNUSED_3),
        (4, OF_VERSION_3, UNUSED_3),
    ],
)
def test_what_an_older_catalog_holds_is_counted_and_what_nothing_uses_is_removed_as_orphans_are(
    old: Path, version: int, counted: set[tuple[str, str, int]], unused: set[tuple[str, int]]
) -> None:
    brought_to(old, version)
    with closing(SqliteCatalog(old.parent)) as migrated:
        migrated.migrate()
        assert {row for row in contents(old, ["row_counts"])["row_counts"] if row[2]} == counted
        assert set(contents(old, ["orphans"])["orphans"]) >= unused
        kinds = ("accounts", "features", "fingerprints")
        before = {(kind, row[0]) for kind in kinds for row in contents(old, [kind])[kind]}
        with migrated.write() as session:
            remove_orphans(session)
        assert before - {(kind, row[0]) for kind in kinds for row in contents(old, [kind])[kind]} == unused


def test_an_older_catalog_counts_what_is_written_after_it_was_brought_up_to_date(old: Path) -> None:
    with closing(SqliteCatalog(brought_to(old, 3).parent)) as migrated:
        migrated.migrate()
        with migrated.write() as session:
            session.sql.execute(delete(schema.photos).where(schema.photos.c.photo_id == "p1"))
            session.sql.execute(delete(schema.features).where(schema.features.c.id == 7))
            remove_orphans(session)
            assert tombstones(session, "features", "book", 9) == [7, 9]
            kinds = ("photos", "accounts", "pair_scores")
            assert [row_count(session, kind) for kind in kinds] == [1, 1, 0]
            assert (row_count(session, "features", "book"), row_count(session, "features", "old book")) == (0, 1)


def test_a_migration_that_is_killed_leaves_the_old_catalog_as_it_was(old: Path) -> None:
    before, rows = structure(old), contents(old, ["versions", "photos"])

    def begin(catalog: SqliteCatalog) -> None:
        with catalog.write() as session:
            migrations.migrate(session)
            raise KeyboardInterrupt

    with closing(SqliteCatalog(old.parent)) as catalog:
        with pytest.raises(KeyboardInterrupt):
            begin(catalog)
        assert catalog.version() == 1
        assert (structure(old), contents(old, ["versions", "photos"])) == (before, rows)
        catalog.migrate()
        assert catalog.version() == migrations.VERSION
