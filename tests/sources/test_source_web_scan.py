from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard
from web_server import Page, WebServer

from imgmatch.actions.scan import scan
from imgmatch.errors import SourceError
from imgmatch.index import Index
from imgmatch.model import Depth, ScanResult, Skipped, SkipReason
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("aiohttp", reason="the extra remote is not installed")
pytest.importorskip("fsspec", reason="the extra remote is not installed")

A, B = (photos.jpeg(photos.picture(seed, (96, 120))) for seed in (1, 2))
QUICK = RemoteOptions(allow_private=True, pause_seconds=0.01, connect_seconds=1.0, total_seconds=5.0)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as started:
        yield started


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("index") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


class Scans:
    """Scans of a manifest into an index, and what they skipped."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.skipped: list[Skipped] = []

    def __call__(self, source: str | Path, *, prune: bool = False, options: RemoteOptions = QUICK) -> ScanResult:
        heard = Heard()
        self.skipped = heard.skips
        with Remote(options) as remote:
            return scan(self._index.parts, [source], prune=prune, progress=heard, remote=remote)


@pytest.fixture
def scans(index: Index) -> Scans:
    return Scans(index)


def counts(result: ScanResult) -> dict[str, int]:
    names = ("added", "updated", "unchanged", "removed", "skipped")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def test_a_manifest_by_url_has_photos_relative_to_it_and_elsewhere(server: WebServer, scans: Scans) -> None:
    server.pages["/set/a b/1#.jpg"] = Page(A)  # never asked for: a path is escaped
    server.pages["/set/a%20b/1%23.jpg"] = server.pages["/top.jpg"] = server.pages["/q?id=1"] = Page(A, {"ETag": "a"})
    lines = [
        "account,photo",
        "a,a b/1#.jpg",
        "b,/top.jpg",
        "c,../../top.jpg",
        f"d,{server.url}/q?id=1",
        "e,/etc/passwd",
    ]
    server.pages["/set/m.csv?v=1"] = Page("\n".join(lines).encode())
    assert counts(scans(f"{server.url}/set/m.csv?v=1")) == {"added": 4, "skipped": 1}
    assert [(skip.photo, skip.reason) for skip in scans.skipped] == [("/etc/passwd", SkipReason.MISSING)]


def test_a_local_manifest_may_mix_files_and_urls_and_the_order_stays(
    server: WebServer, scans: Scans, index: Index, tmp_path: Path
) -> None:
    server.pages["/slow.jpg"] = Page(A, first_byte_after=0.2)
    server.pages["/gone.jpg"] = Page(statuses=[404])
    (tmp_path / "1.jpg").write_bytes(A)
    names = [f"{server.url}/slow.jpg", "no.jpg", f"{server.url}/gone.jpg", "1.jpg", f"{server.url}/none.jpg"]
    lines = [f"m{number},{name}" for number, name in enumerate(names)]
    (tmp_path / "m.csv").write_text("\n".join(["account,photo", *lines]))
    assert counts(scans(tmp_path / "m.csv")) == {"added": 2, "skipped": 3}
    assert [skip.account for skip in sorted(scans.skipped, key=lambda skip: skip.line or 0)] == ["m1", "m2", "m4"]
    assert {"m0", "m3"} <= {match.photo.account for match in index.check(A)}


def test_an_unchanged_photo_is_not_fetched_again_and_a_changed_one_is(server: WebServer, scans: Scans) -> None:
    server.pages["/tag.jpg"] = Page(A, {"ETag": '"1"'})
    server.pages["/time.jpg"] = Page(A, {"Last-Modified": "Thu, 01 Jan 2026 00:00:01 GMT"})
    server.pages["/mute.jpg"] = Page(A)
    server.pages["/nohead.jpg"] = Page(A, {"ETag": '"1"'}, head=False)
    server.pages["/m.csv"] = Page(b"account,photo\nt,tag.jpg\nt,time.jpg\nt,mute.jpg\nt,nohead.jpg\n")
    assert counts(scans(f"{server.url}/m.csv")) == {"added": 4}
    server.asked.clear()
    assert counts(scans(f"{server.url}/m.csv")) == {"unchanged": 4}
    assert {path for method, path in server.asked if method == "GET"} == {"/m.csv", "/mute.jpg", "/nohead.jpg"}
    server.pages["/tag.jpg"] = Page(B, {"ETag": '"2"'})
    assert counts(scans(f"{server.url}/m.csv")) == {"updated": 1, "unchanged": 3}


def test_losses_by_the_network_are_named_never_pruned_and_made_good_by_the_next_scan(
    server: WebServer, scans: Scans
) -> None:
    names = ("ok", "drop", "long", "short", "busy")
    server.pages["/m.csv"] = Page(b"account,photo\n" + b"".join(f"{n},{n}.jpg\n".encode() for n in names))

    def serve(body: bytes, tag: str, **bad: Page) -> None:
        for name in names:
            server.pages[f"/{name}.jpg"] = bad.get(name, Page(body, {"ETag": tag}))

    bad = {
        "drop": Page(A, {"ETag": "1"}, drops=99),
        "long": Page(A, {"ETag": "1"}, announce=len(A) + 9),
        "short": Page(A, {"ETag": "1"}, announce=len(A) // 6, head_announce=len(A) // 6),
        "busy": Page(A, statuses=[503]),
    }
    serve(A, "1", **bad)
    assert counts(scans(f"{server.url}/m.csv", prune=True)) == {"added": 1, "skipped": 4}
    assert {skip.account for skip in scans.skipped} == {"drop", "long", "short", "busy"}
    assert {skip.reason for skip in scans.skipped} == {SkipReason.UNREADABLE}
    serve(A, "1")
    assert counts(scans(f"{server.url}/m.csv", prune=True)) == {"added": 4, "unchanged": 1}
    serve(A, "2", **{name: Page(B, {"ETag": "2"}, announce=len(B) + 9) for name in names})
    assert counts(scans(f"{server.url}/m.csv", prune=True)) == {"skipped": 5}
    serve(A, "1")
    assert counts(scans(f"{server.url}/m.csv", prune=True)) == {"unchanged": 5}


def test_a_damaged_photo_that_may_have_been_cut_off_on_its_way_is_fetched_once_more(
    server: WebServer, scans: Scans
) -> None:
    cut = A[: len(A) * 4 // 5]
    server.pages["/m.csv"] = Page(b"account,photo\ncut,cut.jpg\nbad,bad.jpg\n")
    server.pages["/cut.jpg"] = server.pages["/bad.jpg"] = Page(cut, {"ETag": "1"})
    assert counts(scans(f"{server.url}/m.csv")) == {"added": 2}
    server.pages["/cut.jpg"] = Page(A, {"ETag": "1"})
    assert counts(scans(f"{server.url}/m.csv")) == {"updated": 1, "unchanged": 1}
    server.asked.clear()
    assert counts(scans(f"{server.url}/m.csv")) == {"unchanged": 2}
    assert {path for method, path in server.asked if method == "GET"} == {"/m.csv"}


def test_a_manifest_that_breaks_off_is_no_short_manifest(server: WebServer, scans: Scans) -> None:
    server.pages["/m.csv"] = Page(b"account,photo\na,1.jpg\nb,2.jpg\n", drops=99)
    with pytest.raises(SourceError, match="before all had come"):
        scans(f"{server.url}/m.csv")


def test_many_photos_are_fetched_at_once_but_never_more_than_allowed(
    server: WebServer, scans: Scans, tmp_path: Path
) -> None:
    lines = ["account,photo"]
    for number in range(24):
        server.pages[f"/{number}.jpg"] = Page(A, first_byte_after=0.05)
        lines.append(f"many{number},{server.url}/{number}.jpg")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    options = RemoteOptions(allow_private=True, fetchers=4)
    assert counts(scans(tmp_path / "m.csv", options=options)) == {"added": 24}
    assert server.most_at_once == 4


@pytest.mark.slow
def test_photos_too_many_for_the_memory_are_handed_over_in_parts(
    server: WebServer, scans: Scans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgmatch.ingest.intake.HELD_BYTES", 3 * len(A))
    monkeypatch.setattr("imgmatch.sources.fetching.AHEAD_BYTES", 2 * len(A))
    (tmp_path / "1.jpg").write_bytes(A)
    server.pages["/1.jpg"] = Page(A)
    names = ["1.jpg", f"{server.url}/1.jpg"] * 20
    lines = [f"part{number},{name}" for number, name in enumerate(names)]
    (tmp_path / "m.csv").write_text("\n".join(["account,photo", *lines]))
    assert counts(scans(tmp_path / "m.csv")) == {"added": 40}
    assert counts(scans(tmp_path / "m.csv")) == {"unchanged": 40}


def test_a_photo_that_lacks_features_and_cannot_be_fetched_is_tried_again(server: WebServer, tmp_path: Path) -> None:
    server.pages["/1.jpg"] = Page(A, {"ETag": "1"})
    (tmp_path / "m.csv").write_text(f"account,photo\na,{server.url}/1.jpg\n")
    found = []
    for depth, drops in ((Depth.FINGERPRINT, 0), (Depth.FULL, 99), (Depth.FULL, 0), (Depth.FULL, 0)):
        server.pages["/1.jpg"].drops = drops
        with Index.open(tmp_path / "index", create=True, depth=depth) as deeper:
            found.append(counts(Scans(deeper)(tmp_path / "m.csv", prune=True)))
    assert found == [{"added": 1}, {"skipped": 1}, {"updated": 1}, {"unchanged": 1}]


@pytest.mark.slow
def test_the_command_reads_urls_and_refuses_this_machine_unless_it_is_allowed(
    server: WebServer, tmp_path: Path
) -> None:
    server.pages["/1.jpg"] = Page(A)
    server.pages["/m.csv?token=hush"] = Page(b"account,photo\na,1.jpg\n")
    command = [sys.executable, "-m", "imgmatch", "scan", f"{server.url}/m.csv?token=hush", "--index"]
    refused = subprocess.run([*command, str(tmp_path / "no")], capture_output=True, text=True, check=False)
    assert (refused.returncode, "not a public address" in refused.stderr) == (1, True)
    assert "hush" not in refused.stderr
    assert not (tmp_path / "no").exists()
    allowed = [*command, str(tmp_path / "yes"), "--allow-private", "--fetchers", "2", "--depth", "fingerprint"]
    done = subprocess.run(allowed, capture_output=True, text=True, check=False)
    assert (done.returncode, "hush" in done.stdout + done.stderr) == (0, False)
