"""Engine files of another catalog, or of another state of this one, are never searched."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import photos
import pytest
from older import back_to_version_7

from imgmatch.catalog.sqlite_files import OWN_FILES
from imgmatch.engines.publishing import rebuild
from imgmatch.engines.snapshots import read_token
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imgmatch.engines.header import Header

DAYS = {1: range(60), 2: range(60, 120), 3: range(120, 180)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos, one an account."""
    folder = tmp_path_factory.mktemp("drawn")
    for seeds in DAYS.values():
        draw(folder, seeds)
    return folder


def draw(folder: Path, seeds: Iterable[int]) -> None:
    for seed in seeds:
        (folder / f"{seed}.png").write_bytes(photos.png(photos.picture(seed, (48, 56))))


def scan(index: Path, drawn: Path, seeds: Iterable[int]) -> None:
    with opened(index) as held:
        take(held, drawn, seeds)


def opened(index: Path) -> Index:
    return Index.open(index, create=True, depth=Depth.FINGERPRINT)


def take(index: Index, drawn: Path, seeds: Iterable[int]) -> None:
    index.add([NewPhoto.at(drawn / f"{seed}.png", account=f"a{seed}") for seed in seeds])


def answers(index: Index, drawn: Path, seeds: Iterable[int]) -> dict[int, list[str]]:
    asked = list(seeds)
    found = index.check_many([drawn / f"{seed}.png" for seed in asked])
    return {seed: [match.photo.account for match in one] for seed, one in zip(asked, found, strict=True)}


def copied(index: Path, to: Path, names: Iterable[str] = OWN_FILES) -> None:
    to.mkdir(exist_ok=True)
    for name in names:
        if (index / name).exists():
            shutil.copy(index / name, to / name)


def put_back(index: Path, copy: Path) -> None:
    for name in OWN_FILES:
        (index / name).unlink(missing_ok=True)
    shutil.copytree(copy, index, dirs_exist_ok=True)


def copy_closed(index: Path, drawn: Path, copy: Path) -> None:
    scan(index, drawn, DAYS[1])
    copied(index, copy)


def copy_with_log(index: Path, drawn: Path, copy: Path) -> None:
    with opened(index) as held:
        take(held, drawn, DAYS[1])
        copied(index, copy)
    assert (copy / "catalog.sqlite3-wal").stat().st_size


def copy_without_log(index: Path, drawn: Path, copy: Path) -> None:
    scan(index, drawn, DAYS[1][:30])
    with opened(index) as held:
        take(held, drawn, DAYS[1])
        copied(index, copy, ["catalog.sqlite3"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("take_copy", "restored"),
    [(copy_closed, DAYS[1]), (copy_with_log, DAYS[1]), (copy_without_log, DAYS[1][:30])],
)
def test_after_a_catalog_is_put_back_every_photo_leads_to_its_own_account_alone(
    tmp_path: Path,
    drawn: Path,
    take_copy: Callable[[Path, Path, Path], None],
    restored: range,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index = tmp_path / "index"
    take_copy(index, drawn, tmp_path / "copy")
    scan(index, drawn, DAYS[2])
    put_back(index, tmp_path / "copy")
    assert not caplog.records
    scan(index, drawn, DAYS[3])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "of another state of this one" in caplog.text
    with opened(index) as held:
        kept = [*restored, *DAYS[3]]
        assert answers(held, drawn, kept) == {seed: [f"a{seed}"] for seed in kept}
        assert answers(held, drawn, DAYS[2]) == {seed: [] for seed in DAYS[2]}
        found = held.status(verify=True)
        assert (found.photos, found.snapshot, found.damaged) == (len(kept), "ok", 0)
    assert len(caplog.records) == 1  # once is enough


# -- what else may lie beside each other --------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path, drawn: Path) -> tuple[Path, Path]:
    """Two indexes of three photos each, whose files are called alike, and hold as much."""
    for name, seeds in (("one", range(3)), ("two", range(3, 6))):
        scan(tmp_path / name, drawn, seeds)
    assert names(tmp_path / "one") == names(tmp_path / "two")
    return tmp_path / "one", tmp_path / "two"


def names(index: Path) -> set[str]:
    return {entry.name for entry in index.iterdir()}


def engine_files(index: Path) -> list[str]:
    return sorted(name for name in names(index) if name.startswith(("phash.", "features.")))


def ensure_right(index: Path, drawn: Path, seeds: Iterable[int]) -> None:
    """An index answers for these photos, and is at one with itself."""
    with opened(index) as held:
        assert answers(held, drawn, range(6)) == {seed: [f"a{seed}"] if seed in seeds else [] for seed in range(6)}
        found = held.status(verify=True)
        assert (found.snapshot, found.features_snapshot) == ("ok", "ok")


@pytest.mark.parametrize("what", ["index.json", "engine files", "one engine file", "all but the catalog", "catalog"])
def test_files_of_another_index_are_noticed_and_made_anew(
    two: tuple[Path, Path], drawn: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    files = {
        "index.json": ["index.json"],
        "engine files": engine_files(one),
        "one engine file": engine_files(one)[-1:],
        "all but the catalog": ["index.json", *engine_files(one)],
        "catalog": ["catalog.sqlite3"],
    }
    for name in files[what]:
        shutil.copy(other / name, one / name)
    ensure_right(one, drawn, range(3, 6) if what == "catalog" else range(3))
    assert "made anew" in caplog.text
    caplog.clear()
    ensure_right(one, drawn, range(3, 6) if what == "catalog" else range(3))
    assert not caplog.records


def test_an_older_folder_of_engine_files_beside_a_newer_catalog_is_noticed(
    tmp_path: Path, drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "index"
    scan(index, drawn, range(3))
    copied(index, tmp_path / "copy", ["index.json", *engine_files(index)])
    scan(index, drawn, range(6))
    for name in engine_files(index):
        (index / name).unlink()
    shutil.copytree(tmp_path / "copy", index, dirs_exist_ok=True)
    ensure_right(index, drawn, range(6))
    assert "of another state of this one" in caplog.text


def test_a_catalog_that_has_lost_its_tokens_gets_new_ones_and_its_engine_files_are_made_anew(
    two: tuple[Path, Path], drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(sqlite3.connect(two[0] / "catalog.sqlite3")) as raw, raw:
        raw.execute("DELETE FROM tokens")
    ensure_right(two[0], drawn, range(3))
    assert "made anew" in caplog.text


def test_a_header_written_by_hand_without_engine_files_is_taken(
    two: tuple[Path, Path], drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = two[0] / "index.json"
    written = json.loads(path.read_text()) | {"snapshot": None, "features": None, "catalog": None}
    path.write_text(json.dumps(written))
    with opened(two[0]) as held:
        assert answers(held, drawn, range(3)) == {seed: [f"a{seed}"] for seed in range(3)}
        assert held.parts.folder.header().catalog is not None
    assert not caplog.records


OPEN_UNPRIVILEGED = """
import os, sys
from pathlib import Path
from imgmatch import Index, errors
with Index.create(Path(sys.argv[2])) as own:  # once nobody, it may load nothing more
    len(own)
os.getuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))
try:
    with Index.open(Path(sys.argv[1])) as index:
        print(len(index))
except errors.IndexDamagedError as error:
    print(error.exit_code, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="takes users of Unix")
def test_files_of_another_index_are_refused_where_nothing_can_be_written(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory() as public:
        for place in (Path(public), shutil.copytree(two[0], Path(public) / "index")):
            place.chmod(0o755)
        index = Path(public) / "index"
        assert read_only(index, tmp_path / "own").split() == ["3"]
        shutil.copy(two[1] / "index.json", index / "index.json")
        before = {entry.name: entry.read_bytes() for entry in index.iterdir()}
        said = read_only(index, tmp_path / "own")
        assert said.startswith(f"4 index {index}: index.json is of another catalog; phash.flat.1 is of another")
        assert "imgmatch rebuild" in said
        assert {entry.name: entry.read_bytes() for entry in index.iterdir()} == before


def read_only(index: Path, own: Path) -> str:
    for entry in index.iterdir():
        entry.chmod(0o444)
    index.chmod(0o555)
    command = [sys.executable, "-c", OPEN_UNPRIVILEGED, str(index), str(own)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    index.chmod(0o755)
    return done.stdout


# -- publications that were killed --------------------------------------------------------------------------------


class KilledError(Exception):
    """Where a process would be killed."""


@pytest.mark.parametrize("named", [False, True], ids=["before the header", "after the header"])
def test_a_publication_killed_between_catalog_and_header_is_not_taken_for_a_foreign_one(
    two: tuple[Path, Path], drawn: Path, caplog: pytest.LogCaptureFixture, *, named: bool
) -> None:
    with opened(two[0]) as held:
        parts = held.parts
        change_header = parts.folder.change_header

        def killed(change: Callable[[Header], Header]) -> Header:
            if named:
                change_header(change)
            raise KilledError

        for _ in range(2):  # the second one after the first
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(parts.folder, "change_header", killed)
                with pytest.raises(KilledError):
                    rebuild(parts)
            assert tokens(two[0])["fingerprints"][1] is not None
            ensure_right(two[0], drawn, range(3))
    assert not caplog.records
    scan(two[0], drawn, range(3, 6))
    ensure_right(two[0], drawn, range(6))
    assert {kind: pending for kind, (_, pending) in tokens(two[0]).items()} == dict.fromkeys(tokens(two[0]))
    assert not caplog.records


def tokens(index: Path) -> dict[str, tuple[str | None, str | None]]:
    with contextlib.closing(sqlite3.connect(index / "catalog.sqlite3")) as raw:
        return {kind: (token, pending) for kind, token, pending in raw.execute("SELECT * FROM tokens")}


# -- indexes of older versions ------------------------------------------------------------------------------------


def back_to_format_2(index: Path) -> None:
    """Make an index what the version before tokens was."""
    header = json.loads((index / "index.json").read_text())
    del header["catalog"]
    for field in ("snapshot", "features"):
        if header[field] is not None:
            del header[field]["token"]
            path = index / header[field]["file"]
            unmarked(path)
    (index / "index.json").write_text(json.dumps(header | {"format": 2}))
    back_to_version_7(index)


def unmarked(path: Path) -> None:
    """Write an engine file anew without its token."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.with_suffix(".new"), "w") as new:
        for member in old.infolist():
            if member.filename != "token.npy":
                new.writestr(member.filename, old.read(member))
    path.with_suffix(".new").replace(path)


def written(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written anew."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def test_an_older_index_gets_tokens_and_keeps_its_engine_files(
    two: tuple[Path, Path], drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = two[0]
    back_to_format_2(index)
    before = {name: written(index / name) for name in engine_files(index)}
    with opened(index) as held:
        header = held.parts.folder.header()
        for snapshot in (header.snapshot, header.features):
            assert snapshot is not None
            assert snapshot.token == read_token(index / snapshot.file)
    assert {name: written(index / name) for name in engine_files(index)} == before
    ensure_right(index, drawn, range(3))
    assert not caplog.records


@pytest.mark.parametrize("fewer", [False, True])
def test_an_older_index_whose_catalog_was_put_back_gets_new_engine_files(
    two: tuple[Path, Path], drawn: Path, caplog: pytest.LogCaptureFixture, *, fewer: bool
) -> None:
    one, other = two
    scan(other, drawn, range(3, 6 if not fewer else 7))
    for index in two:
        back_to_format_2(index)
    shutil.copy(one / "catalog.sqlite3", other / "catalog.sqlite3")  # as many rows under other bits, or fewer
    ensure_right(other, drawn, range(3))
    assert "made anew" in caplog.text


@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_an_older_index_with_a_damaged_engine_file_answers_from_its_catalog(
    two: tuple[Path, Path], drawn: Path, harm: str
) -> None:
    back_to_format_2(two[0])
    path = two[0] / engine_files(two[0])[-1]
    path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes()[:-9])
    with opened(two[0]) as held:
        assert answers(held, drawn, range(3)) == {seed: [f"a{seed}"] for seed in range(3)}
        assert held.status().snapshot == "missing"
    scan(two[0], drawn, range(3))
    ensure_right(two[0], drawn, range(3))
