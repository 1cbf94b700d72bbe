from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

import photos
import pytest
from bucket_server import GoogleHandler, Relay, moto, send, serving
from hearing import Heard

from imgmatch.actions.scan import scan
from imgmatch.errors import SourceError
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto, ScanResult, SkipReason
from imgmatch.progress import SILENT, Progress
from imgmatch.sources import open_source
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("moto.server", reason="moto[server], which plays S3, is not installed")
pytest.importorskip("s3fs", reason="the extra s3 is not installed")

PHOTOS = [photos.jpeg(photos.picture(seed, (96, 120))) for seed in range(5)]
QUICK = RemoteOptions(pause_seconds=0.01, connect_seconds=2.0, total_seconds=10.0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with moto() as port:
        yield port


@pytest.fixture
def relay(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    relay = Relay(port)
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with serving(relay) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield relay


@pytest.fixture
def bucket(port: int, request: pytest.FixtureRequest) -> str:
    """A bucket of each test's own, with five photos of three accounts."""
    name = f"b{abs(hash(request.node.nodeid)) % 10**12}"
    send(port, "PUT", f"/{name}")
    for key, data in zip(("u1/1.jpg", "u1/deep/2.jpg", "u2/3?#.jpg", "u 3/4.jpg", "top.jpg"), PHOTOS, strict=True):
        send(port, "PUT", f"/{name}/set/{key}", data)
    send(port, "PUT", f"/{name}/set/notes.txt", b"none")
    return name


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("index") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


def scanned(index: Index, source: str | Path, *, prune: bool = False, progress: Progress = SILENT) -> dict[str, int]:
    with Remote(QUICK) as remote:
        result = scan(index.parts, [source], prune=prune, progress=progress, remote=remote)
    return counts(result)


def counts(result: ScanResult) -> dict[str, int]:
    names = ("added", "updated", "unchanged", "removed", "skipped", "kept")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def test_a_folder_of_a_bucket_has_the_accounts_of_a_local_one(relay: Relay, bucket: str) -> None:
    with Remote(QUICK) as remote:
        sources = [open_source(f"s3://{bucket}/set{end}", remote=remote) for end in ("/", "")]
        found, again = ([item for item in source if isinstance(item, NewPhoto)] for source in sources)
        assert {item.label: item.account for item in found} == {
            "top.jpg": "top",
            "u 3/4.jpg": "u 3",
            "u1/1.jpg": "u1",
            "u1/deep/2.jpg": "u1",
            "u2/3?#.jpg": "u2",
        }
        assert [item.label for item in found] == sorted(item.label for item in found)
        assert [item.photo_id for item in found] == [item.photo_id for item in again]
        assert str(found[0].path) == f"s3://{bucket}/set/top.jpg"
    assert relay.asked


@pytest.mark.slow
def test_a_second_scan_fetches_nothing_and_a_third_what_has_changed(
    relay: Relay, bucket: str, port: int, index: Index
) -> None:
    assert scanned(index, f"s3://{bucket}/set/") == {"added": 5}
    assert {match.photo.account for match in index.check(PHOTOS[2])} >= {"u2"}
    relay.asked.clear()
    assert scanned(index, f"s3://{bucket}/set/") == {"unchanged": 5}
    assert not [path for method, path in relay.asked if path.endswith(".jpg")]
    send(port, "PUT", f"/{bucket}/set/u1/1.jpg", photos.jpeg(photos.picture(77, (96, 120))))
    send(port, "DELETE", f"/{bucket}/set/top.jpg")
    relay.asked.clear()
    assert scanned(index, f"s3://{bucket}/set/", prune=True) == {"updated": 1, "unchanged": 3, "removed": 1}
    assert {path for _, path in relay.asked if path.endswith(".jpg")} == {f"/{bucket}/set/u1/1.jpg"}


@pytest.mark.slow
def test_a_bucket_that_drops_and_lies_is_a_loss_with_a_name_made_good_by_the_next_scan(
    relay: Relay, bucket: str, port: int, index: Index
) -> None:
    relay.drop, relay.lie, relay.refuse = ("1.jpg",), ("2.jpg",), ("4.jpg",)
    heard = Heard()
    assert scanned(index, f"s3://{bucket}/set/", prune=True, progress=heard) == {"added": 2, "skipped": 3}
    assert {(skip.photo, skip.reason) for skip in heard.skips} == {
        ("notes.txt", SkipReason.PASSED_OVER),
        ("u 3/4.jpg", SkipReason.UNREADABLE),
        ("u1/1.jpg", SkipReason.UNREADABLE),
        ("u1/deep/2.jpg", SkipReason.UNREADABLE),
    }
    relay.drop = relay.lie = relay.refuse = ()
    assert scanned(index, f"s3://{bucket}/set/", prune=True) == {"added": 3, "unchanged": 2}
    send(port, "PUT", f"/{bucket}/set/u1/1.jpg", PHOTOS[4])
    relay.drop = ("1.jpg",)
    assert scanned(index, f"s3://{bucket}/set/", prune=True) == {"unchanged": 4, "skipped": 1}
    assert {match.photo.account for match in index.check(PHOTOS[0])} >= {"u1"}


@pytest.mark.slow
def test_a_folder_that_cannot_be_listed_keeps_its_photos_and_the_first_one_ends_its_source(
    relay: Relay, bucket: str, index: Index
) -> None:
    scanned(index, f"s3://{bucket}/set/")
    before = len(index)
    relay.refuse = ("u1/",)
    heard = Heard()
    found = scanned(index, f"s3://{bucket}/set/", prune=True, progress=heard)
    assert found == {"unchanged": 3, "skipped": 1, "kept": 2}
    assert [(skip.photo, skip.part) for skip in heard.skips] == [("notes.txt", None), ("u1", "u1")]
    assert len(index) == before
    relay.refuse = ("set/",)
    with pytest.raises(SourceError, match="cannot be"):
        scanned(index, f"s3://{bucket}/set/", prune=True)
    assert len(index) == before


@pytest.mark.slow
def test_manifests_in_a_bucket_and_about_one_are_read(
    relay: Relay, bucket: str, port: int, index: Index, tmp_path: Path
) -> None:
    send(port, "PUT", f"/{bucket}/set/m.csv", b"account,photo\nm1,u1/1.jpg\nm2,u2/3?#.jpg\nm3,../set/none.jpg\n")
    heard = Heard()
    assert scanned(index, f"s3://{bucket}/set/m.csv", progress=heard) == {"added": 2, "skipped": 1}
    assert [(skip.account, skip.reason) for skip in heard.skips] == [("m3", SkipReason.MISSING)]
    (tmp_path / "m.jsonl").write_text(f'{{"account": "l1", "photo": "s3://{bucket}/set/u1/1.jpg"}}\n')
    assert scanned(index, tmp_path / "m.jsonl") == {"added": 1}
    relay.asked.clear()
    assert scanned(index, tmp_path / "m.jsonl") == {"unchanged": 1}
    assert [method for method, path in relay.asked if path.endswith("1.jpg")] == ["HEAD"]


@pytest.mark.parametrize("place", ["set/none/", "set/none", "none.csv"])
def test_what_is_not_in_the_bucket_is_an_error(relay: Relay, bucket: str, place: str) -> None:
    with Remote(QUICK) as remote, pytest.raises(SourceError, match=r"none.*(no such object|nothing)"):
        open_source(f"s3://{bucket}/{place}", remote=remote)
    assert relay.drop == ()  # the bucket was asked as it is


@pytest.mark.slow
def test_a_bucket_of_google_is_listed_read_and_known_again(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gcsfs", reason="the extra gs is not installed")
    objects = {"set/g1/1.jpg": PHOTOS[0], "set/g2/2.jpg": PHOTOS[1], "set/m.csv": b"account,photo\ng3,g1/1.jpg\n"}
    handler = type("Handler", (GoogleHandler,), {"objects": objects})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        assert scanned(index, "gs://b/set/") == {"added": 2}
        assert scanned(index, "gs://b/set/") == {"unchanged": 2}
        assert scanned(index, "gs://b/set/m.csv") == {"added": 1}
