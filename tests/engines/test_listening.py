"""A process that answers questions reads what others write as soon as the database tells of it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import photos
import pytest
from counting import counted_transactions
from deaf_pooler import deaf_pooler
from planting import DAY_ONE
from postgresql_server import database_of

from imgmatch.actions import database
from imgmatch.catalog import notices
from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgresql_server import Server

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]


@pytest.fixture
def url(postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(database.ENGINES, str(tmp_path / "engines"))
    return postgresql.database()


@pytest.fixture
def index(url: str, tmp_path: Path) -> Iterator[Index]:
    """One that has answered a question, and has three photos in its engines."""
    with Index.open(url, create=True) as opened:
        opened.add([new(tmp_path, number) for number in range(3)])
        opened.warm_up()
        yield opened


def new(folder: Path, number: int) -> NewPhoto:
    path = folder / f"{number}.jpg"
    path.write_bytes(photos.jpeg(photos.picture(number)))
    return NewPhoto.at(path, account=f"a{number}", seen_at=DAY_ONE)


def query(photo: NewPhoto) -> str:
    return str(photo.path)


def came_true(look: Callable[[], bool]) -> bool:
    """Whether it does within a minute."""
    until = time.monotonic() + 60
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def listeners(server: Server, url: str) -> list[str]:
    """The numbers of the server's processes that somebody listens by."""
    mine = f"application_name = '{notices.LISTENING}' AND datname = '{database_of(url)}'"
    return server.say(f"SELECT pid FROM pg_stat_activity WHERE {mine}").split()


def has_read_all(index: Index) -> bool:
    """Whether the engines that are open hold every row there is, without having been asked."""
    last = index.parts.search.extent().last
    engines = [each._engine for each in (index.parts.fingerprints, index.parts.features)]  # noqa: SLF001 -- current() reads
    return [None if each is None else each.watermark for each in engines] == [last["fingerprints"], last["features"]]


def write_elsewhere(url: str, photo: NewPhoto) -> None:
    """Have another process add a photo."""
    program = (
        "import sys; from pathlib import Path; from imgmatch import Index, NewPhoto\n"
        "with Index.open(sys.argv[1]) as index: index.add([NewPhoto.at(Path(sys.argv[2]), account=sys.argv[3])])"
    )
    subprocess.run([sys.executable, "-c", program, url, str(photo.path), photo.account], check=True, timeout=120)


def test_what_another_process_writes_is_read_before_anybody_asks(url: str, index: Index, tmp_path: Path) -> None:
    fresh = new(tmp_path, 7)
    before = index.parts.search.extent().last
    write_elsewhere(url, fresh)
    assert index.parts.search.extent().last["features"] > before["features"]
    assert came_true(lambda: has_read_all(index))
    with counted_transactions() as begun:
        [match] = index.check(query(fresh)).matches
    assert match.photo.account == fresh.account
    assert len(begun) == 2  # nothing was left to be read


def test_who_may_only_read_hears_of_it_too(postgresql: Server, url: str, index: Index, tmp_path: Path) -> None:
    name = database_of(url)
    postgresql.say(f"CREATE ROLE hearing_{name} LOGIN", name)
    postgresql.say(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO hearing_{name}", name)
    with Index.open(url.replace("imgmatch@", f"hearing_{name}@")) as reader:
        reader.warm_up()
        index.add([new(tmp_path, 7)])
        assert came_true(lambda: has_read_all(reader))


def test_a_connection_that_was_lost_comes_back_and_what_was_missed_is_read(
    postgresql: Server, url: str, index: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imgmatch.catalog.notices")
    assert came_true(lambda: len(listeners(postgresql, url)) == 1)
    [killed] = listeners(postgresql, url)
    postgresql.say(f"SELECT pg_terminate_backend({killed})")
    assert came_true(lambda: killed not in listeners(postgresql, url))
    with Index.open(url) as other:
        other.add([new(tmp_path, 7)])
        assert came_true(lambda: has_read_all(index))
        assert came_true(lambda: "are heard again" in caplog.text)
        assert "no notices of what is new" in caplog.text
        [another] = listeners(postgresql, url)
        assert another != killed
        other.add([new(tmp_path, 8)])
        assert came_true(lambda: has_read_all(index))


def test_behind_a_pooler_that_drops_notices_it_is_said_so_and_a_question_sees_what_was_written_before_it(
    postgresql: Server,
    url: str,
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notices, "_HEARD_WITHIN", 0.5)
    with deaf_pooler(url, postgresql.folder) as pooled, Index.open(pooled) as deaf:
        deaf.warm_up()
        assert came_true(lambda: "is there a pooler between?" in caplog.text)
        fresh = new(tmp_path, 7)
        index.add([fresh])
        assert [match.photo.account for match in deaf.check(query(fresh)).matches] == [fresh.account]


def test_who_asks_once_opens_no_connection_for_it_and_who_asks_more_has_one_until_the_end(
    postgresql: Server, url: str, tmp_path: Path
) -> None:
    with Index.open(url, create=True) as index:
        photo = query(new(tmp_path, 1))
        index.check(photo)
        index.close()
        assert listeners(postgresql, url) == []
    with Index.open(url) as index:
        index.check(photo)
        index.check(photo)
        assert came_true(lambda: len(listeners(postgresql, url)) == 1)
    assert came_true(lambda: listeners(postgresql, url) == [])


def test_an_index_in_a_folder_listens_to_nobody_and_sees_what_was_written_when_it_is_asked(tmp_path: Path) -> None:
    with Index.open(tmp_path / "index", create=True) as index, Index.open(tmp_path / "index") as other:
        index.warm_up()
        assert "imgmatch notices" not in {thread.name for thread in threading.enumerate()}
        fresh = new(tmp_path, 7)
        other.add([fresh])
        assert [match.photo.account for match in index.check(query(fresh)).matches] == [fresh.account]
