from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import photos
import pytest
from web_server import Page, WebServer

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import Fetched, NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("aiohttp", reason="the extra remote is not installed")
pytest.importorskip("fsspec", reason="the extra remote is not installed")

A = photos.jpeg(photos.picture(1, (96, 120)))
QUICK = RemoteOptions(allow_private=True, pause_seconds=0.01, connect_seconds=1.0, total_seconds=5.0)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as started:
        yield started


def fetched(url: str, options: RemoteOptions = QUICK) -> Fetched:
    with Remote(options) as remote:
        return remote.file(url).fetch().result(20)


def problem(url: str, options: RemoteOptions = QUICK) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        fetched(url, options)
    return caught.value.reason, caught.value.detail


# -- one photo --------------------------------------------------------------------------------------------------------


def test_a_photo_comes_whole_with_its_etag_and_time(server: WebServer) -> None:
    server.pages["/1"] = Page(A, {"ETag": 'W/"x"', "Last-Modified": "Thu, 01 Jan 1970 00:00:01 GMT"})
    server.pages["/2"] = Page(A, {"ETag": '"x"'})
    one, two = fetched(f"{server.url}/1"), fetched(f"{server.url}/2")
    assert (one.data, one.metadata.size, one.metadata.modified_ns) == (A, len(A), 10**9)
    assert one.metadata.tag == two.metadata.tag
    assert one.metadata.tag is not None
    assert 0 < one.metadata.tag < 2**62


@pytest.mark.parametrize(
    ("statuses", "gets"), [([429, 200], 2), ([500, 503, 200], 3), ([200], 1)], ids=["429", "5xx", "200"]
)
def test_a_busy_or_broken_server_is_asked_again(server: WebServer, statuses: list[int], gets: int) -> None:
    server.pages["/1"] = Page(A, statuses=statuses)
    assert fetched(f"{server.url}/1").data == A
    assert server.count("GET") == gets


@pytest.mark.parametrize(
    ("status", "reason", "gets"),
    [
        (404, SkipReason.MISSING, 1),
        (410, SkipReason.MISSING, 1),
        (401, SkipReason.REFUSED, 1),
        (403, SkipReason.REFUSED, 1),
        (418, SkipReason.UNREADABLE, 1),
        (501, SkipReason.UNREADABLE, 1),
        (204, SkipReason.UNREADABLE, 1),
        (429, SkipReason.UNREADABLE, 3),
        (503, SkipReason.UNREADABLE, 3),
    ],
)
def test_every_refusal_has_its_reason(server: WebServer, status: int, reason: SkipReason, gets: int) -> None:
    server.pages["/1"] = Page(A, statuses=[status])
    found, detail = problem(f"{server.url}/1")
    assert (found, str(status) in detail) == (reason, True)
    assert server.count("GET") == gets


def test_a_connection_dropped_half_way_is_tried_again(server: WebServer) -> None:
    server.pages["/1"] = Page(A, drops=2)
    assert fetched(f"{server.url}/1").data == A


def test_a_connection_dropped_each_time_is_a_loss_with_a_name(server: WebServer) -> None:
    server.pages["/1"] = Page(A, drops=99)
    reason, detail = problem(f"{server.url}/1")
    assert reason == SkipReason.UNREADABLE
    assert "before all had come" in detail
    assert "3 tries" in detail


def test_a_server_that_announces_more_than_it_sends_is_not_believed(server: WebServer) -> None:
    server.pages["/1"] = Page(A, announce=len(A) + 1)
    assert problem(f"{server.url}/1")[0] == SkipReason.UNREADABLE
    assert server.count("GET") == 3


def test_a_server_that_sends_less_than_it_told_before_is_not_believed(server: WebServer) -> None:
    server.pages["/1"] = Page(A, {"ETag": "x"}, announce=len(A) // 2)
    with Remote(QUICK) as remote:
        file = remote.file(f"{server.url}/1")
        assert file.look().result(5).size == len(A)
        with pytest.raises(PhotoError, match=r"announced|the connection failed"):
            file.fetch().result(5)


@pytest.mark.parametrize("announce", [-1, None], ids=["announced", "without a length"])
def test_the_limit_of_size_holds_whatever_is_announced(server: WebServer, announce: int | None) -> None:
    server.pages["/1"] = Page(bytes(2_000_000), announce=announce)
    small = RemoteOptions(allow_private=True, file_bytes=1_000_000)
    assert problem(f"{server.url}/1", small)[0] == SkipReason.TOO_LARGE


def test_a_body_without_a_length_is_read_to_its_end(server: WebServer) -> None:
    server.pages["/1"] = Page(A, announce=None)
    assert fetched(f"{server.url}/1").data == A


def test_a_slow_server_is_given_up(server: WebServer) -> None:
    server.pages["/1"] = Page(A, first_byte_after=3.0)
    started = time.monotonic()
    quick = RemoteOptions(allow_private=True, total_seconds=0.3)
    assert problem(f"{server.url}/1", quick)[0] == SkipReason.TIMED_OUT
    assert time.monotonic() - started < 2.5


def test_a_server_that_drips_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        quick = RemoteOptions(allow_private=True, total_seconds=0.5)
        assert problem(f"http://127.0.0.1:{listener.getsockname()[1]}/", quick)[0] == SkipReason.TIMED_OUT


def _drip(listener: socket.socket) -> None:
    session, _ = listener.accept()
    with session:
        try:
            session.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                session.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            return


def test_nobody_there_is_a_loss_with_a_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reason, detail = problem(f"http://127.0.0.1:{port}/x?token=hush")
    assert (reason, "cannot be reached" in detail, "hush" in detail) == (SkipReason.UNREADABLE, True, False)


# -- redirects and addresses ------------------------------------------------------------------------------------------


def test_five_redirects_are_followed_and_a_sixth_is_not(server: WebServer) -> None:
    for number in range(7):
        server.pages[f"/{number}"] = Page(headers={"Location": f"/{number + 1}"}, statuses=[302])
    server.pages["/5"] = server.pages["/7"] = Page(A)
    assert fetched(f"{server.url}/0").data == A
    server.pages["/5"] = Page(headers={"Location": "/6"}, statuses=[307])
    reason, detail = problem(f"{server.url}/0")
    assert (reason, "redirected" in detail) == (SkipReason.UNREADABLE, True)
    server.pages["/loop"] = Page(headers={"Location": "/loop"}, statuses=[301])
    assert problem(f"{server.url}/loop")[0] == SkipReason.UNREADABLE


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://x/1", "http://user:pass@127.0.0.1/", "s3://b/1"])
def test_a_redirect_to_what_is_no_plain_web_address_is_refused(server: WebServer, where: str) -> None:
    server.pages["/1"] = Page(headers={"Location": where}, statuses=[302])
    reason, detail = problem(f"{server.url}/1")
    assert (reason, "pass" in detail.replace("password", "")) == (SkipReason.REFUSED, False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"])  # noqa: S104 - refused
def test_this_machine_is_refused_however_it_is_written_and_not_even_connected_to(server: WebServer, host: str) -> None:
    server.pages["/1"] = Page(A)
    port = server.url.rpartition(":")[2]
    assert problem(f"http://{host}:{port}/1", RemoteOptions(pause_seconds=0.01))[0] == SkipReason.REFUSED
    assert server.asked == []


# -- as a source ------------------------------------------------------------------------------------------------------


def test_the_root_refuses_urls(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"account,photo\na,{server.url}/1.jpg\n")
    with Remote(QUICK) as remote:
        [refused] = open_source(tmp_path / "m.csv", root=tmp_path, remote=remote)
        with pytest.raises(SourceError, match="leaves the folder"):
            open_source(f"{server.url}/m.csv", root=tmp_path, remote=remote)
    assert isinstance(refused, Skipped)
    assert refused.reason == SkipReason.REFUSED


def test_passwords_and_signatures_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("account,photo\na,https://u:hush@x/1.jpg\nb,https://x/1.jpg?X-Amz-Signature=hush\n")
    with Remote() as remote:
        refused, signed = open_source(tmp_path / "m.csv", remote=remote)
        with pytest.raises(SourceError) as caught:
            open_source("https://u:hush@x/m.csv", remote=remote)
    assert isinstance(refused, Skipped)
    assert isinstance(signed, NewPhoto)
    assert refused.reason == SkipReason.REFUSED
    assert "hush" not in f"{refused} {signed.label} {signed.path!r} {caught.value}"
    assert str(signed.path) == "https://x/1.jpg?X-Amz-Signature=hush"  # it is needed to fetch the photo


@pytest.mark.parametrize("url", ["https://x/photos/", "https://x/set.zip", "ftp://x/m.csv", "https:///m.csv", "data:x"])
def test_urls_that_no_source_can_have_are_errors(url: str) -> None:
    with Remote() as remote, pytest.raises(SourceError):
        open_source(url, remote=remote)


def test_one_photo_by_url_is_an_account_named_by_its_stem() -> None:
    with Remote() as remote:
        [photo] = open_source("HTTPS://Host/a/lena.2.jpg?x=1#top", remote=remote)
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.label, str(photo.path)) == ("lena.2", "lena.2.jpg", "https://host/a/lena.2.jpg?x=1")


@pytest.mark.parametrize(
    ("gone", "url", "extra"),
    [
        ("aiohttp", "https://x/m.csv", "remote"),
        ("fsspec", "https://x/1.jpg", "remote"),
        ("s3fs", "s3://b/photos/", "s3"),
        ("gcsfs", "gs://b/m.csv", "gs"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(gone: str, url: str, extra: str) -> None:
    program = f"""
import sys
sys.modules[{gone!r}] = None
from imgmatch.errors import MissingExtraError
from imgmatch.sources import open_source
from imgmatch.sources.remote import Remote
with Remote() as remote:
    try:
        open_source({url!r}, remote=remote)
    except MissingExtraError as error:
        sys.exit('"imgmatch[{extra}]"' not in str(error))
sys.exit(2)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_sources_load_nothing_of_the_extras_before_it_is_needed() -> None:
    extras = "('aiohttp', 'fsspec', 's3fs')"
    check = f"import sys, imgmatch.ingest.intake; sys.exit(any(name in sys.modules for name in {extras}))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
