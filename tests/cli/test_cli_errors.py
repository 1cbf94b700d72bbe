from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import photos
import pytest
from terminal import IS_ROOT, can_drop_rights, command, imgmatch, imgmatch_here

from imgmatch import open_sources
from imgmatch.catalog.scans import SCAN
from imgmatch.cli.main import run
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (96, 120)
QUICK = ("--depth", "fingerprint")
LINES = 2000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, a scanned index of them, and a photo to ask for."""
    home = tmp_path_factory.mktemp("errors")
    photos.write_accounts(home / "photos", {f"a{n}": {"1.jpg": photos.picture(n, SIZE)} for n in range(3)})
    (home / "q.jpg").write_bytes(photos.jpeg(photos.picture(1, SIZE), 40))
    assert run(["scan", str(home / "photos"), "--index", str(home / "index"), "--format", "json"]) == 0
    return home


# -- 4: the index cannot be used --------------------------------------------------------------------------------------

READERS = [["check", "q.jpg"], ["rings"], ["status"], ["rebuild"], ["erase", "--account", "a"]]


@pytest.mark.parametrize("arguments", READERS, ids=lambda arguments: str(arguments[0]))
def test_without_an_index_every_reading_command_ends_with_four(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--index", str(tmp_path / "none")]) == 4
    said = capsys.readouterr()
    assert said.err == f"imgmatch: there is no index at {tmp_path / 'none'}; make one with: imgmatch scan\n"
    assert said.out == ""
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [*READERS, ["scan", "photos"]], ids=lambda arguments: str(arguments[0]))
def test_a_folder_of_something_else_is_refused_and_left_alone(
    arguments: list[str],
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(home)
    (tmp_path / "thesis.txt").write_text("mine")
    assert run([*arguments, "--index", str(tmp_path)]) == 4
    assert str(tmp_path) in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_index_made_by_a_newer_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Index.create(tmp_path / "index").close()
    header = tmp_path / "index" / "index.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"format": 99}))
    for arguments in (["status"], ["scan", str(tmp_path)]):
        assert run([*arguments, "--index", str(tmp_path / "index")]) == 4
        assert "has format 99" in capsys.readouterr().err


def test_a_catalog_made_by_a_newer_version_is_refused_and_the_index_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Index.create(tmp_path / "index") as index, index.parts.catalog.write() as session:
        session.sql.exec_driver_sql("INSERT INTO versions VALUES (99)")
    assert run(["status", "--index", str(tmp_path / "index")]) == 4
    assert f"index {tmp_path / 'index'}: its catalog has version 99" in capsys.readouterr().err


def test_a_damaged_catalog_ends_with_four(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Index.create(tmp_path / "index").close()
    (tmp_path / "index" / "catalog.sqlite3").write_bytes(b"no database" * 1000)
    assert run(["status", "--index", str(tmp_path / "index")]) == 4
    assert str(tmp_path / "index") in capsys.readouterr().err


@pytest.mark.slow
def test_while_another_process_scans_a_source_a_second_scan_ends_with_four_and_a_check_goes_on(home: Path) -> None:
    with (
        open_sources([home / "photos"]) as (source,),
        Index.open(home / "index") as index,
        index.parts.catalog.lease(f"{SCAN}{source.key}"),
    ):
        scan = imgmatch("scan", home / "photos", "--index", home / "index")
        assert scan.code == 4
        assert re.fullmatch(
            rf"imgmatch: index {home / 'index'}: {SCAN}{source.key} is under way; process {os.getpid()} on \S+ holds it"
            r" since \S+; try again later\n",
            scan.err,
        )
        check = imgmatch("check", home / "q.jpg", "--index", home / "index", "--format", "jsonl")
        assert (check.code, check.lines[0]["accounts"]) == (0, 1)


@pytest.mark.slow
@pytest.mark.skipif(not can_drop_rights(), reason="modes of files do not count for this user")
def test_an_index_that_may_only_be_read_can_be_checked_but_not_scanned(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert run(["scan", str(home / "photos"), "--index", str(folder)]) == 0
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    before = sorted(path.name for path in folder.iterdir())
    try:
        check = imgmatch("check", home / "q.jpg", "--index", folder, "--format", "jsonl", without_rights=True)
        assert (check.code, check.lines[0]["accounts"]) == (0, 1), check.err
        for arguments in (["scan", home / "photos"], ["erase", "--account", "a1"]):
            done = imgmatch(*arguments, "--index", folder, without_rights=True)
            assert done.code == 4, done.err
            assert done.err.startswith(f"imgmatch: index {folder} cannot be written")
            assert done.err.count("\n") == 1
        new = imgmatch("scan", home / "photos", "--index", folder / "new", without_rights=True)
        assert (new.code, new.err.count("\n")) == (4, 1)
        assert sorted(path.name for path in folder.iterdir()) == before
    finally:
        folder.chmod(0o755)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two mebibytes."""
    if not IS_ROOT or sys.platform != "linux":
        pytest.skip("only root may mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S607 -- wherever umount lies


@pytest.mark.slow
def test_a_full_disk_ends_a_scan_with_four_and_nothing_that_was_written_is_lost(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_disk / "index"
    picture = photos.jpeg(photos.picture(1, SIZE))
    lines = ["account,photo,bio"]
    for number in range(12):
        (tmp_path / f"{number}.jpg").write_bytes(photos.jpeg(photos.picture(number, SIZE)))
    # The third batch brings more than fits.
    lines += [f"a{number},{number % 12}.jpg,{'x' * (8_000 if number > 512 else 9)}" for number in range(760)]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    full = imgmatch_here(capsys, "scan", tmp_path / "manifest.csv", "--index", folder, "--workers", "1", *QUICK)
    assert full.code == 4, full.err
    assert full.err.startswith(f"imgmatch: index {folder}: ")
    assert "disk" in full.err
    assert "full" in full.err or "no space" in full.err
    assert full.err.count("\n") == 1
    with Index.open(folder) as index:
        assert len(index) == 512
        assert index.check(picture).status == "match"


def test_a_disk_full_from_the_start_ends_with_four(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1, SIZE)}})
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    done = imgmatch_here(capsys, "scan", tmp_path / "photos", "--index", small_disk / "index")
    assert done.code == 4, done.err
    assert done.err.count("\n") == 1
    (small_disk / "filler").unlink()
    again = imgmatch_here(capsys, "scan", tmp_path / "photos", "--index", small_disk / "index")
    assert again.code == 0, again.err


# -- 130: interrupted -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter on Windows")
def test_an_interrupted_scan_ends_with_130_at_once_and_the_next_one_goes_on(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"a{n},{home / 'photos' / f'a{n % 3}' / '1.jpg'},p{n}" for n in range(LINES)]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(["account,photo,photo_id", *lines]))
    folder = tmp_path / "index"
    scan = subprocess.Popen(
        command("scan", manifest, "--index", folder, "--workers", "1", *QUICK),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not written(folder):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    scan.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, err = scan.communicate()
    assert time.monotonic() - begun < 5
    assert (scan.returncode, out) == (130, b"")
    assert err.strip().startswith(b"imgmatch: interrupted; ")
    kept = written(folder)
    again = imgmatch_here(capsys, "scan", manifest, "--index", folder, "--format", "json", *QUICK)
    assert again.code == 0
    assert json.loads(again.out)["unchanged"] == kept
    assert json.loads(again.out)["added"] == LINES - kept


def written(folder: Path) -> int:
    if not (folder / "catalog.sqlite3").exists():
        return 0
    try:
        with Index.open(folder) as index:
            return len(index)
    except Exception:  # noqa: BLE001 -- it is being made
        return 0


# -- 3: a bug ---------------------------------------------------------------------------------------------------------


def test_a_bug_ends_with_three_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken_command.py").write_text(
        "import click\n@click.command()\ndef broken():\n    raise RuntimeError('the shelf fell down')\n"
    )
    program = (
        "import sys\nfrom imgmatch.cli.main import COMMANDS, run\n"
        "COMMANDS['broken'] = 'broken_command:broken'\nsys.exit(run(['broken']))\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "RuntimeError: the shelf fell down" in done.stderr
    assert done.stderr.endswith("imgmatch: this is a bug in imgmatch; please report the lines above\n")


# -- output that cannot be written ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes are another matter on Windows")
@pytest.mark.parametrize(
    "arguments",
    [["check", *["q.jpg"] * 600, "--format", "jsonl"], ["rings", "--format", "json"], ["status"]],
    ids=lambda a: str(a[0]),
)
def test_a_reader_that_has_seen_enough_is_no_error(home: Path, arguments: list[str]) -> None:
    program = command(*arguments, "--index", home / "index")
    with subprocess.Popen(program, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if arguments[0] == "check":
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110 -- a device
@pytest.mark.parametrize("arguments", [["check", "q.jpg"], ["rings"], ["status"]], ids=lambda a: str(a[0]))
def test_output_that_cannot_be_written_is_an_error_in_one_line(home: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 -- a device
        done = subprocess.run(
            command(*arguments, "--index", home / "index"), cwd=home, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"imgmatch: No space left on device\n")


@pytest.mark.parametrize("option", ["--skipped", "--out"])
def test_a_file_that_cannot_be_written_is_an_error_in_one_line(
    home: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["scan", str(home / "photos")] if option == "--skipped" else ["rings"]
    assert run([*command, "--index", str(home / "index"), option, str(tmp_path / "no" / "file")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert str(tmp_path / "no" / "file") in said.err
    assert said.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110 -- a device
@pytest.mark.parametrize("option", ["--skipped", "--out"])
def test_a_report_that_does_not_fit_on_its_disk_is_an_error_not_a_loss(home: Path, option: str) -> None:
    command = ["scan", home / "photos"] if option == "--skipped" else ["rings"]
    done = imgmatch(*command, "--index", home / "index", option, "/dev/full")
    assert (done.code, done.err) == (1, "imgmatch: No space left on device\n")


def test_a_demo_that_cannot_be_written_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(["demo", str(tmp_path / "file" / "world"), "--quiet"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_demo_in_a_folder_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("account,photo\n")
    assert run(["demo", str(tmp_path), "--quiet"]) == 4
    assert "holds other things" in capsys.readouterr().err


# -- photos that are something else -----------------------------------------------------------------------------------


def test_whatever_lies_at_a_photos_path_is_told_and_the_rest_is_checked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.jpg"))
        names = ["loop.jpg", "pipe.jpg", "socket.jpg", "gone.jpg", "x" * 300 + ".jpg", "q.jpg/x.jpg"]
        done = imgmatch_here(
            capsys,
            "check",
            *[tmp_path / name for name in names],
            home / "q.jpg",
            "--index",
            home / "index",
            "--format",
            "jsonl",
        )
    assert done.code == 5
    assert [line["status"] for line in done.lines] == ["unreadable"] * 6 + ["match"]
    assert done.err == "6 of 7 photos could not be read\n"


@pytest.mark.slow
def test_a_name_that_is_not_text_is_told_in_every_format(home: Path) -> None:
    name = os.fsdecode(b"\xff\x1b[31m.jpg")
    index = ("--index", home / "index")
    for arguments in (("check", "--format", "csv", *index), ("hash", "--format", "jsonl")):
        done = imgmatch(*arguments, name)
        assert done.code == 1, done.err
        assert "\x1b" not in done.out + done.err
        assert "Traceback" not in done.err


def test_damage_is_told_once_and_counted_and_as_json_lines_where_those_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {f"a{number}": {"1.jpg": photos.picture(number)} for number in range(3)}
    photos.write_accounts(tmp_path / "photos", pictures)
    index = ["--index", str(tmp_path / "index")]
    assert run(["scan", str(tmp_path / "photos"), *index, "--workers", "1", "--quiet"]) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite3")) as catalog:
        catalog.execute("UPDATE features SET record = 'x'")
        catalog.commit()
    capsys.readouterr()
    assert run(["--log-json", "rebuild", *index]) == 0
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [line["message"] for line in said if line["level"] == "warning"]
    assert len(told) == 2
    assert "features.record" in told[0]
    assert told[1].endswith("met 3 times")
