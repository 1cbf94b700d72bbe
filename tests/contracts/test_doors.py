"""What an index and a client of a server both give: the same verbs, values and errors."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from serving import PASSWORD, Served, picture, served

from imgmatch.client import Client
from imgmatch.errors import (
    ConflictError,
    ImgmatchError,
    IndexUnusableError,
    NotAllowedError,
    NotFoundError,
    PhotoError,
    TooManyTriesError,
)
from imgmatch.formats import records
from imgmatch.model import Change, QueueOrder, QueueState, Role, Scope, SkipReason, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.index import Index

MIRRORED = picture(1, 50, mirrored=True)


Door = Any
"""Either of the two: what it has is what these tests are about."""


class Signing:
    """An index whose decisions and erasures are signed, as a client's are by its token."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a door has
        return getattr(self._index, name)

    def decide(self, verdict: Verdict, **more: Any) -> Any:  # noqa: ANN401 -- likewise
        return self._index.decide(verdict, by="door", **more)

    def undo(self, number: int, **more: Any) -> Any:  # noqa: ANN401 -- likewise
        return self._index.undo(number, by="door", **more)

    def erase(self, **more: Any) -> Any:  # noqa: ANN401 -- likewise
        return self._index.erase(by="door", **more)


@pytest.fixture
def guarded(world: Path) -> Iterator[Served]:
    with served(world, local=False, is_open=False) as server:
        yield server


@pytest.fixture(params=["index", "client"])
def door(guarded: Served, request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == "index":
        yield Signing(guarded.index)
        return
    token = guarded.index.people.add_token("door", list(Scope))
    with Client(guarded.url + "/", token=token.secret) as client:
        yield client


@pytest.mark.slow
def test_a_check_gives_the_accounts_with_the_evidence(door: Door, guarded: Served) -> None:
    found = door.check(MIRRORED)
    assert (found.status, found.accounts) == (Status.MATCH, 4)
    assert records.check_record(found) == records.check_record(guarded.index.check(MIRRORED))
    assert [match.photo.account for match in door.check(MIRRORED, account="mia", limit=1)] != ["mia"]
    assert len({match.photo.account for match in door.check(MIRRORED, limit=2)}) == 2


@pytest.mark.slow
def test_many_photos_are_answered_in_order(door: Door, tmp_path: Path) -> None:
    sent = [picture(seed, 60) for seed in (3, 8, 1)] * 7
    assert [one.accounts for one in door.check_many(iter(sent))] == [2, 0, 4] * 7
    assert list(door.check_many([])) == []
    path = tmp_path / "x.jpg"
    path.write_bytes(sent[0])
    assert next(iter(door.check_many([path]))).photo == str(path)


def test_a_fingerprint_is_enough(door: Door, guarded: Served) -> None:
    [hashed] = guarded.index.hash([picture(3, 60)])
    assert {match.photo.account for match in door.check_fingerprint(hashed.fingerprints["phash"])} == {"tom", "tim"}


def test_two_photos_are_compared(door: Door) -> None:
    found = door.compare(MIRRORED, picture(1))
    assert (found.is_match, found.evidence.mirrored) == (True, True)
    with pytest.raises(PhotoError) as caught:
        door.compare(b"junk", picture(1))
    assert caught.value.reason is SkipReason.UNREADABLE


def test_an_account_a_ring_and_the_queue_are_what_the_index_holds(door: Door, guarded: Served) -> None:
    index, ring = guarded.index, guarded.ring("mia")
    assert records.account_record(door.account("anna")) == records.account_record(index.account("anna"))
    assert records.ring_record(door.ring(ring)) == records.ring_record(index.ring(ring))
    assert door.ring(ring).version == index.ring(ring).version
    assert door.queue() == index.queue()
    first = door.queue(order=QueueOrder.OLDEST, limit=1, state=QueueState.ALL)
    assert door.queue(order=QueueOrder.OLDEST, limit=1, state=QueueState.ALL, after=first.next).rings != first.rings
    assert door.queue(search="tim").total == 1
    assert door.queue(change=Change.GROWN).total == 0
    assert door.status() == index.status()


def test_a_decision_is_made_read_and_taken_back(door: Door, guarded: Served) -> None:
    ring = guarded.ring("mia")
    made = door.decide(Verdict.CONFIRM, ring=ring, reason="why", expect=guarded.index.ring(ring).version)
    assert (made.verdict, made.by, made.reason, made.subject) == (Verdict.CONFIRM, "door", "why", ring)
    assert door.banks() == {"known-stolen": 6}
    with pytest.raises(ConflictError, match="has changed since it was shown"):
        door.decide(Verdict.COMMON, ring=ring, expect="0" * 16)
    undone = door.undo(made.number, reason="a slip")
    assert (undone.subject, undone.reason) == (str(made.number), "a slip")
    assert [one.number for one in door.decisions()] == [undone.number, made.number]
    assert [one.number for one in door.decisions(limit=1, before=undone.number, by="door")] == [made.number]
    with pytest.raises(ConflictError, match="taken back already"):
        door.undo(made.number)
    assert door.decide(Verdict.DISMISS, pair=("p00", "p01")).photos == 2
    assert door.decide(Verdict.COMMON, group=guarded.index.ring(guarded.ring("tom")).groups[0].group).kind == "group"


def test_what_is_not_there_is_an_error_of_its_own(door: Door) -> None:
    for verb, arguments in (
        ("ring", {"ring": "r0"}),
        ("account", {"account": "nobody"}),
        ("undo", {"number": 77}),
        ("erase", {"account": "nobody"}),
        ("decide", {"verdict": Verdict.CONFIRM, "ring": "r0"}),
    ):
        with pytest.raises(NotFoundError):
            getattr(door, verb)(**arguments)
    with pytest.raises(ValueError, match="no place in a queue"):
        door.queue(after="x")


@pytest.mark.slow
def test_a_photo_is_added_shown_found_removed_and_erased(door: Door) -> None:
    new = {"photo_id": "x/1", "account": "new", "name": "Nora"}
    assert [door.add_photo(picture(7, 80), **new) for _ in range(2)] == ["added", "unchanged"]
    assert door.add_photo(picture(8, 80), **new) == "updated"
    assert [match.photo.photo_id for match in door.check(picture(8, 50))] == ["x/1"]
    shown = door.pictures(["x/1", "nothing"], side=64)
    assert list(shown) == ["x/1"]
    assert shown["x/1"].jpeg.startswith(b"\xff\xd8")
    assert "thumbnail" in shown["x/1"].note
    with pytest.raises(PhotoError) as caught:
        door.add_photo(b"junk", photo_id="bad", account="new")
    assert caught.value.reason is SkipReason.UNREADABLE
    assert (door.remove(photo_id="x/1"), door.remove(photo_id="x/1")) == (1, 0)
    erased = door.erase(account="lena")
    assert (erased.photos, erased.traces, erased.finished) == (1, 0, True)


def test_a_client_that_may_not_is_told_so(guarded: Served) -> None:
    token = guarded.index.people.add_token("reader", [Scope.READ])
    with Client(guarded.url, token=token.secret) as client:
        assert client.queue().total == 3
        with pytest.raises(NotAllowedError, match="scope check") as caught:
            client.check(MIRRORED)
        assert not caught.value.is_unknown
    with Client(guarded.url, token="forged") as client, pytest.raises(NotAllowedError) as caught:  # noqa: S106 -- it is none
        client.queue()
    assert caught.value.is_unknown


def test_a_client_whose_server_is_busy_late_or_gone_is_told_so(world: Path, tmp_path: Path) -> None:
    with served(world, most_waiting=1) as server, Client(server.url) as client:
        server.service.gate.enter()
        with pytest.raises(TooManyTriesError) as caught:
            client.check(MIRRORED)
        assert caught.value.retry_after == 2
        server.service.gate.leave()
        for _ in range(3):  # none of them stays in the queue, which has one place
            assert client.check(MIRRORED, deadline=1e-9) is None
        with pytest.raises(PhotoError, match="is not there"):
            client.check(tmp_path / "missing.jpg")
    with Client(server.url) as client, pytest.raises(IndexUnusableError):
        client.status()


@pytest.mark.slow
def test_photos_are_sent_in_parts_that_a_server_takes_and_paths_stay_here(world: Path, tmp_path: Path) -> None:
    import os  # noqa: PLC0415 -- for this alone

    large = picture(1) + b"\0" * (5 << 20)
    odd = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    odd.write_bytes(picture(3, 60))
    with served(world, upload_bytes=17 << 20) as server, Client(server.url) as client:
        assert [one.accounts for one in client.check_many([large] * 8)] == [4] * 8
        found = client.check(odd)
    assert found is not None
    assert (found.photo, found.accounts) == (str(odd), 2)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (200, {}, b"<html>log in</html>", IndexUnusableError),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"{}", TooManyTriesError),
        (502, {}, b"<html>bad gateway</html>", ImgmatchError),
    ],
)
def test_what_is_no_answer_of_ours_is_an_error_of_ours(
    status: int, headers: dict[str, str], body: bytes, error: type[Exception]
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        with Client(f"http://127.0.0.1:{other.server_address[1]}") as client, pytest.raises(error):
            client.status()
    with pytest.raises(ValueError, match="is no URL"):
        Client("http://[::1")


def test_people_are_no_business_of_a_client(guarded: Served) -> None:
    guarded.index.people.add_user("ana", Role.ADMIN, PASSWORD)
    assert not hasattr(Client, "people")
