"""Photos that are fetched ahead of their turn share so many bytes, whatever servers send."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from web_server import Page, WebServer

from imgmatch.model import Fetched, NewPhoto
from imgmatch.sources.fetching import fetched_ahead
from imgmatch.sources.room import NoRoomError, Room

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def test_so_many_bytes_are_given_out_and_whoever_is_first_gets_what_it_needs() -> None:
    room = Room(10)
    first, second, third = (room.reservation() for _ in range(3))
    second.reserve(6)
    with pytest.raises(NoRoomError, match="5 bytes"):
        third.reserve(5)
    assert room.is_full()
    third.reserve(4)
    first.reserve(1_000)
    first.reserve(2_000)
    with pytest.raises(NoRoomError):
        second.reserve(7)
    first.leave()
    second.reserve(7)
    assert room.is_full()
    second.leave()
    assert not room.is_full()
    third.reserve(100)
    third.leave()
    third.leave()


def test_what_is_reserved_never_shrinks_and_what_is_here_already_counts() -> None:
    room = Room(10)
    first, second = room.reservation(), room.reservation()
    first.take(12)
    first.reserve(1)
    assert room.is_full()
    with pytest.raises(NoRoomError):
        second.reserve(1)
    first.leave()
    second.reserve(1)
    assert not room.is_full()


remote = pytest.importorskip("imgmatch.sources.remote")
pytest.importorskip("aiohttp", reason="the extra remote is not installed")
pytest.importorskip("fsspec", reason="the extra remote is not installed")


@dataclass(frozen=True)
class Item:
    photo: NewPhoto


def photos_at(server: WebServer, connections: object, count: int) -> Iterator[Item]:
    for number in range(count):
        file = connections.file(f"{server.url}/{number}")  # type: ignore[attr-defined]
        yield Item(NewPhoto("a", file, str(number), str(number)))


@pytest.fixture
def quick() -> object:
    from imgmatch.sources.retrying import RemoteOptions  # noqa: PLC0415 -- beside the extra

    return RemoteOptions(allow_private=True, pause_seconds=0.01, total_seconds=5.0, file_bytes=8 * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("announced", [True, False])
def test_large_photos_wait_for_those_before_them_and_all_come_whole_and_in_order(
    quick: object, monkeypatch: pytest.MonkeyPatch, *, announced: bool
) -> None:
    monkeypatch.setattr("imgmatch.sources.fetching.AHEAD_BYTES", 10 * MIB)
    body = bytes(4 * MIB)
    pages = {f"/{number}": Page(body, announce=-1 if announced else None) for number in range(30)}
    with WebServer(pages) as server, remote.Remote(quick) as connections:
        tracemalloc.start()
        got = fetched_ahead(photos_at(server, connections, 30))
        came: list[tuple[str, object]] = []
        for item, fetched in got:
            if not came:
                time.sleep(6)  # longer than a photo may take: to wait for room counts for nothing
            came.append((item.photo.label, len(fetched.data) if isinstance(fetched, Fetched) else fetched))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert came == [(str(number), 4 * MIB) for number in range(30)]
    assert peak < 40 * MIB  # of 120 MiB in all
    assert server.count("GET") <= (60 if announced else 90)  # each one again once there is room


@pytest.mark.slow
def test_small_photos_are_fetched_beside_each_other_and_once(quick: object) -> None:
    pages = {f"/{number}": Page(b"x" * 1_000, first_byte_after=0.05) for number in range(40)}
    with WebServer(pages) as server, remote.Remote(quick) as connections:
        got = [fetched for _, fetched in fetched_ahead(photos_at(server, connections, 40))]
    assert all(isinstance(fetched, Fetched) for fetched in got)
    assert (server.count("GET"), server.most_at_once > 1) == (40, True)


def test_photos_that_nobody_waits_for_any_more_are_given_up(quick: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.sources.fetching.AHEAD_BYTES", MIB)
    pages = {f"/{number}": Page(bytes(MIB)) for number in range(9)}
    with WebServer(pages) as server, remote.Remote(quick) as connections:
        got = fetched_ahead(photos_at(server, connections, 9))
        next(got)
        got.close()  # type: ignore[attr-defined]  # what a loop does that is left
        until = time.monotonic() + 30
        while connections._running:  # noqa: SLF001 -- what is on its way
            assert time.monotonic() < until
            time.sleep(0.01)
