from __future__ import annotations

import socket
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import click
import httpx
import pytest
from older import back_to_version_7

from imgmatch.cli import porter
from imgmatch.cli.main import run
from imgmatch.cli.porter import Porter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(porter, "SECONDS", 0.0)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def at_the_door() -> Iterator[tuple[str, int]]:
    """Where a porter answers."""
    with Porter(listening) as door:
        yield "127.0.0.1", port_of(door)
    assert door.socket is not None
    door.socket.close()


def port_of(door: Porter) -> int:
    until = time.monotonic() + 60
    while door.socket is None and time.monotonic() < until:
        time.sleep(0.01)
    assert door.socket is not None
    return int(door.socket.getsockname()[1])


def test_whoever_asks_while_an_index_is_opened_is_told_to_come_again_in_json() -> None:
    with at_the_door() as (host, port):
        url = f"http://{host}:{port}"
        for method, path in (("GET", "/c/bank/X"), ("GET", "//c/bank/X"), ("POST", "/h/hash"), ("GET", "/readyz?x")):
            answer = httpx.request(method, url + path, timeout=60)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
            assert "still being opened" in answer.json()["message"]
        for path in ("/healthz", "/status/live", "/t/secret/status/live"):
            assert httpx.get(url + path, timeout=60).status_code == 200
        assert httpx.head(url + "/status", timeout=60).status_code == 503


def test_who_says_nothing_or_too_much_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(porter, "_PATIENCE_SECONDS", 0.05)
    with at_the_door() as address, socket.create_connection(address), socket.create_connection(address) as other:
        other.sendall(b"x" * 100_000)
        assert httpx.get(f"http://127.0.0.1:{address[1]}/c/banks", timeout=60).status_code == 503


def test_the_port_is_handed_on_and_given_back_where_there_is_nobody() -> None:
    with Porter(listening) as door:
        port_of(door)
    assert door.socket is not None
    with door.socket:
        assert door.socket.gettimeout() is None
        socket.create_connection(door.socket.getsockname()).close()
    with suppress(LookupError), Porter(listening) as door:
        address = ("127.0.0.1", port_of(door))
        raise LookupError
    socket.create_server(address).close()


def test_a_port_that_cannot_be_had_is_left_to_who_comes_after() -> None:
    tried = threading.Event()

    def bind() -> socket.socket:
        tried.set()
        raise click.ClickException("taken")

    with Porter(bind) as door:
        assert tried.wait(60)
    assert door.socket is None


def test_what_is_open_soon_needs_no_porter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(porter, "SECONDS", 60.0)
    with Porter(listening) as door:
        pass
    assert door.socket is None


def test_serve_answers_503_while_its_index_is_migrated(world: Path) -> None:
    """Somebody else writes into an old catalog, so that the migration has to wait; in the end nobody is named."""
    back_to_version_7(world)
    with listening() as free:
        port = free.getsockname()[1]
    codes: list[int] = []
    arguments = ["serve", "--index", str(world), "--port", str(port), "--host-name", "photos.example", "--workers", "1"]
    serving = threading.Thread(target=lambda: codes.append(run(arguments)))
    with closing(sqlite3.connect(world / "catalog.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        serving.start()
        until = time.monotonic() + 60
        answer = None
        while answer is None and time.monotonic() < until:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/c/bank/X", timeout=60)
            except httpx.TransportError:
                time.sleep(0.05)
        other.rollback()
    serving.join(60)
    assert answer is not None
    assert answer.status_code == 503
    assert codes == [2]
