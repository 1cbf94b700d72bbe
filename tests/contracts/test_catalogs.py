from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from writers import LEASE, TTL, fingerprints, learn, open_here, value, words

from imgmatch import registry
from imgmatch.catalog import migrations, schema
from imgmatch.catalog.base import Catalog
from imgmatch.catalog.fingerprints import intern_fingerprints, read_fingerprints
from imgmatch.catalog.orphans import remove_orphans
from imgmatch.errors import IndexLockedError, IndexTooNewError, LeaseLostError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postgresql_server import Server

    from imgmatch.catalog.leases import Lease

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="takes signals of Unix")


class Place:
    """A catalog of one kind, and processes that write to it; ``content`` is all that it holds, as it is kept."""

    def __init__(self, scheme: str, home: Path | str, content: Callable[[], bytes]) -> None:
        self.scheme = scheme
        self.home = home
        self.content = content
        self.catalog = open_here(scheme, home)

    def start(self, task: str, argument: str = "-", number: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("writers.py")), self.scheme, str(self.home)]
        return subprocess.Popen(
            [*command, task, argument, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @contextmanager
    def told(self, task: str, word: str, expected: str) -> Iterator[subprocess.Popen[str]]:
        """A process that has said what is expected of it; killed at the end."""
        with self.start(task, word) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{expected}\n"
            yield process
            process.kill()

    def known(self) -> set[str]:
        """What is known of the account that all write to."""
        with self.catalog.read() as session:
            found = session.sql.scalar(
                select(schema.accounts.c.attributes).where(schema.accounts.c.account == "shared")
            )
        return set(found or {})

    def write(self, word: str, lease: Lease | None = None) -> None:
        with self.catalog.write(lease) as session:
            learn(session, "shared", word)


def in_a_file(_: pytest.FixtureRequest, folder: Path) -> Place:
    return Place("file", folder, lambda: b"".join(file.read_bytes() for file in folder.iterdir()))


def in_postgresql(request: pytest.FixtureRequest, _: Path) -> Place:
    server: Server = request.getfixturevalue("postgresql")
    url = server.database()
    return Place("postgresql", url, lambda: server.dump(url))


_PLACES = {"file": in_a_file, "postgresql": in_postgresql}


@pytest.fixture(params=sorted(registry.CATALOGS))
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where nothing is yet."""
    place = _PLACES[request.param](request, tmp_path)
    yield place
    place.catalog.close()


@pytest.fixture
def place(empty: Place) -> Place:
    empty.catalog.migrate()
    return empty


# -- opening ----------------------------------------------------------------------------------------------------


def test_it_keeps_the_contract(place: Place) -> None:
    assert isinstance(place.catalog, Catalog)


def test_a_home_of_another_scheme_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no catalog is called 'smoke'"):
        registry.open_catalog("smoke://signals")


def test_it_is_not_there_before_it_is_made(empty: Place) -> None:
    assert not empty.catalog.exists()
    empty.catalog.migrate()
    assert empty.catalog.exists()
    assert empty.catalog.version() == migrations.VERSION


@pytest.mark.slow
def test_of_several_that_make_it_at_once_one_does_and_the_others_find_it_made(empty: Place) -> None:
    processes = [empty.start("migrate") for _ in range(4)]
    for process in processes:
        with process:
            assert process.wait(60) == 0
    assert empty.catalog.version() == migrations.VERSION
    with empty.catalog.read() as session:
        assert list(session.sql.scalars(select(schema.versions.c.version))) == [migrations.VERSION]


def test_one_that_a_newer_imgmatch_has_made_is_left_alone(place: Place) -> None:
    with place.catalog.write() as session:
        session.sql.execute(schema.versions.insert().values(version=migrations.VERSION + 1))
    with pytest.raises(IndexTooNewError):
        place.catalog.migrate()
    assert place.catalog.version() == migrations.VERSION + 1


# -- reading and writing ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_read_sees_one_state_whatever_is_written_meanwhile(place: Place) -> None:
    place.write("before")
    query = select(schema.accounts.c.attributes)
    with place.catalog.read() as session:
        assert set(session.sql.scalars(query).one()) == {"before"}
        with place.start("words", "w", 5) as writer:
            assert writer.wait(60) == 0
        assert set(session.sql.scalars(query).one()) == {"before"}
    assert len(place.known()) == 6


def test_a_write_is_all_or_nothing(place: Place) -> None:
    def fail() -> None:
        with place.catalog.write() as session:
            learn(session, "shared", "half")
            learn(session, "other", "half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert place.known() == set()
    with place.catalog.read() as session:
        assert session.sql.execute(select(schema.accounts)).all() == []


def test_of_a_write_that_is_killed_nothing_is_left_and_nobody_waits_for_it(place: Place) -> None:
    with place.told("half", "half", "half") as process:
        process.kill()
        process.wait()
        place.write("after")
    assert place.known() == {"after"}


def test_readers_do_not_wait_for_a_writer(place: Place) -> None:
    with place.told("half", "half", "half"):
        assert place.known() == set()


@pytest.mark.slow
def test_writers_of_several_processes_and_threads_lose_nothing_of_one_another(place: Place) -> None:
    processes = [place.start("words", f"p{number}", 20) for number in range(3)]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(words, place.catalog, f"t{number}", 20) for number in range(4)]:
            done.result()
    for process in processes:
        with process:
            assert process.wait(60) == 0
    kept = [number for number in range(20) if number % 10 != 9]
    assert place.known() == {f"{name}{writer}-{number}" for name, several in (("p", 3), ("t", 4))
                             for writer in range(several) for number in kept}  # fmt: skip


@pytest.mark.slow
def test_a_writer_that_waits_too_long_is_told(place: Place) -> None:
    impatient = open_here(place.scheme, place.home, patience=0.05)
    with place.told("half", "half", "half"), pytest.raises(IndexLockedError), impatient.write():
        pass
    impatient.close()


@pytest.mark.slow
def test_a_watermark_skips_no_row_however_many_write_at_once(place: Place) -> None:
    processes = [place.start("fingerprints", f"p{number}", 60) for number in range(3)]
    writers = [threading.Thread(target=fingerprints, args=(place.catalog, f"t{number}", 60)) for number in range(3)]
    for writer in writers:
        writer.start()
    seen, watermark = list[int](), 0
    busy = True
    while busy:
        busy = any(writer.is_alive() for writer in writers) or any(process.poll() is None for process in processes)
        with place.catalog.read() as session:
            for ids, _ in read_fingerprints(session, "phash", watermark):
                seen += ids.tolist()
                watermark = seen[-1]
    for process in processes:
        with process:
            assert process.returncode == 0
    with place.catalog.read() as session:
        assert seen == sorted(session.sql.scalars(select(schema.fingerprints.c.id)))
    kept = [number for number in range(60) if number % 7 != 6]
    assert len(seen) == 6 * sum(number % 4 + 1 for number in kept)


# -- leases -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lease_is_held_by_one_process_at_a_time(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    processes = [place.start("counting", str(file), 10) for _ in range(4)]
    for process in processes:
        with process:
            assert process.wait(120) == 0
    assert file.read_text() == "40"


def test_who_finds_a_lease_held_is_told_by_whom_and_since_when(place: Place) -> None:
    with place.told("hold", "word", "held") as holder:
        pattern = (
            rf"{LEASE} is under way; process {holder.pid} on .+ holds it since \d{{4}}-\d\d-\d\dT.+; try again later"
        )
        with pytest.raises(IndexLockedError, match=pattern), place.catalog.lease(LEASE):
            pass
        with place.catalog.lease("another"):
            pass


@pytest.mark.slow
def test_who_waits_for_a_lease_has_it_when_its_holder_is_done(place: Place) -> None:
    with place.told("hold", "word", "held") as holder, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: place.write("after", enter(place.catalog, LEASE)))
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
        with pytest.raises(LeaseLostError):  # it was given back at the end of the block
            waiting.result(60)
    assert place.known() == {"word"}


def enter(catalog: Catalog, name: str) -> Lease:
    with catalog.lease(name, wait=math.inf) as lease:
        return lease


def test_a_lease_is_given_back_at_the_end_and_after_an_error(place: Place) -> None:
    with pytest.raises(KeyError), place.catalog.lease(LEASE):
        raise KeyError
    with place.catalog.lease(LEASE):
        pass


def test_who_holds_a_lease_may_take_it_again_and_holds_it_to_the_end_of_the_outermost(place: Place) -> None:
    with ThreadPoolExecutor(1) as threads:
        with place.catalog.lease(LEASE) as lease:
            with place.catalog.lease(LEASE) as again:
                assert again == lease
            place.write("inside", lease)
            with pytest.raises(IndexLockedError):
                threads.submit(enter_now, place.catalog).result()
        threads.submit(enter_now, place.catalog).result()


def enter_now(catalog: Catalog) -> None:
    with catalog.lease(LEASE):
        pass


@pytest.mark.slow
def test_a_lease_is_renewed_while_it_is_held(place: Place) -> None:
    with place.told("hold", "word", "held"):
        for _ in range(3):
            time.sleep(TTL / 2)
            with pytest.raises(IndexLockedError):
                enter_now(place.catalog)


@UNIX
def test_the_lease_of_a_holder_that_is_killed_is_taken_over_at_once(place: Place) -> None:
    with place.told("hold", "word", "held") as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with place.catalog.lease(LEASE) as lease:
            place.write("after", lease)
    assert place.known() == {"after"}


@pytest.mark.slow
@UNIX
def test_who_gave_no_sign_of_life_for_too_long_writes_nothing_any_more(place: Place) -> None:
    with place.told("hold", "too late", "held") as holder:
        os.kill(holder.pid, signal.SIGSTOP)
        with place.catalog.lease(LEASE, wait=60) as lease:
            os.kill(holder.pid, signal.SIGCONT)
            assert holder.stdin is not None
            assert holder.stdout is not None
            holder.stdin.write("\n")
            holder.stdin.flush()
            assert holder.stdout.readline() == "lost\n"
            assert holder.wait(60) == 0
            place.write("in time", lease)  # the end of the former holder takes nothing from the new one
    assert place.known() == {"in time"}


def test_a_write_under_a_lease_that_is_over_is_refused(place: Place) -> None:
    with place.catalog.lease(LEASE) as lease:
        place.write("inside", lease)
    with pytest.raises(LeaseLostError, match=LEASE):
        place.write("outside", lease)
    assert place.known() == {"inside"}


# -- erasing ----------------------------------------------------------------------------------------------------


def removed(place: Place, *values: bytes) -> None:
    """Fingerprints that were there and that nothing uses any more."""
    with place.catalog.write() as session:
        rows = list(intern_fingerprints(session, "phash", values).values())
    with place.catalog.write() as session:
        noted = [{"kind": "fingerprints", "row": row} for row in rows]
        session.sql.execute(schema.orphans.insert(), noted)
        assert remove_orphans(session)["fingerprints"] == len(rows)


@pytest.mark.slow
def test_what_was_removed_is_nowhere_once_it_is_compacted(place: Place) -> None:
    values = [value(number) for number in range(500)]
    removed(place, *values)
    assert place.catalog.compact()
    content = place.content()
    assert not [one for one in values if one in content]


@pytest.mark.slow
def test_it_says_so_where_a_reader_keeps_it_from_clearing_what_was_removed(place: Place) -> None:
    impatient = open_here(place.scheme, place.home, patience=0.5)
    gone = value("gone")
    with place.catalog.write() as session:
        intern_fingerprints(session, "phash", [gone])
    with place.catalog.read() as session:
        assert session.sql.scalar(select(schema.fingerprints.c.bits)) == gone
        removed(place, gone)
        assert not impatient.compact()
        assert session.sql.scalar(select(schema.fingerprints.c.bits)) == gone
    assert impatient.compact()
    assert gone not in place.content()
    impatient.close()


@pytest.mark.slow
def test_it_is_compacted_while_others_write(place: Place) -> None:
    processes = [place.start("words", f"p{number}", 30) for number in range(2)]
    for number in range(5):
        removed(place, value(number))
        place.catalog.compact()
    for process in processes:
        with process:
            assert process.wait(60) == 0
    assert len(place.known()) == 2 * 27


def test_a_catalog_that_is_open_is_not_replaced_by_what_is_written_to_it(empty: Place) -> None:
    empty.catalog.migrate()
    empty.write("a")
    empty.catalog.compact()
    assert not empty.catalog.is_replaced()
