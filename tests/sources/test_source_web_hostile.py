"""What a web server may send that wants to hold, fill or break whoever reads it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from web_server import Page, WebServer

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import SkipReason
from imgmatch.sources import open_source
from imgmatch.sources.remote import Remote, result_of
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("aiohttp", reason="the extra remote is not installed")
pytest.importorskip("fsspec", reason="the extra remote is not installed")

QUICK = RemoteOptions(allow_private=True, pause_seconds=0.01, connect_seconds=1.0, total_seconds=2.0)
SHORT = RemoteOptions(
    allow_private=True, pause_seconds=0.01, connect_seconds=1.0, total_seconds=0.5, manifest_seconds=0.5
)


@contextmanager
def answering(sent: Callable[[], Iterator[bytes]], pause: float = 0.0) -> Iterator[str]:
    """A server that answers every request with the same pieces, whatever is asked; gives its URL."""
    over = threading.Event()

    def serve(session: socket.socket) -> None:
        with session:
            try:
                session.recv(1 << 16)
                for piece in sent():
                    session.sendall(piece)
                    if over.wait(pause):
                        return
            except OSError:
                return

    def listen() -> None:
        while not over.is_set():
            try:
                session, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(session,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()


def problem(url: str, options: RemoteOptions, *, head: bool = False) -> PhotoError:
    with Remote(options) as remote:
        file = remote.file(url)
        with pytest.raises(PhotoError) as caught:
            _ = result_of(file.look()) if head else result_of(file.fetch())
    return caught.value


def endless(start: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    def sent() -> Iterator[bytes]:
        yield start
        while True:
            yield piece

    return sent


@pytest.mark.parametrize(
    "where",
    [
        "http://[::1",
        "http://[",
        "http://]",
        "//",
        "//[",
        "http://",
        "http:///x",
        "http://a:99999/",
        "http://a:-1/",
        "http://a:x/",
        "http://[v1.x]/",
        "http://[::1]x/",
        "http://a..b/",
        "http://.../",
        f"http://{'a' * 70}.invalid/",
        f"http://{'a' * 300}/",
        "http://xn--/",
        "http://xn--a-ecp.invalid/",
        "http://xn--99999999.invalid/",
        "http://a%00b/",
        "http://%5b::1/",
        "http://a b.invalid/",
        "http://\N{FULLWIDTH SOLIDUS}/",
        "http://\N{CARE OF}.invalid/",
        "http://\N{ZERO WIDTH JOINER}.invalid/",
        "http://1.2.3.4.5.6:80:90/",
        "data:x",
        "javascript:x",
        "\x7f",
        "http://\xff\xfe/",
    ],
)
def test_a_redirect_to_what_no_url_can_be_costs_that_photo(where: str) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    answer = head + where.encode(errors="surrogateescape") + b"\r\n\r\n"
    with answering(lambda: iter([answer])) as url:
        for head_only in (False, True):
            found = problem(f"{url}/1.jpg", QUICK, head=head_only)
            assert found.reason is not SkipReason.INTERNAL, found.detail


@pytest.mark.parametrize(
    "url",
    ["http://a..b/1.jpg", f"http://{'a' * 70}.invalid/", "http://xn--/1.jpg", "http://\N{CARE OF}/", "http://[v1.x]/"],
)
def test_a_url_that_a_library_on_the_way_does_not_take_costs_that_photo(url: str) -> None:
    with Remote(QUICK) as remote:
        try:
            photo = open_source(url, remote=remote)
        except SourceError:
            return
        [item] = photo
        with pytest.raises(PhotoError) as caught:
            result_of(item.path.fetch())  # type: ignore[union-attr]
    assert caught.value.reason is not SkipReason.INTERNAL, caught.value.detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x=y;"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-Y: z\r\n"),
    ],
    ids=["body", "headers", "header", "continue", "hints", "chunks", "extension", "trailers"],
)
def test_a_server_that_sends_a_little_for_ever_is_given_up(start: bytes, piece: bytes) -> None:
    with answering(endless(start, piece), pause=0.05) as url:
        begun = time.monotonic()
        assert problem(f"{url}/1.jpg", SHORT).reason in {SkipReason.TIMED_OUT, SkipReason.UNREADABLE}
        with pytest.raises(SourceError, match=r"not here within|failed|before all"), Remote(SHORT) as remote:
            open_source(f"{url}/m.csv", remote=remote)
        assert time.monotonic() - begun < 10  # it would never end


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"1;", b"x=y;"),
    ],
    ids=["continue", "hints", "chunks", "extension"],
)
def test_a_server_that_sends_for_ever_around_the_photo_is_given_up_after_some_bytes(start: bytes, piece: bytes) -> None:
    sent = 0

    def flood() -> Iterator[bytes]:
        nonlocal sent
        yield start
        while True:
            sent += 1 << 16
            yield piece * ((1 << 16) // len(piece))

    patient = RemoteOptions(allow_private=True, total_seconds=600)
    with answering(flood) as url:
        found = problem(f"{url}/1.jpg", patient)
        assert start or problem(f"{url}/1.jpg", patient, head=True).detail == found.detail
    assert found.reason is SkipReason.UNREADABLE
    assert "too much around" in found.detail
    assert sent < 64 << 20  # with what lies in buffers of the system


@pytest.mark.parametrize("size", [16, 1_000])
def test_small_chunks_with_a_photo_in_them_are_read(size: int) -> None:
    piece = b"%x\r\n" % size + b"y" * size + b"\r\n"
    times = (3 << 20) // size
    with answering(lambda: iter([CHUNKED, piece * times + b"0\r\n\r\n"])) as url, Remote(QUICK) as remote:
        assert result_of(remote.file(f"{url}/1.jpg").fetch()).data == b"y" * size * times


@pytest.mark.slow
def test_a_connection_that_is_used_again_begins_to_count_anew() -> None:
    with WebServer({"/1": Page(b"x" * 1_000, {"X-Long": "y" * 8_000})}) as server, Remote(QUICK) as remote:
        for _ in range(200):  # in all more than one answer may bring beside its body
            assert len(result_of(remote.file(f"{server.url}/1").fetch()).data) == 1_000


def test_a_server_that_never_answers_head_is_given_up() -> None:
    with answering(endless(b"", b""), pause=0.05) as url:
        assert problem(f"{url}/1.jpg", SHORT, head=True).reason is SkipReason.TIMED_OUT


def test_redirects_that_are_slow_each_are_given_up_together() -> None:
    with WebServer() as server:
        for number in range(6):
            server.pages[f"/{number}"] = Page(
                headers={"Location": f"/{number + 1}"}, statuses=[302], first_byte_after=0.3
            )
        assert problem(f"{server.url}/0", SHORT).reason is SkipReason.TIMED_OUT


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 10_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\0" * 1000,
        b"",
    ],
    ids=["headers", "value", "reason", "length", "minus", "chunk", "no chunk", "status", "version", "zeros", "nothing"],
)
def test_an_answer_that_is_none_costs_that_photo(answer: bytes) -> None:
    with answering(lambda: iter([answer])) as url:
        found = problem(f"{url}/1.jpg", QUICK)
        assert found.reason in {SkipReason.UNREADABLE, SkipReason.TIMED_OUT, SkipReason.TOO_LARGE}, found.detail


@pytest.mark.parametrize(
    "modified", ["x", "Thu, 99 Foo 0000 99:99:99", "Thu, 01 Jan 99999999999 00:00:00 GMT", ",", "0"]
)
def test_a_time_that_is_none_leaves_the_photo_readable(modified: str) -> None:
    with WebServer({"/1": Page(b"abc", {"Last-Modified": modified})}) as server, Remote(QUICK) as remote:
        assert result_of(remote.file(f"{server.url}/1").fetch()).data == b"abc"
