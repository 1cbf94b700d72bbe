from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from coop_server import add
from serving import Served, served
from sqlalchemy import update

from imgmatch.actions.deliveries import GIVE_UP_AFTER
from imgmatch.catalog import schema
from imgmatch.catalog.times import now
from imgmatch.errors import ImgmatchError
from imgmatch.model import Verdict
from imgmatch.web import deliveries, posting
from imgmatch.web.settings import ServeSettings
from imgmatch.web.sinks import channels
from imgmatch.web.webhook import signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "a shared secret"  # noqa: S105 -- of nobody


class Platform:
    """Listens for decisions; answers with what it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                platform.heard.append((dict(self.headers), body))
                self.send_response(platform.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        until = time.monotonic() + 60
        while len(self.heard) < count and time.monotonic() < until:
            time.sleep(0.02)
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("IMGMATCH_WEBHOOK_SECRET", SECRET)
    monkeypatch.setattr(deliveries, "_PAUSE", 0.05)
    made = Platform()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def telling(world: Path, platform: Platform) -> Iterator[Served]:
    with served(world, webhook=platform.url) as server:
        yield server


def settled(server: Served, count: int = 1) -> list[dict[str, Any]]:
    """What is noted of the latest attempts, once there are so many."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        log = server.index.outbox.log(9)
        if len(log) >= count and all(one["attempts"] for one in log[:count]):
            return log
        time.sleep(0.02)
    raise AssertionError(server.index.outbox.log(9))


@pytest.mark.slow
def test_a_platform_is_told_of_each_decision_signed(telling: Served, platform: Platform) -> None:
    ring = telling.ring("mia")
    made = telling.index.decide(Verdict.CONFIRM, ring=ring, by="ana", reason="script")
    telling.index.undo(made.number, by="ben")
    confirmed, undone = platform.wait_for(2)
    assert (confirmed["event"], confirmed["accounts"]) == ("ring.confirm", ["anna", "kate", "lena", "mia"])
    assert (confirmed["decision"]["by"], confirmed["decision"]["reason"]) == ("ana", "script")
    assert confirmed["ring"]["ring"] == ring
    assert confirmed["ring"]["groups"][0]["photos"][0]["score"] > 0.9
    assert (undone["event"], undone["decision"]["subject"]) == ("ring.undo", str(made.number))
    assert undone["accounts"] == confirmed["accounts"]  # whom a platform has to let back in
    assert (confirmed["possible_owner"], undone["possible_owner"], undone["ring"]["ring"]) == ("mia", "mia", ring)
    headers, body = platform.heard[0]
    said = dict(part.split("=") for part in headers["X-Imgmatch-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{said['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(said["v1"], expected)
    assert abs(int(said["t"]) - time.time()) < 120
    assert signature(SECRET, body, int(said["t"])) == headers["X-Imgmatch-Signature"]
    assert [one["answer"] for one in settled(telling, 2)] == ["204", "204"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["endless body", "endless headers"])
def test_a_platform_that_never_ends_its_answer_is_not_waited_for(
    world: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("IMGMATCH_WEBHOOK_SECRET", SECRET)
    monkeypatch.setattr(deliveries, "_PAUSE", 0.05)
    monkeypatch.setattr(posting, "_TIMEOUT", 1.0)
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                connection = stack.enter_context(listening.accept()[0])
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n"
                connection.sendall(head + (b"\r\n" if kind == "endless body" else b""))
                while not over.wait(0.2):
                    connection.sendall(b"x" if kind == "endless body" else b"X-More: x\r\n")

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    began = time.monotonic()
    with served(world, webhook=url) as server:
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        [noted] = settled(server)
    assert noted["answer"].startswith("200" if kind == "endless body" else "TimeoutError")
    assert time.monotonic() - began < 60
    over.set()
    socket.create_connection(listening.getsockname()).close()  # whoever waits for a call gets one
    answering.join(10)
    listening.close()


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_a_platform_does_not_take_is_told_again_later(telling: Served, platform: Platform, status: int) -> None:
    platform.status = status
    telling.index.decide(Verdict.CONFIRM, ring=telling.ring("mia"), by="ana")
    platform.wait_for(1)
    [noted] = settled(telling)
    assert (noted["answer"], noted["attempts"], noted["delivered_at"]) == (str(status), 1, None)
    assert noted["next_at"] is not None
    platform.status = 200
    with telling.index.parts.catalog.write() as session:
        session.sql.execute(update(schema.deliveries).values(next_at=now()))
    platform.wait_for(2)
    until = time.monotonic() + 60
    while telling.index.outbox.log(1)[0]["delivered_at"] is None and time.monotonic() < until:
        time.sleep(0.02)
    assert telling.index.outbox.log(1)[0]["attempts"] == 2
    assert telling.index.outbox.log(1)[0]["next_at"] is None


def test_a_platform_that_is_not_there_is_tried_later_and_later_and_then_given_up(world: Path) -> None:
    from imgmatch.index import Index  # noqa: PLC0415 -- no server here

    with Index.open(world) as index:
        outbox = index.outbox
        outbox.begin()
        index.decide(Verdict.CONFIRM, group=index.ring(index.queue().rings[0].ring).groups[0].group, by="ana")
        waits = []
        for _ in range(GIVE_UP_AFTER):
            [due] = outbox.due()
            outbox.note(due, "ConnectError", delivered=False)
            again = outbox.log(1)[0]["next_at"]
            waits.append(None if again is None else again.timestamp() - time.time())
            with index.parts.catalog.write() as session:
                session.sql.execute(
                    update(schema.deliveries).where(schema.deliveries.c.next_at.is_not(None)).values(next_at=now())
                )
        assert waits[-1] is None
        rounded = [round(wait, -1) for wait in waits[:-1] if wait is not None]
        assert rounded[:4] == [10, 20, 40, 80]
        assert rounded == sorted(rounded)
        assert outbox.due() == []


@pytest.mark.slow
def test_decisions_from_before_there_was_a_webhook_are_not_told(world: Path, platform: Platform) -> None:
    from imgmatch.index import Index  # noqa: PLC0415 -- no server here

    with Index.open(world) as index:
        first = index.decide(Verdict.CONFIRM, ring=index.queue().rings[0].ring, by="ana")
    with served(world, webhook=platform.url) as server:
        second = server.index.undo(first.number, by="ana")
        told = platform.wait_for(1)
        time.sleep(0.3)
    assert [one["decision"]["decision"] for one in told] == [second.number]
    assert len(platform.heard) == 1


@pytest.mark.slow
def test_what_was_decided_while_no_server_ran_is_told_when_one_does(world: Path, platform: Platform) -> None:
    from imgmatch.index import Index  # noqa: PLC0415 -- no server here

    with served(world, webhook=platform.url) as server:
        first = server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        platform.wait_for(1)
        settled(server)
    with Index.open(world) as index:
        second = index.undo(first.number, by="ana")
    with served(world, webhook=platform.url):
        told = platform.wait_for(2)
    assert [one["decision"]["decision"] for one in told] == [first.number, second.number]


@pytest.mark.slow
def test_an_account_that_was_erased_meanwhile_is_not_told(world: Path, platform: Platform) -> None:
    platform.status = 500
    with served(world, webhook=platform.url) as server:
        server.index.decide(Verdict.CONFIRM, ring=server.ring("mia"), by="ana")
        settled(server)
        erased = server.index.erase(account="lena")
        assert (erased.traces, erased.finished) == (0, True)
        platform.status = 200
        with server.index.parts.catalog.write() as session:
            session.sql.execute(update(schema.deliveries).values(next_at=now()))
        told = platform.wait_for(2)
    assert "lena" in json.dumps(told[0])
    assert "lena" not in json.dumps(told[1])


@pytest.mark.slow
def test_a_platform_that_asks_for_it_is_told_of_rings_that_a_run_has_found(world: Path, platform: Platform) -> None:
    with served(world, webhook=platform.url, report_new_rings=("webhook",)) as server:
        found = platform.wait_for(3)
        server.index.decide(Verdict.CONFIRM, ring=server.ring("tom"), by="ana")
        decided = platform.wait_for(4)[3]
        mia = server.ring("mia")
        add(server.index, "nora", 1)
        grown = platform.wait_for(5)[4]
    assert {one["event"] for one in found} == {"ring.new"}
    told = next(one for one in found if one["ring"]["ring"] == mia)
    assert (told["accounts"], told["possible_owner"]) == (["anna", "kate", "lena", "mia"], "mia")
    assert (told["decision"], decided["event"]) == (None, "ring.confirm")
    assert (grown["event"], grown["ring"]["ring"]) == ("ring.grown", mia)
    assert grown["accounts"] == ["anna", "kate", "lena", "mia", "nora"]
    assert all("X-Imgmatch-Signature" in headers for headers, _ in platform.heard)
    assert len(platform.heard) == 5


@pytest.mark.slow
def test_a_webhook_without_a_secret_is_refused(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMGMATCH_WEBHOOK_SECRET", raising=False)
    with pytest.raises(ImgmatchError, match="needs a secret to sign with"):
        channels(server.index, ServeSettings("x", webhook="http://127.0.0.1:1"))
