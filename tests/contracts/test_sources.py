"""What must hold for each source of the tables: one small world, laid out in every way they read."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import photos
import pytest
from bucket_server import moto, send
from web_server import Page, WebServer

from imgmatch import registry
from imgmatch.errors import SourceError, UnknownNameError
from imgmatch.model import Failure, NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source, query_photos
from imgmatch.sources.fetching import remote_file
from imgmatch.sources.remote import Remote
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from imgmatch.sources import Source

Files = dict[str, bytes]
"""The bytes of photos by account and file name, such as ``a17/1.jpg``."""

WORLD: Files = {
    name: photos.jpeg(photos.picture(seed, (96, 120)))
    for seed, name in enumerate(("a17/1.jpg", "a17/2.jpg", "b23/1.jpg"))
}
BAD = " /9.jpg"
"""A photo that no source can use: its account is blank."""

OPTIONS = RemoteOptions(allow_private=True, pause_seconds=0.01, connect_seconds=5.0, total_seconds=20.0)


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    with WebServer() as running:
        yield running


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    pytest.importorskip("moto.server", reason="moto[server], which plays S3, is not installed")
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    del tmp_path_factory
    with moto() as port, pytest.MonkeyPatch.context() as patch:
        for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(f"AWS_{name}", value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield port


@pytest.fixture
def remote() -> Iterator[Remote]:
    with Remote(OPTIONS) as connections:
        yield connections


def as_folder(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    del request
    write(home / "world", files)
    return str(home / "world")


def write(home: Path, files: Files) -> None:
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)


def as_separated(home: Path, files: Files, request: pytest.FixtureRequest, *, suffix: str = ".csv") -> str:
    del request
    write(home, files)
    (home / f"list{suffix}").write_text(separated(files, "\t" if suffix == ".tsv" else ","), encoding="utf-8")
    return str(home / f"list{suffix}")


def separated(files: Files, delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("account", "photo"), *((name.partition("/")[0], name) for name in files)])
    return text.getvalue()


def as_tsv(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    return as_separated(home, files, request, suffix=".tsv")


def as_jsonl(home: Path, files: Files, request: pytest.FixtureRequest, *, suffix: str = ".jsonl") -> str:
    del request
    write(home, files)
    lines = (json.dumps({"account": name.partition("/")[0], "photo": name}) for name in files)
    (home / f"list{suffix}").write_text("\n".join(lines), encoding="utf-8")
    return str(home / f"list{suffix}")


def as_ndjson(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    return as_jsonl(home, files, request, suffix=".ndjson")


def as_parquet(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    del request
    pa = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    write(home, files)
    accounts = [name.partition("/")[0] for name in files]
    pq.write_table(pa.table({"account": accounts, "photo": list(files)}), home / "list.parquet")
    return str(home / "list.parquet")


def as_zip(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    del request
    with zipfile.ZipFile(home / "world.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(home / "world.zip")


def as_tar(home: Path, files: Files, request: pytest.FixtureRequest, *, suffix: str = ".tar") -> str:
    del request
    packing = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "tbz2": "bz2", "xz": "xz", "txz": "xz"}
    with tarfile.open(home / f"world{suffix}", f"w:{packing.get(suffix.rpartition('.')[2], '')}") as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(home / f"world{suffix}")


def packed_as(suffix: str) -> Layout:
    return lambda home, files, request: as_tar(home, files, request, suffix=suffix)


def as_web_manifest(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    server: WebServer = request.getfixturevalue("server")
    base = f"/{home.name}"
    server.pages |= {f"{base}/{name}": Page(data) for name, data in files.items()}
    server.pages[f"{base}/list.csv"] = Page(separated(files).encode())
    return f"{server.url}{base}/list.csv"


def as_bucket(home: Path, files: Files, request: pytest.FixtureRequest) -> str:
    port: int = request.getfixturevalue("s3")
    bucket = f"b{abs(hash(home)) % 10**12}"
    send(port, "PUT", f"/{bucket}")
    for name, data in files.items():
        send(port, "PUT", f"/{bucket}/set/{name}", data)
    return f"s3://{bucket}/set/"


if TYPE_CHECKING:
    Layout = Callable[[Path, Files, pytest.FixtureRequest], str]

LAYOUTS: Mapping[str, Layout] = {
    "folder": as_folder,
    ".csv": as_separated,
    ".tsv": as_tsv,
    ".jsonl": as_jsonl,
    ".ndjson": as_ndjson,
    ".parquet": as_parquet,
    ".zip": as_zip,
    **{kind: packed_as(kind) for kind in registry.SOURCES if kind.startswith((".t", ".tar")) and kind != ".tsv"},
    "http": as_web_manifest,
    "s3": as_bucket,
}
"""How the world is laid out for each kind; gives the path or URL. A new kind of source needs a line."""

WITHIN_ROOT = sorted(set(LAYOUTS) - set(registry.STORES))


@pytest.fixture(params=sorted(LAYOUTS))
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Files], str]:
    return lambda files: LAYOUTS[request.param](tmp_path, files, request)


def bytes_of(photo: NewPhoto) -> bytes:
    file = remote_file(photo)
    return file.fetch().result(20).data if file is not None else photo.path.read_bytes()  # type: ignore[union-attr]


def held(source: Source) -> dict[tuple[str, str], bytes]:
    """Accounts, and the last parts of photos' labels, with their bytes."""
    found = [item for item in source if isinstance(item, NewPhoto)]
    assert len({photo.photo_id for photo in found}) == len(found)
    return {(photo.account, photo.label.rpartition("/")[2]): bytes_of(photo) for photo in found}


EXPECTED = {(name.partition("/")[0], name.partition("/")[2]): data for name, data in WORLD.items()}


def test_every_kind_of_source_has_a_layout_here() -> None:
    kinds = set(registry.SOURCES) - {"photo"}
    assert kinds <= set(LAYOUTS)
    assert {registry.STORES[kind] for kind in LAYOUTS if kind in registry.STORES} == set(registry.STORES.values())


@pytest.mark.slow
def test_every_source_gives_the_same_accounts_and_photos(layout: Callable[[Files], str], remote: Remote) -> None:
    source = open_source(layout(WORLD), remote=remote)
    assert held(source) == EXPECTED
    assert [item for item in source if isinstance(item, Skipped)] == []


@pytest.mark.slow
def test_a_source_starts_from_the_beginning_each_time(layout: Callable[[Files], str], remote: Remote) -> None:
    where = layout(WORLD)
    source = open_source(where, remote=remote)
    first, second = ([item.photo_id for item in source if isinstance(item, NewPhoto)] for _ in range(2))
    begun = iter(source)
    next(begun)
    again = [item.photo_id for item in open_source(where, remote=remote) if isinstance(item, NewPhoto)]
    assert first == second == again
    assert len(list(begun)) == len(WORLD) - 1


def test_a_key_is_where_the_source_lies_whatever_it_is_called_by(
    layout: Callable[[Files], str], remote: Remote
) -> None:
    where = layout(WORLD)
    assert open_source(where, remote=remote).key.rstrip("/") == where.rstrip("/")


@pytest.mark.slow
def test_what_cannot_be_used_is_named_and_the_rest_goes_on(layout: Callable[[Files], str], remote: Remote) -> None:
    first, *rest = WORLD
    source = open_source(
        layout({first: WORLD[first], BAD: WORLD[first]} | {name: WORLD[name] for name in rest}), remote=remote
    )
    [skipped] = [item for item in source if isinstance(item, Skipped)]
    assert "9.jpg" in skipped.photo or skipped.photo.strip() == ""
    assert skipped.detail
    assert held(source) == EXPECTED


@pytest.mark.slow
def test_a_source_counts_as_many_items_as_it_gives_where_it_counts(
    layout: Callable[[Files], str], remote: Remote
) -> None:
    source = open_source(layout(WORLD | {BAD: b""}), remote=remote)
    counted = getattr(source, "to_count", lambda: None)()
    assert counted is None or len(list(counted)) == len(list(source))


@pytest.mark.parametrize("kind", WITHIN_ROOT)
def test_nothing_lies_outside_the_root(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "other").mkdir()
    where = LAYOUTS[kind](tmp_path / "inside", WORLD, request)
    assert held(open_source(where, root=tmp_path / "inside")) == EXPECTED
    with pytest.raises(SourceError, match="leaves the folder"):
        open_source(where, root=tmp_path / "other")


@pytest.mark.parametrize("kind", sorted(set(LAYOUTS) & set(registry.STORES)))
def test_a_url_leaves_every_root(kind: str, tmp_path: Path, request: pytest.FixtureRequest, remote: Remote) -> None:
    with pytest.raises(SourceError, match="leaves the folder"):
        open_source(LAYOUTS[kind](tmp_path, WORLD, request), root=tmp_path, remote=remote)


def test_photos_to_ask_about_are_those_of_a_scan(layout: Callable[[Files], str], remote: Remote) -> None:
    where = layout(WORLD)
    found = list(query_photos(where, remote=remote))
    contents = [
        photo.content if isinstance(photo.content, (bytes, Failure)) else photo.content.read_bytes() for photo in found
    ]
    assert sorted(map(str, contents)) == sorted(map(str, WORLD.values()))
    assert [photo.name[-len("a17/1.jpg") :] for photo in found] == list(WORLD)


def test_what_cannot_be_asked_about_stands_in_its_place(layout: Callable[[Files], str], remote: Remote) -> None:
    found = list(query_photos(layout({BAD: b""} | WORLD), remote=remote))
    assert [isinstance(photo.content, Failure) for photo in found] == [True, *[False] * len(WORLD)]


def test_one_photo_is_an_account_by_its_name_wherever_it_lies(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    write(tmp_path, WORLD)
    with Remote(OPTIONS) as remote:
        web, s3 = (LAYOUTS[kind](tmp_path, WORLD, request) for kind in ("http", "s3"))
        places = [str(tmp_path / "a17/1.jpg"), web.replace("list.csv", "a17/1.jpg"), f"{s3}a17/1.jpg"]
        for place in places:
            assert held(open_source(place, remote=remote)) == {("1", "1.jpg"): WORLD["a17/1.jpg"]}
            [asked] = query_photos(place, remote=remote)
            assert asked.name == place
            data = asked.content if isinstance(asked.content, bytes) else (tmp_path / "a17/1.jpg").read_bytes()
            assert data == WORLD["a17/1.jpg"]


def test_one_photo_that_cannot_be_fetched_is_a_failure_in_its_place(server: WebServer, remote: Remote) -> None:
    places = [f"{server.url}/none.jpg", "ftp://example.org/1.jpg", "https://user:pass@example.org/1.jpg"]
    found = [photo for place in places for photo in query_photos(place, remote=remote)]
    reasons = [photo.content.reason for photo in found if isinstance(photo.content, Failure)]
    assert reasons == [SkipReason.MISSING, SkipReason.REFUSED, SkipReason.REFUSED]
    assert "user:pass" not in found[2].name


def test_a_url_to_ask_about_is_refused_where_there_is_a_root(server: WebServer, tmp_path: Path, remote: Remote) -> None:
    [photo] = query_photos(f"{server.url}/1.jpg", remote=remote, root=tmp_path)
    assert isinstance(photo.content, Failure)
    assert photo.content.reason is SkipReason.REFUSED


def test_photos_to_ask_about_are_fetched_only_a_little_ahead(
    server: WebServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    files = {f"a/{number}.jpg": WORLD["a17/1.jpg"] for number in range(100)}
    where = as_web_manifest(tmp_path, files, request)
    before = server.count("GET")
    with Remote(RemoteOptions(allow_private=True, fetchers=2)) as remote:
        begun = query_photos(where, remote=remote)
        next(begun)
        assert server.count("GET") - before < 20


def test_a_kind_of_source_that_is_not_there_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"no source is called '\.rar'; there are: \.csv, \.jsonl"):
        registry.source(".rar")


def test_opening_a_source_loads_only_what_reads_it(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    program = (
        "import sys\n"
        "from imgmatch.sources import open_source\n"
        f"assert list(open_source({as_folder(tmp_path, WORLD, request)!r}))\n"
        f"assert list(open_source({as_separated(tmp_path, WORLD, request)!r}))\n"
        "print({'pyarrow', 'aiohttp', 'fsspec', 's3fs', 'gcsfs', 'cv2', 'faiss'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stderr
