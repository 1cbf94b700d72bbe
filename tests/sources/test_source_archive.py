from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import subprocess
import sys
import tarfile
import time
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
from imgmatch.sources.guard import guarded

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
    files = {
        "a/1.jpg": A,
        "./a/deep/2.jpg": b"two",
        "top.jpg": b"top",
        "a/notes.txt": b"",
        ".hidden/1.jpg": A,
        "@eaDir/1.jpg": A,
    }
    path = write(tmp_path / name, files)
    found = taken(path)
    assert {label: photo.account for label, photo in found.items()} == {
        "a/1.jpg": "a",
        "a/deep/2.jpg": "a",
        "top.jpg": "top",
        ".hidden/1.jpg": ".hidden",
    }
    assert [read(photo) for photo in found.values()] == [A, b"two", b"top", A]
    assert skipped(path) == dict.fromkeys(("a/notes.txt", "@eaDir/1.jpg"), SkipReason.PASSED_OVER)
    scheme = "zip" if name == "set.zip" else "tar"
    assert str(found["a/1.jpg"].path) == f"{scheme}://a/1.jpg::{path}"


@pytest.mark.parametrize("name", KINDS)
def test_photos_can_be_read_in_any_order(tmp_path: Path, name: str) -> None:
    found = list(taken(write(tmp_path / name, {f"a/{n}.jpg": b"%d" % n * n for n in range(1, 30)})).values())
    assert [read(photo) for photo in reversed(found)] == [b"%d" % n * n for n in range(29, 0, -1)]


@pytest.mark.parametrize(
    ("written", "account"),
    [("José".encode(), "José"), ("José".encode("cp437") + b"~", "José~"), (b"\x80\x80_~~", "ÇÇ_~~")],
)
def test_a_zip_that_does_not_say_how_its_names_are_written_has_utf8_if_it_can_be(
    tmp_path: Path, written: bytes, account: str
) -> None:
    """So macOS writes them; Windows writes those of its consoles."""
    path = write(tmp_path / "set.zip", {"~~~~~/1.jpg": A})
    path.write_bytes(path.read_bytes().replace(b"~~~~~", written))
    [photo] = taken(path).values()
    assert photo.account == account
    assert read(photo) == A


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_names_that_lead_out_of_the_archive_are_refused_by_name(tmp_path: Path, name: str) -> None:
    hostile = ["../a/1.jpg", "a/../../1.jpg", "/etc/1.jpg", "a/..", "C:/1.jpg", "c:1.jpg", "..\\1.jpg", "\\\\x\\1.jpg"]
    path = write(tmp_path / name, dict.fromkeys([*hostile, "a/ok.jpg", "a/1..jpg"], A))
    assert skipped(path) == dict.fromkeys(hostile, SkipReason.REFUSED)
    assert set(taken(path)) == {"a/ok.jpg", "a/1..jpg"}


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_a_backslash_stands_between_folders_as_a_stroke_does(tmp_path: Path, name: str) -> None:
    """Also where both stand in one name; a folder that ends with one is no photo, and what leads out is refused."""
    files = {"alice\\1.jpg": A, "alice\\deep/2.jpg": b"two", ".\\bob\\1.jpg": A, "carol\\": b"", "top.jpg": A}
    hostile = ["a\\..\\..\\1.jpg", "..\\a/1.jpg", "C:\\a\\1.jpg", "\\a\\1.jpg", "\\\\?\\C:\\1.jpg", "/\\a/1.jpg"]
    path = write(tmp_path / name, files | dict.fromkeys(hostile, A) | {"x\\Thumbs.db": A, "__MACOSX\\alice\\1.jpg": A})
    accounts = {label: photo.account for label, photo in taken(path).items()}
    assert accounts == {"alice/1.jpg": "alice", "alice/deep/2.jpg": "alice", "bob/1.jpg": "bob", "top.jpg": "top"}
    passed = dict.fromkeys(("x/Thumbs.db", "__MACOSX/alice/1.jpg"), SkipReason.PASSED_OVER)
    assert skipped(path) == dict.fromkeys(hostile, SkipReason.REFUSED) | passed


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_two_spellings_of_one_path_are_one_photo(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"a/1.jpg": A, "a\\1.jpg": A})
    assert len({item.photo_id for item in open_source(path) if isinstance(item, NewPhoto)}) == 1


def test_names_in_a_tar_that_are_not_utf8_are_photos(tmp_path: Path) -> None:
    path = write(tmp_path / "set.tar", {"a/\udcff.jpg": A})
    assert set(taken(path)) == {r"a/\xff.jpg"}


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


@pytest.mark.slow
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


# -- bombs ------------------------------------------------------------------------------------------------------------


def ended(path: Path) -> tuple[list[str], str]:
    """The labels that a source gives, and why it breaks off."""
    labels: list[str] = []
    try:
        labels.extend(item.label if isinstance(item, NewPhoto) else item.photo for item in guarded(open_source(path)))
    except SourceError as error:
        return labels, str(error)
    return labels, ""


def header(kind: bytes, body: bytes) -> bytes:
    """A header of tar with its payload."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(body)
    return info.tobuf(tarfile.GNU_FORMAT)[:512] + body + bytes(-len(body) % 512)


def plain(name: str, data: bytes = A) -> bytes:
    info = entry(name, len(data))
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str]) -> bytes:
    lines = []
    for key, value in records.items():
        body = f" {key}={value}\n".encode()
        size = len(body) + 1
        while len(str(size)) + len(body) != size:
            size = len(str(size)) + len(body)
        lines.append(b"%d%s" % (size, body))
    return b"".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_early_and_what_came_before_is_kept(
    tmp_path: Path, kind: str
) -> None:
    zeros = PACKED[kind](bytes(1 << 26))
    head = plain("a/1.jpg") + entry("a/big.jpg", 1 << 31).tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / f"set.tar.{kind}"
    path.write_bytes(PACKED[kind](head) + zeros * 32)  # two gibibytes, as streams one after the other
    before = time.process_time()
    labels, why = ended(path)
    assert (labels, "more than 200 times its size" in why) == (["a/1.jpg", "a/big.jpg"], True)
    assert time.process_time() - before < 2.5  # of all of it, it is a fifth
    assert read(next(item for item in open_source(path) if isinstance(item, NewPhoto))) == A


@pytest.mark.parametrize("length", [0, 2, 0xFFF])
def test_an_archive_in_several_streams_is_read_as_one_and_what_follows_its_end_is_not_read(
    tmp_path: Path, length: int
) -> None:
    whole = plain("a/1.jpg") + plain("a/2.jpg") + bytes(1024)
    for kind, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        path = tmp_path / f"set.tar.{kind}"
        path.write_bytes(pack(whole[:700]) + bytes(length // 4 * 4) + pack(whole[700:]) + b"garbage")
        assert set(taken(path)) == {"a/1.jpg", "a/2.jpg"}


def test_an_xz_file_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    path = tmp_path / "set.tar.xz"
    path.write_bytes(lzma.compress(plain("a/1.jpg") + bytes(1024), filters=filters))
    with pytest.raises(SourceError, match="refused: unpacking it needs more memory"):
        open_source(path)


@pytest.mark.parametrize(
    "chain",
    [
        header(tarfile.GNUTYPE_LONGNAME, b"a/1.jpg\0") * 2000,
        header(tarfile.GNUTYPE_LONGLINK, b"a/1.jpg\0") * 2000,
        header(tarfile.XHDTYPE, pax({"path": "a/1.jpg"})) * 2000,
        header(tarfile.SOLARIS_XHDTYPE, pax({"path": "a/1.jpg"})) * 2000,
        header(tarfile.XGLTYPE, pax({"comment": "x"})) * 2000,
        b"".join(header(tarfile.XGLTYPE, pax({f"key{n}": "x"})) for n in range(2000)),
        header(tarfile.XHDTYPE, pax({f"key{n}": "x" * 100 for n in range(5000)})) * 3,
        header(tarfile.XHDTYPE, b"1" * 900_000),
        header(tarfile.XHDTYPE, pax({"size": "9" * 400})),
    ],
    ids=["long name", "long link", "pax", "solaris", "global", "global keys", "bytes", "digits", "number"],
)
def test_endless_headers_before_one_file_end_the_archive_there(tmp_path: Path, chain: bytes) -> None:
    (tmp_path / "set.tar").write_bytes(plain("a/1.jpg") + chain + plain("a/2.jpg") + bytes(1024))
    before = time.process_time()
    labels, why = ended(tmp_path / "set.tar")
    assert (labels, "header" in why) == (["a/1.jpg"], True)
    assert time.process_time() - before < 5  # the square would take hours


def test_a_sparse_file_with_an_endless_map_ends_the_archive_there(tmp_path: Path) -> None:
    head = bytearray(entry("a/2.jpg", 0, tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    head[482] = 1  # another block of the map follows
    checksum = 256 + sum(head[:148]) + sum(head[156:512])
    head[148:156] = b"%06o\0 " % checksum
    block = bytes(504) + b"\1" + bytes(7)
    (tmp_path / "set.tar").write_bytes(plain("a/1.jpg") + bytes(head) + block * 5000 + bytes(1024))
    labels, why = ended(tmp_path / "set.tar")
    assert (labels, "endless headers" in why) == (["a/1.jpg"], True)


def test_global_headers_are_kept_within_a_bound(tmp_path: Path) -> None:
    some = "".join(f"{n:03x}," for n in range(250))
    many = b"".join(header(tarfile.XGLTYPE, pax({f"k{n}": "v"})) + plain(f"a/{n}.jpg", b"x") for n in range(200))
    large = b"".join(header(tarfile.XGLTYPE, pax({f"k{n}": some * 20})) + plain(f"a/{n}.jpg", b"x") for n in range(9))
    honest = header(tarfile.XGLTYPE, pax({"comment": some})) + plain("a/1.jpg")
    for name, data, expected in (("many", many, 100), ("large", large, 3)):
        (tmp_path / f"{name}.tar").write_bytes(data + bytes(1024))
        labels, why = ended(tmp_path / f"{name}.tar")
        assert (len(labels), "global headers" in why) == (expected, True)
    (tmp_path / "honest.tar").write_bytes(honest + bytes(1024))
    assert set(taken(tmp_path / "honest.tar")) == {"a/1.jpg"}


@pytest.mark.slow
def test_a_packed_archive_of_headers_alone_is_refused(tmp_path: Path) -> None:
    long = header(tarfile.XHDTYPE, pax({"comment": "x" * 100_000}))
    (tmp_path / "long.tar.gz").write_bytes(gzip.compress((long + plain("a/1.txt", b"")) * 200 + bytes(1024)))
    assert "headers of" in ended(tmp_path / "long.tar.gz")[1]
    many = b"".join(plain(f"a/{n}.jpg", b"") for n in range(1000))
    (tmp_path / "many.tar.gz").write_bytes(gzip.compress(many * 40 + bytes(1024)))
    labels, why = ended(tmp_path / "many.tar.gz")
    assert (len(labels) < 30_000, "files in" in why) == (True, True)


def test_a_member_with_a_name_that_no_file_can_have_costs_that_member(tmp_path: Path) -> None:
    data = header(tarfile.GNUTYPE_LONGNAME, b"a/" + b"x" * 100_000 + b"\0") + plain("a/1.jpg")
    nul = header(tarfile.XHDTYPE, pax({"path": "a/\0.jpg"})) + plain("a/2.jpg")
    (tmp_path / "set.tar").write_bytes(data + nul + plain("a/3.jpg") + bytes(1024))
    assert list(skipped(tmp_path / "set.tar").values()) == [SkipReason.REFUSED] * 2
    assert set(taken(tmp_path / "set.tar")) == {"a/3.jpg"}


def test_a_member_without_a_name_costs_that_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {"a/1.jpg": A, "a/2.jpg": A}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"a/1.jpg", b"\0/1.jpg"))
    assert skipped(path) == {"": SkipReason.REFUSED}
    assert read(taken(path)["a/2.jpg"]) == A


METHODS = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA, "deflate": zipfile.ZIP_DEFLATED, "stored": 0}


def zipped(path: Path, files: Mapping[str, bytes], method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("size", [0, 1, 70_000, 1_000_000])
def test_a_zip_packed_in_any_way_is_read(tmp_path: Path, method: int, size: int) -> None:
    data = np.random.default_rng(size).integers(0, 9, size, np.uint8).tobytes()
    path = zipped(tmp_path / "set.zip", {"a/1.jpg": data, "a/2.jpg": A}, method)
    assert [read(photo) for photo in taken(path).values()] == [data, A]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("damage", [0, 2, 4, 9, 400])
def test_packed_bytes_that_are_damaged_cost_that_photo_only(tmp_path: Path, method: int, damage: int) -> None:
    noise = np.random.default_rng(1).bytes(5_000)
    path = zipped(tmp_path / "set.zip", {"a/1.jpg": noise, "a/2.jpg": A}, method)
    data = bytearray(path.read_bytes())
    start = 30 + len("a/1.jpg") + damage
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    found = taken(path)
    with pytest.raises(PhotoError) as caught:
        read(found["a/1.jpg"])
    assert caught.value.reason in {SkipReason.UNREADABLE, SkipReason.TOO_LARGE}
    assert read(found["a/2.jpg"]) == A


def test_a_way_of_packing_that_is_not_known_costs_that_photo_only(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {"a/1.jpg": A, "a/2.jpg": A}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    data[8] = data[data.index(b"PK\1\2") + 10] = 9  # Deflate64
    path.write_bytes(data)
    found = taken(path)
    with pytest.raises(PhotoError, match="method 9"):
        read(found["a/1.jpg"])
    assert read(found["a/2.jpg"]) == A


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process allocates")
@pytest.mark.parametrize("method", ["ZIP_BZIP2", "ZIP_LZMA"])
def test_a_bomb_in_a_zip_takes_little_memory_whatever_it_announces(tmp_path: Path, method: str) -> None:
    path = zipped(tmp_path / "set.zip", {"a/bomb.jpg": bytes(150 << 20), "a/2.jpg": A}, getattr(zipfile, method))
    size = (150 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    program = f"""
import resource
from imgmatch.sources import open_source
from imgmatch.errors import PhotoError
found = list(open_source({str(path)!r}))
resource.setrlimit(resource.RLIMIT_DATA, (100 << 20, 100 << 20))
try:
    found[0].path.fetch().result()
except PhotoError as error:
    print(error.reason, len(found[1].path.fetch().result().data))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == f"unreadable {len(A)}\n", done.stderr


def test_members_that_lie_over_each_other_unpack_to_no_more_than_the_bound(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {"a/0000.jpg": bytes(60 << 20)}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    table = data[data.index(b"PK\1\2") : data.index(b"PK\5\6")]
    end = bytearray(data[data.index(b"PK\5\6") :])
    entries = [bytearray(table) for _ in range(500)]
    end[8:10] = end[10:12] = len(entries).to_bytes(2, "little")
    end[12:16] = (len(table) * len(entries)).to_bytes(4, "little")
    path.write_bytes(data[: data.index(b"PK\1\2")] + b"".join(entries) + end)
    source = open_source(path)
    whole = 0
    refused = ""
    for photo in source:
        assert isinstance(photo, NewPhoto)
        try:
            whole += len(read(photo))
        except PhotoError as error:
            refused = str(error)
            break
    assert refused
    assert whole <= max(128 << 20, 200 * path.stat().st_size)


@pytest.mark.parametrize("entries", [250_000, 0])
def test_a_table_of_contents_that_would_fill_the_memory_is_an_error_that_says_what_to_do(
    tmp_path: Path, entries: int
) -> None:
    # Its entries, or its one name and comment, are larger than any that is read.
    table = (b"PK\1\2" + bytes(42)) * entries or (b"PK\1\2" + bytes(26 << 20))
    end = b"PK\5\6" + bytes(4) + b"\xff\xff" * 2 + len(table).to_bytes(4, "little") + bytes(4) + bytes(2)
    (tmp_path / "set.zip").write_bytes(table + end)
    with pytest.raises(SourceError, match=r"table of contents has .*one tar file"):
        open_source(tmp_path / "set.zip")


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


@pytest.mark.parametrize("after", [b"", bytes(512), bytes(10_240)], ids=["nothing", "one more", "padding"])
def test_a_tar_may_end_with_one_block_of_zeros_or_more(tmp_path: Path, after: bytes) -> None:
    path = write(tmp_path / "set.tar", {"a/1.jpg": A})
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole + bytes(-len(whole) % 512) + bytes(512) + after)
    assert [item.label for item in open_source(path) if isinstance(item, NewPhoto)] == ["a/1.jpg"]


def test_a_block_of_zeros_in_the_middle_of_a_tar_is_not_its_end(tmp_path: Path) -> None:
    """What follows would be taken for gone, and pruned."""
    path = write(tmp_path / "set.tar", {"a/1.jpg": A, "b/2.jpg": A})
    data = path.read_bytes()
    second = data.index(b"b/2.jpg")
    path.write_bytes(data[:second] + bytes(512) + data[second:])
    items = iter(open_source(path))
    assert isinstance(next(items), NewPhoto)
    with pytest.raises(SourceError, match="an end in the middle"):
        next(items)
