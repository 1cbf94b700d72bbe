"""A folder of many years, as it comes back from a NAS, a Mac and a zip of Windows."""

from __future__ import annotations

import unicodedata
import zipfile
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.actions.scan import scan
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = (320, 400)
PEOPLE = {"Oma Gertrud": 1, "José Müller": 2, "bob": 3, "100CANON": 4}
STOLEN_BY, STOLEN_FROM = "lena_x", "José Müller"
LITTER = {
    "Thumbs.db": b"\xd0\xcf\x11\xe0", "desktop.ini": b"[.ShellClassInfo]", ".DS_Store": b"\0\0\0\1Bud1",
    ".picasa.ini": b"[Picasa]", "IMG_1.xmp": b"<x:xmpmeta/>", "IMG_1.AAE": b"<plist/>", "MVI_2.AVI": b"RIFF",
    "M0100.CTG": b"\0",
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """By their paths: photos, and what a NAS, a Mac and cameras put beside them."""
    found: dict[str, bytes] = {}
    for person, seed in PEOPLE.items():
        picture = photos.picture(seed, SIZE)
        whole, small = photos.jpeg(picture), photos.jpeg(picture.resize((128, 160)))
        for place in (f"{person}/2014-05 Urlaub", f"{person}/DCIM/100CANON"):
            found |= {f"{place}/{name}": data for name, data in LITTER.items()}
            found |= {
                f"{place}/IMG_1.JPG": whole,
                f"{place}/._IMG_1.JPG": b"\0\5\x16\7",
                f"{place}/@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_XL.jpg": small,
                f"{place}/.@__thumb/s100IMG_1.JPG": small,
                f"{place}/.AppleDouble/IMG_1.JPG": b"\0\5\x16\7",
            }
        for litter in ("@eaDir", "#recycle", "$RECYCLE.BIN/S-1-5-21", "lost+found", "LOST.DIR", "Temporary Items"):
            found[f"{litter}/{seed}.jpg"] = small
    found[f"{STOLEN_BY}/1.jpg"] = photos.jpeg(photos.picture(PEOPLE[STOLEN_FROM], SIZE).crop((30, 40, 320, 400)))
    return found


def copied(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(files: dict[str, bytes], path: Path, written: Callable[[str], bytes]) -> Path:
    """A zip whose names stand as they are written, without a word on how."""
    with zipfile.ZipFile(path, "w") as archive:
        places = {}
        for number, (name, data) in enumerate(files.items()):
            stand_in = f"<{number:~>{len(written(name)) - 2}}>"
            places[stand_in.encode()] = written(name)
            archive.writestr(zipfile.ZipInfo(stand_in, (2014, 5, 1, 12, 0, 0)), data)
    packed = path.read_bytes()
    for marked, real in places.items():
        packed = packed.replace(marked, real)
    path.write_bytes(packed)
    return path


def as_mac(name: str) -> bytes:
    return unicodedata.normalize("NFD", name).encode()


def as_windows(name: str) -> bytes:
    return name.replace("/", "\\").encode("cp437")


@pytest.mark.parametrize("form", ["folder", "mac.zip", "windows.zip"])
def test_a_camera_folder_gives_the_accounts_a_person_would_name(
    files: dict[str, bytes], tmp_path: Path, form: str
) -> None:
    if form == "folder":
        source = copied(files, tmp_path / "photos")
    else:
        source = zipped(files, tmp_path / form, as_mac if form == "mac.zip" else as_windows)
    with Index.create(tmp_path / "index") as index:
        result = scan(index.parts, [source])
        assert (result.added, result.skipped) == (2 * len(PEOPLE) + 1, 0)
        assert result.passed_over > len(files) / 2
        [ring] = index.rings().rings
        assert {account.account for account in ring.accounts} == {STOLEN_BY, STOLEN_FROM}
        assert {
            match.photo.account for match in index.check(copied(files, tmp_path / "q") / "bob/DCIM/100CANON/IMG_1.JPG")
        } == {"bob"}


def test_a_zip_that_holds_the_folder_of_all_accounts_is_told(tmp_path: Path) -> None:
    """As a Mac packs a folder: all in it is taken for one account."""
    nested = {f"photos/{who}/1.jpg": photos.jpeg(photos.picture(seed, SIZE)) for who, seed in PEOPLE.items()}
    path = zipped(nested, tmp_path / "photos.zip", as_mac)
    with Index.create(tmp_path / "index") as index:
        [hint] = scan(index.parts, [path]).hints
        assert "one account, photos, though they lie in 4 folders" in hint
        assert scan(index.parts, [copied(nested, tmp_path / "all") / "photos"]).hints == ()
