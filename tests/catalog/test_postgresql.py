"""What PostgreSQL alone can do to a catalog, and what is said of it."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from postgresql_server import database_of, running
from sqlalchemy import Connection, Engine, event, select, text

from imgmatch import registry
from imgmatch.catalog import fingerprints, migrations, postgresql_schema, schema
from imgmatch.catalog.clusterings import begin_clustering
from imgmatch.catalog.postgresql import PostgresqlCatalog, explain
from imgmatch.errors import (
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexUnusableError,
    NotAnIndexError,
)
from imgmatch.homes import without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgresql_server import Server

    from imgmatch.catalog.leases import Lease

pytestmark = pytest.mark.sqlite


@pytest.fixture
def url(postgresql: Server) -> str:
    return postgresql.database()


@pytest.fixture
def catalog(url: str) -> Iterator[PostgresqlCatalog]:
    with closing(PostgresqlCatalog(url, patience=0.5)) as opened:
        opened.migrate()
        yield opened


def sources(catalog: PostgresqlCatalog) -> list[str]:
    with catalog.read() as session:
        return list(session.sql.scalars(select(schema.sources.c.key)))


def add_source(catalog: PostgresqlCatalog, key: str, lease: Lease | None = None) -> None:
    with catalog.write(lease) as session:
        session.sql.execute(schema.sources.insert().values(key=key))


# -- opening ----------------------------------------------------------------------------------------------------


def test_a_database_of_another_program_is_refused_and_left_as_it_is(postgresql: Server, url: str) -> None:
    postgresql.say("CREATE TABLE orders (id int)", database_of(url))
    with closing(PostgresqlCatalog(url)) as catalog:
        with pytest.raises(NotAnIndexError, match="another program"):
            catalog.refuse_another()
        with pytest.raises(NotAnIndexError, match="another program"):
            catalog.migrate()
    assert postgresql.say("SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'",
                          database_of(url)) == "orders"  # fmt: skip


def test_a_schema_of_its_own_lies_beside_the_tables_of_others(postgresql: Server, url: str) -> None:
    postgresql.say("CREATE TABLE orders (id int); CREATE SCHEMA team", database_of(url))
    with closing(PostgresqlCatalog(f"{url}&options=-csearch_path%3Dteam")) as catalog:
        catalog.migrate()
        add_source(catalog, "photos")
        assert sources(catalog) == ["photos"]
        assert catalog.faults() == []
    assert postgresql.say("SELECT key FROM team.sources", database_of(url)) == "photos"


def test_a_schema_that_is_not_there_is_named(url: str) -> None:
    home = f"{url}&options=-csearch_path%3Dnowhere"
    with closing(PostgresqlCatalog(home)) as catalog, pytest.raises(IndexNotFoundError, match="schema"):
        catalog.migrate()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE photos ADD COLUMN more int",
        "ALTER TABLE accounts DISABLE TRIGGER USER",
        "DROP TRIGGER imgmatch_photos_insert ON photos",
        (
            "CREATE OR REPLACE FUNCTION imgmatch_photos_insert() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END'"
        ),
        "CREATE TRIGGER mine AFTER INSERT ON photos FOR EACH ROW EXECUTE FUNCTION imgmatch_photos_insert()",
        "DROP TABLE tombstones",
    ],
)
def test_a_catalog_that_is_not_as_it_is_made_is_refused_by_name(
    postgresql: Server, url: str, catalog: PostgresqlCatalog, change: str
) -> None:
    assert catalog.version()
    postgresql.say(change, database_of(url))
    with pytest.raises(NotAnIndexError, match="not as imgmatch makes it"):
        catalog.version()


def test_every_version_since_the_first_has_a_step() -> None:
    assert list(postgresql_schema.STEPS) == list(range(postgresql_schema.FIRST + 1, migrations.VERSION + 1))


def test_a_database_of_the_first_version_is_brought_up_to_date_and_tells_of_rows_from_then_on(
    postgresql: Server, url: str, catalog: PostgresqlCatalog
) -> None:
    add_source(catalog, "photos")
    said = "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE prosrc LIKE '%PERFORM pg_notify%'"
    telling = postgresql.say(said, database_of(url))
    assert telling.split() == [f"imgmatch_{table}_insert" for table in ("bank_entries", "features", "fingerprints")]
    for function in telling.split():  # as they were
        was = "AS 'BEGIN RETURN NULL; END'"
        postgresql.say(f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {was}",
                       database_of(url))  # fmt: skip
    postgresql.say("ALTER TABLE places DROP COLUMN fingerprints, DROP COLUMN features", database_of(url))
    postgresql.say("ALTER TABLE photo_pictures DROP COLUMN panel", database_of(url))
    for table in ("pair_scores", "group_photos"):
        postgresql.say(f"ALTER TABLE {table} DROP COLUMN negative", database_of(url))
    with catalog.write() as session:
        begin_clustering(session, 36, {})
    postgresql.say(f"UPDATE versions SET version = {postgresql_schema.FIRST}", database_of(url))
    assert catalog.version() == postgresql_schema.FIRST
    catalog.migrate()
    assert catalog.version() == migrations.VERSION
    assert postgresql.say(said, database_of(url)) == telling
    assert sources(catalog) == ["photos"]
    with catalog.read() as session:
        assert session.sql.scalar(select(schema.clusterings.c.joined_distance)) == 0  # the next run joins all once more


def test_another_database_in_its_place_is_noticed(postgresql: Server, url: str, catalog: PostgresqlCatalog) -> None:
    assert catalog.version()
    assert not catalog.is_replaced()
    postgresql.say("UPDATE tokens SET token = md5('other') WHERE kind = 'catalog'", database_of(url))
    assert catalog.is_replaced()


# -- what goes wrong ----------------------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_named_without_the_password(postgresql: Server) -> None:
    home = postgresql.url("nowhere").replace("imgmatch@", "imgmatch:secret@") + "&password=secret"
    with closing(registry.open_catalog(home)) as catalog, pytest.raises(IndexNotFoundError) as caught:
        catalog.version()
    assert "no such database" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_a_wrong_password_is_said_to_be_wrong_and_not_shown() -> None:
    with running() as server:
        server.say("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        rules = server.data / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
        server.say("SELECT pg_reload_conf()")
        home = server.url("postgres").replace("imgmatch@", "guarded:verywrong@")
        with closing(PostgresqlCatalog(home)) as catalog, pytest.raises(IndexUnusableError) as caught:
            catalog.version()
    assert "password" in str(caught.value)
    assert "verywrong" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_not_to_answer() -> None:
    home = "postgresql://imgmatch@127.0.0.1:1/imgmatch?connect_timeout=2"
    with closing(PostgresqlCatalog(home)) as catalog, pytest.raises(IndexUnusableError, match="cannot be reached"):
        catalog.version()


@pytest.mark.slow
def test_a_server_that_goes_away_loses_nothing_that_was_written_and_is_used_again_when_it_is_back() -> None:
    with running() as server, closing(PostgresqlCatalog(server.database(), patience=5)) as catalog:
        catalog.migrate()
        add_source(catalog, "before")

        def write_half() -> None:
            with catalog.write() as session:
                session.sql.execute(schema.sources.insert().values(key="half"))
                server.stop(at_once=True)
                session.sql.execute(schema.sources.insert().values(key="more"))

        with pytest.raises(IndexUnusableError):
            write_half()
        with pytest.raises(IndexUnusableError, match="cannot be reached, or went away"):
            sources(catalog)
        server.start()
        assert sources(catalog) == ["before"]
        add_source(catalog, "after")
        assert sources(catalog) == ["before", "after"]


def test_who_may_only_read_reads_and_is_told_that_nothing_can_be_written(
    postgresql: Server, url: str, catalog: PostgresqlCatalog
) -> None:
    add_source(catalog, "photos")
    name = database_of(url)
    postgresql.say(
        f"CREATE ROLE reader_{name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}", name
    )
    with closing(PostgresqlCatalog(url.replace("imgmatch@", f"reader_{name}@"))) as reader:
        assert reader.version()
        assert sources(reader) == ["photos"]
        with pytest.raises(IndexReadOnlyError, match="cannot be written"):
            add_source(reader, "more")
    assert sources(catalog) == ["photos"]


def test_a_writer_whose_machine_is_silent_does_not_keep_others_waiting(
    url: str, catalog: PostgresqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.catalog.postgresql._SILENCE_MS", 200)

    def write_while_silent(silent: PostgresqlCatalog) -> None:
        with silent.write() as session:
            session.sql.execute(schema.sources.insert().values(key="silent"))
            with closing(PostgresqlCatalog(url, patience=30)) as other:
                add_source(other, "other")
            session.sql.execute(schema.sources.insert().values(key="late"))

    with closing(PostgresqlCatalog(url, patience=30)) as silent, pytest.raises(IndexUnusableError):
        write_while_silent(silent)
    assert sources(catalog) == ["other"]


def test_the_lease_goes_by_the_clock_of_the_server(
    url: str, catalog: PostgresqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with catalog.lease("publication"), closing(PostgresqlCatalog(url, patience=5)) as other:
        # The clock of a machine that is an hour ahead: by it, the lease has long run out.
        monkeypatch.setattr("imgmatch.catalog.times.now", lambda: time.time_ns() // 1000 + 3_600_000_000)
        caught: list[BaseException] = []

        def take() -> None:
            try:
                with other.lease("publication"):
                    pass
            except IndexLockedError as error:
                caught.append(error)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert "publication is under way" in str(caught[0])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("53100", IndexFullError),
        ("25006", IndexReadOnlyError),
        ("40P01", IndexLockedError),
        ("53300", IndexLockedError),
        ("XX001", IndexDamagedError),
        ("3D000", IndexNotFoundError),
        ("57P01", IndexUnusableError),
    ],
)
def test_what_the_server_says_becomes_an_error_of_ours(state: str, expected: type[Exception]) -> None:
    error = psycopg.errors.lookup(state)("it says so")
    assert type(explain(error, "postgresql://db/photos")) is expected
    assert "postgresql://db/photos" in str(explain(error, "postgresql://db/photos"))


@pytest.mark.parametrize(
    ("home", "shown"),
    [
        ("postgresql://ann:pass@db.example:5433/photos?sslmode=require", "postgresql://ann@db.example:5433/photos"),
        ("postgresql://ann:p@ss@db/photos", "postgresql://ann@db/photos"),
        ("postgresql:///photos?password=secret", "postgresql:///photos"),
        ("/srv/index", "/srv/index"),
    ],
)
def test_messages_name_a_home_without_what_is_secret(home: str, shown: str) -> None:
    assert without_password(home) == shown


# -- rows ---------------------------------------------------------------------------------------------------------


def test_a_row_that_leads_nowhere_is_named(postgresql: Server, url: str, catalog: PostgresqlCatalog) -> None:
    assert catalog.faults() == []
    lost = "INSERT INTO scans (id, source_id, started_at) VALUES (1, 7, 0)"
    postgresql.say(f"SET session_replication_role = replica; {lost}", database_of(url))
    assert catalog.faults() == ["scans 7: leads to no row of sources"]


def test_texts_sort_by_their_code_points_whatever_the_language_of_the_database(catalog: PostgresqlCatalog) -> None:
    words = ["b", "a", "B", "Ä", "ä", "z", "_", "é"]
    for word in words:
        add_source(catalog, word)
    with catalog.read() as session:
        found = list(session.sql.scalars(select(schema.sources.c.key).order_by(schema.sources.c.key)))
    assert found == sorted(words)


def test_many_rows_are_written_by_one_statement(catalog: PostgresqlCatalog) -> None:
    rows = [{"key": f"source {number}"} for number in range(900)]
    with catalog.write() as session:
        session.sql.execute(schema.sources.insert(), rows)
        ran = session.sql.scalar(text("SELECT count(*) FROM sources WHERE xmin = pg_current_xact_id()::xid"))
        commands = session.sql.scalar(text("SELECT count(DISTINCT cmin::text) FROM sources"))
    assert (ran, commands) == (900, 1)


def test_fingerprints_of_a_hasher_are_read_by_their_row_ids_without_sorting_all_that_follow(
    postgresql: Server, url: str, catalog: PostgresqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block would else cost as much as all of them."""
    monkeypatch.setattr(fingerprints, "_READ_AT_ONCE", 100)
    values = [number.to_bytes(32, "big") for number in range(4_000)]
    with catalog.write() as session:
        for hasher in ("phash", "pdq"):
            fingerprints.intern_fingerprints(session, hasher, values)
    postgresql.say("ANALYZE", database_of(url))
    plans = list[str]()

    def explained(connection: Connection, _: object, statement: str, values: tuple[object, ...], *__: object) -> None:
        if statement.startswith("SELECT fingerprints.id"):
            raw = connection.connection.cursor()
            raw.execute(f"EXPLAIN {statement}", values)
            plans.append(" ".join(row[0] for row in raw.fetchall()))

    event.listen(Engine, "before_cursor_execute", explained)
    try:
        with catalog.read() as session:
            found = [len(ids) for ids, _ in fingerprints.read_fingerprints(session, "pdq")]
    finally:
        event.remove(Engine, "before_cursor_execute", explained)
    assert sum(found) == 4_000
    assert len(plans) == 41
    assert not any("Sort" in plan for plan in plans)
