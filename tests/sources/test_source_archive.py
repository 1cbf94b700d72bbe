from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest

from imgmatch.actions.scan import scan
from imgmatch.errors import PhotoError, SourceError
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source
from imgmatch.sources.fetching import remote_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

A = photos.jpeg(photos.picture(1, (96, 120)))
KINDS = ("set.zip", "set.tar", "set.tar.gz", "SET.TGZ", "set.tar.bz2", "set.tar.xz")
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gz": gzip.compress,
    "tgz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def write(path: Path, files: Mapping[str, bytes]) -> Path:
    suffix = path.suffix.lower()[1:]
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6)), data, zipfile.ZIP_DEFLATED)
        return path
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in files.items():
            tar.addfile(entry(name, len(data)), io.BytesIO(data))
    path.write_bytes(PACKED[suffix.rpartition(".")[2]](plain.getvalue()))
    return path


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mtime = size, kind, link, 1_600_000_000
    return info


def skipped(path: Path) -> dict[str, SkipReason]:
    return {item.photo: item.reason for item in open_source(path) if isinstance(item, Skipped)}


def taken(path: Path) -> dict[str, NewPhoto]:
    return {item.label: item for item in open_source(path) if isinstance(item, NewPhoto)}


def read(photo: NewPhoto) -> bytes:
    file = remote_file(photo)
    assert file is not None
    return file.fetch().result().data


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_is_a_folder_with_a_sub_folder_per_account(tmp_path: Path, name: str) -> None:
    files = {"a/1.jpg": A, "./a/deep/2.jpg": b"two", "top.jpg": b"top", "a/notes.txt": b"", ".hidden/1.jpg": A}
    path = write(tmp_path / name, files)
    found = taken(path)
    assert {label: photo.account for label, photo in found.items()} == {
        "a/1.jpg": "a",
        "a/deep/2.jpg": "a",
        "top.jpg": "top",
    }
    assert [read(photo) for photo in found.values()] == [A, b"two", b"top"]
    scheme = "zip" if name == "set.zip" else "tar"
    assert str(found["a/1.jpg"].path) == f"{scheme}://a/1.jpg::{path}"


@pytest.mark.parametrize("name", KINDS)
def test_photos_can_be_read_in_any_order(tmp_path: Path, name: str) -> None:
    found = list(taken(write(tmp_path / name, {f"a/{n}.jpg": b"%d" % n * n for n in range(1, 30)})).values())
    assert [read(photo) for photo in reversed(found)] == [b"%d" % n * n for n in range(29, 0, -1)]


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_names_that_lead_out_of_the_archive_are_refused_by_name(tmp_path: Path, name: str) -> None:
    hostile = ["../a/1.jpg", "a/../../1.jpg", "/etc/1.jpg", "a/..", "C:/1.jpg", "c:1.jpg", "..\\1.jpg", "\\\\x\\1.jpg"]
    path = write(tmp_path / name, dict.fromkeys([*hostile, "a/ok.jpg", "a/1..jpg"], A))
    assert skipped(path) == dict.fromkeys(hostile, SkipReason.REFUSED)
    assert set(taken(path)) == {"a/ok.jpg", "a/1..jpg"}


def test_links_and_devices_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.addfile(entry("a/soft.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"))
        tar.addfile(entry("a/hard.jpg", kind=tarfile.LNKTYPE, link="../x"))
        tar.addfile(entry("a/pipe.jpg", kind=tarfile.FIFOTYPE))
        tar.addfile(entry("a", kind=tarfile.DIRTYPE))
    refused, odd = SkipReason.REFUSED, SkipReason.UNREADABLE
    assert skipped(tmp_path / "set.tar") == {"a/soft.jpg": refused, "a/hard.jpg": refused, "a/pipe.jpg": odd}


def test_links_and_secrets_in_a_zip_are_not_followed(tmp_path: Path) -> None:
    link, secret = zipfile.ZipInfo("a/link.jpg"), zipfile.ZipInfo("a/secret.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(secret, A)
    data = bytearray((tmp_path / "set.zip").read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1  # the flag of the last entry
    (tmp_path / "set.zip").write_bytes(data)
    assert skipped(tmp_path / "set.zip") == {"a/link.jpg": SkipReason.REFUSED, "a/secret.jpg": SkipReason.UNREADABLE}


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_bomb_is_stopped_by_the_limit(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"a/bomb.jpg": bytes(80 << 20), "a/ok.jpg": A})
    assert path.stat().st_size < 1 << 20
    found = taken(path)
    with pytest.raises(PhotoError, match="too large"):
        read(found["a/bomb.jpg"])
    assert read(found["a/ok.jpg"]) == A


def test_a_bomb_that_announces_little_is_no_photo(tmp_path: Path) -> None:
    path = write(tmp_path / "set.zip", {"a/bomb.jpg": bytes(1 << 20)})
    data = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(PhotoError, match="unreadable"):
        read(taken(path)["a/bomb.jpg"])


def test_a_header_that_would_fill_the_memory_is_an_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.addfile(entry("x", 40 << 20, tarfile.XHDTYPE), io.BytesIO(bytes(40 << 20)))
    with pytest.raises(SourceError, match="a header of"):
        open_source(tmp_path / "set.tar.gz")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_an_error_with_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        list(open_source(tmp_path / name))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.35, 0.8, 0.95])
def test_an_archive_cut_off_anywhere_is_an_error_and_not_a_short_archive(
    tmp_path: Path, name: str, share: float
) -> None:
    noise = np.random.default_rng(1).bytes(9_000)
    path = write(tmp_path / name, {f"a/{n}.jpg": noise[n * 700 : n * 700 + 700] for n in range(12)})
    data = path.read_bytes()
    path.write_bytes(data[: 512 * int(12 * 3 * share)] if name == "set.tar" else data[: int(len(data) * share)])
    with pytest.raises(SourceError):
        list(open_source(path))


def test_a_photo_damaged_in_its_archive_costs_that_photo_only(tmp_path: Path) -> None:
    path = write(tmp_path / "set.zip", {"a/1.jpg": A, "a/2.jpg": A})
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
    found = taken(path)
    with pytest.raises(PhotoError, match="unreadable"):
        read(found["a/1.jpg"])
    assert read(found["a/2.jpg"]) == A


def test_an_archive_outside_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "set.zip", {"a/1.jpg": A})
    with pytest.raises(SourceError, match="leaves the folder"):
        open_source(path, root=tmp_path / "in")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("index") / "index", depth=Depth.FINGERPRINT) as index:
        yield index


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_second_scan_of_an_archive_reads_no_photo_and_a_changed_one_only_those_that_changed(
    index: Index, tmp_path: Path, name: str
) -> None:
    one, two = (photos.jpeg(photos.picture(seed, (96, 120))) for seed in (11, 12))
    path = write(tmp_path / name, {"a/1.jpg": one, "b/1.jpg": two, "b/2.jpg": b"junk"})
    first = scan(index.parts, [path])
    assert (first.added, first.skipped) == (2, 1)
    assert {match.photo.account for match in index.check(two)} >= {"b"}
    again = scan(index.parts, [path])
    assert (again.unchanged, again.skipped) == (2, 1)
    write(path, {"a/1.jpg": one, "b/1.jpg": one + b"\0"})
    changed = scan(index.parts, [path], prune=True)
    assert (changed.unchanged, changed.updated, changed.removed) == (1, 1, 0)
