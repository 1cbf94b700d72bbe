from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filled import opened, photo, remove_photos, run_unprivileged, store
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from imgmatch.catalog import migrations, schema
from imgmatch.catalog.lookups import counts
from imgmatch.catalog.sqlite import SqliteCatalog, explain
from imgmatch.errors import (
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexReadOnlyError,
    IndexUnusableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.rows import PhotoRecord

pytestmark = pytest.mark.sqlite


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    yield from opened(tmp_path)


def photos_in(catalog: SqliteCatalog) -> int:
    with catalog.read() as session:
        return counts(session)["photos"]


# -- all or nothing ---------------------------------------------------------------------------------------------


def test_an_exception_inside_a_write_leaves_nothing(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1)])

    def write_and_fail() -> None:
        with catalog.write() as session:
            session.sql.execute(insert(schema.sources).values(key="half"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with catalog.read() as session:
        assert counts(session)["sources"] == 1


WRITE_AND_HANG = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from filled import photo, begin
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.photos import store_photos
with SqliteCatalog(Path(sys.argv[1])).write() as session:
    store_photos(session, begin(session), [photo(number) for number in range(2000)])
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_kill_inside_a_write_leaves_nothing_and_locks_nobody_out(catalog: SqliteCatalog, tmp_path: Path) -> None:
    store(catalog, [photo(1, "before")], "earlier")
    here = str(Path(__file__).parent)
    writer = subprocess.Popen([sys.executable, "-c", WRITE_AND_HANG, str(tmp_path), here], stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    with catalog.read() as session:
        assert counts(session) | {"scans": 1} == {
            "photos": 1, "accounts": 1, "fingerprints": 2, "features": 0, "ties": 0, "decisions": 0,
            "bank_pictures": 0, "bank_entries": 0, "skipped": 0, "sources": 1, "scans": 1,
        }  # fmt: skip
        assert session.sql.scalar(text("PRAGMA integrity_check")) == "ok"
    store(catalog, [photo(2)])
    assert photos_in(catalog) == 2


@pytest.mark.usefixtures("synced")
def test_a_commit_is_on_the_disk_before_it_is_done(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        assert session.sql.scalar(text("PRAGMA synchronous")) == 2


# -- readers and writers ----------------------------------------------------------------------------------------


def test_a_reader_sees_one_state_while_a_writer_writes(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1)])
    with catalog.read() as reading:
        assert counts(reading)["photos"] == 1
        store(catalog, [photo(2)])
        assert counts(reading)["photos"] == 1
        assert photos_in(catalog) == 2
    assert photos_in(catalog) == 2


def test_a_reader_sees_nothing_of_a_transaction_under_way(catalog: SqliteCatalog) -> None:
    with catalog.write() as session:
        session.sql.execute(insert(schema.sources).values(key="new"))
        with catalog.read() as reading:
            assert counts(reading)["sources"] == 0


def test_a_hundred_readers_hold_their_connections_at_once(catalog: SqliteCatalog) -> None:
    together = threading.Barrier(100)

    def read(_: int) -> int:
        with catalog.read() as session:
            together.wait(30)
            return counts(session)["photos"]

    store(catalog, [photo(1)])
    with ThreadPoolExecutor(100) as threads:
        assert set(threads.map(read, range(100))) == {1}


def test_a_second_writer_is_told_that_another_one_writes(catalog: SqliteCatalog, tmp_path: Path) -> None:
    other = SqliteCatalog(tmp_path, patience=0.02)
    with closing(other), catalog.write(), pytest.raises(IndexLockedError), other.write():
        pass


def test_a_write_waits_for_another_to_end(catalog: SqliteCatalog, tmp_path: Path) -> None:
    patient = SqliteCatalog(tmp_path)
    with closing(patient), ThreadPoolExecutor(1) as threads:
        with catalog.write():
            waiting = threads.submit(store, patient, [photo(1)])
        waiting.result(30)
        assert photos_in(patient) == 1


@pytest.mark.parametrize("name", ["with space", "a?b", "a#b", "50%41", "ümläut 写真", "-", "file:x"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with closing(SqliteCatalog(folder)) as catalog:
        catalog.migrate()
        assert (folder / "catalog.sqlite3").is_file()
        assert catalog.version() == migrations.VERSION


def test_a_relative_path_stays_where_it_pointed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(SqliteCatalog(".")) as catalog:
        catalog.migrate()
    assert (tmp_path / "catalog.sqlite3").is_file()


# -- what goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"not a database at all, but a letter to a friend" * 40, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(content)
    with closing(SqliteCatalog(tmp_path)) as catalog, pytest.raises(IndexDamagedError):
        catalog.version()


def test_a_catalog_with_a_torn_page_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    with closing(SqliteCatalog(path.parent)) as catalog:
        catalog.migrate()
        store(catalog, [photo(number) for number in range(500)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with closing(SqliteCatalog(path.parent)) as catalog, pytest.raises(IndexDamagedError):
        photos_in(catalog)


def test_a_mistake_of_ours_is_not_taken_for_damage(catalog: SqliteCatalog) -> None:
    with pytest.raises(IntegrityError), catalog.write() as session:
        session.sql.execute(insert(schema.sources), [{"key": "twice"}, {"key": "twice"}])


def test_a_full_disk_is_told_and_loses_nothing_that_was_written(catalog: SqliteCatalog) -> None:
    store(catalog, [photo(1)])

    def write_much() -> None:
        with catalog.write() as session:
            session.sql.execute(text("PRAGMA max_page_count = 1"))  # as low as it goes: no page more than there are
            session.sql.execute(insert(schema.sources), [{"key": "k" * 4000 + str(number)} for number in range(100)])

    with pytest.raises(IndexFullError, match="full"):
        write_much()
    with catalog.read() as session:
        assert counts(session)["sources"] == 1
        assert session.sql.scalar(text("PRAGMA integrity_check")) == "ok"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(  # as the system's own
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607


def test_a_disk_that_is_really_full_is_told(small_disk: Path) -> None:
    with closing(SqliteCatalog(small_disk)) as catalog:
        catalog.migrate()
        stored: list[PhotoRecord] = []

        def fill() -> None:
            for batch in range(100):
                photos = [photo(batch * 100 + number) for number in range(100)]
                store(catalog, photos)
                stored.extend(photos)

        with pytest.raises(IndexFullError):
            fill()
        assert photos_in(catalog) == len(stored) > 0
        with pytest.raises(IndexFullError):
            catalog.compact()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("database or disk is full", IndexFullError),
        ("disk I/O error", IndexFullError),
        ("attempt to write a readonly database", IndexReadOnlyError),
        ("unable to open database file", IndexReadOnlyError),
        ("database is locked", IndexLockedError),
        ("database table is locked", IndexLockedError),
        ("no such table: photos", IndexDamagedError),
        ("database disk image is malformed", IndexDamagedError),
        ("anything else", IndexDamagedError),
    ],
)
def test_what_sqlite_says_becomes_one_of_our_errors_naming_the_index(said: str, told: type[IndexUnusableError]) -> None:
    error = explain(sqlite3.OperationalError(said), Path("/some/index/catalog.sqlite3"))
    assert type(error) is told
    assert str(Path("/some/index")) in str(error)


def test_erased_bytes_are_nowhere_in_the_files_after_compacting(catalog: SqliteCatalog, tmp_path: Path) -> None:
    gone, stays = photo(1, "gone-account"), photo(2, "kept-account")
    store(catalog, [gone, stays])
    with catalog.write() as session:
        remove_photos(session, account="gone-account")
        session.sql.execute(
            text("DELETE FROM fingerprints WHERE id NOT IN (SELECT fingerprint_id FROM photo_fingerprints)")
        )
        session.sql.execute(text("DELETE FROM accounts WHERE account = 'gone-account'"))
    catalog.compact()
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for trace in (b"gone-account", gone.sha256, *gone.pictures[0].fingerprints.values()):
        assert trace not in files
    assert b"kept-account" in files
    assert stays.sha256 in files


# -- read-only --------------------------------------------------------------------------------------------------

READ_THEN_WRITE = """
from pathlib import Path
from sqlalchemy import insert
from imgmatch.catalog import schema
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.lookups import counts
from imgmatch.errors import IndexReadOnlyError
catalog = SqliteCatalog(Path(sys.argv[1]))
drop()
with catalog.read() as session:
    print(counts(session)["photos"])
try:
    with catalog.write() as session:
        session.sql.execute(insert(schema.sources).values(key="x"))
except IndexReadOnlyError:
    print("read-only")
"""

READ_AS_OFTEN_AS_TOLD = """
from pathlib import Path
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.catalog.lookups import counts
import sqlalchemy.dialects.sqlite
path = Path(sys.argv[1])
drop()
catalog = SqliteCatalog(path)
for _ in sys.stdin:
    with catalog.read() as session:
        print(counts(session)["photos"], flush=True)
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may read and nobody but us may write."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
        folder.chmod(stat.S_IRWXU)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_can_be_read(public: Path) -> None:
    with closing(SqliteCatalog(public)) as catalog:
        catalog.migrate()
        store(catalog, [photo(1)])
    public.chmod(0o555)
    (public / "catalog.sqlite3").chmod(0o444)
    assert run_unprivileged(READ_THEN_WRITE, public) == "1\nread-only\n"
    assert [entry.name for entry in public.iterdir()] == ["catalog.sqlite3"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes two users, so root")
def test_a_reader_without_rights_sees_what_a_writer_with_rights_writes(public: Path) -> None:
    path = public / "catalog.sqlite3"
    with closing(SqliteCatalog(path.parent)) as catalog:
        catalog.migrate()
        store(catalog, [photo(1)])
    path.chmod(0o644)  # as whoever shares it says; the log gets the same
    drop = "import os, sys\ndef drop(): os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    reader = subprocess.Popen(
        [sys.executable, "-c", drop + READ_AS_OFTEN_AS_TOLD, str(public)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> int:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("\n")
            reader.stdin.flush()
            return int(reader.stdout.readline())

        assert seen() == 1
        with closing(SqliteCatalog(path.parent)) as catalog:
            for number in range(2, 8):
                store(catalog, [photo(number)])
                assert seen() == number
        assert seen() == 7
        with closing(SqliteCatalog(path.parent)) as catalog:
            store(catalog, [photo(8)])
        assert seen() == 8
        reader.send_signal(signal.SIGTERM)


def test_a_read_only_folder_says_so_when_a_catalog_is_to_be_made(public: Path) -> None:
    code = (
        "from pathlib import Path\nfrom imgmatch.catalog.sqlite import SqliteCatalog\n"
        "from imgmatch.errors import IndexReadOnlyError\ncatalog = SqliteCatalog(Path(sys.argv[1]))\ndrop()\n"
        "try: SqliteCatalog(Path(sys.argv[1])).migrate()\nexcept IndexReadOnlyError: print('read-only')\n"
    )
    public.chmod(0o555)
    assert run_unprivileged(code, public) == "read-only\n"


def test_a_missing_folder_is_an_error_of_the_index(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path / "nowhere")) as catalog, pytest.raises(IndexUnusableError):
        catalog.version()


def test_a_catalog_that_is_gone_or_another_one_is_known_as_replaced(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path)) as catalog:
        assert not catalog.is_replaced()  # nothing was opened
        catalog.migrate()
        catalog.compact()
        assert not catalog.is_replaced()
        (tmp_path / "catalog.sqlite3").rename(tmp_path / "elsewhere")
        assert catalog.is_replaced()
        (tmp_path / "catalog.sqlite3").write_bytes((tmp_path / "elsewhere").read_bytes())
        assert catalog.is_replaced()
