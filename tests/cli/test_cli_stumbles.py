"""What the command line says where a source breaks off, or imgmatch itself stumbles."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import photos
import pytest
from terminal import Done, imgmatch

if TYPE_CHECKING:
    from pathlib import Path

REPORT = "imgmatch: this is a bug in imgmatch; please report the lines above"
STUMBLE = """
import sys
from imgmatch.cli.main import run
from imgmatch.sources import manifest

judge = manifest.lexical

def stumble(folder, photo):
    if "odd" in photo:
        raise KeyError("\\x1b[31m" + photo)
    return judge(folder, photo)

manifest.lexical = stumble
sys.exit(run(sys.argv[1:]))
"""
"""A command in which one kind of line meets a bug."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1, (96, 120))}})
    (tmp_path / "m.csv").write_text("account,photo\na,photos/a/1.jpg\nb,odd1.jpg\nc,odd2.jpg\n")
    return tmp_path


def stumbling(home: Path, *arguments: str, program: str = STUMBLE) -> Done:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


SCAN = ("scan", "m.csv", "--depth", "fingerprint", "--workers", "1")


def test_a_bug_costs_its_lines_and_is_told_of_with_one_traceback_and_last_a_request_to_report_it(home: Path) -> None:
    done = stumbling(home, *SCAN, "--format", "json")
    assert done.code == 5
    assert (json.loads(done.out)["added"], json.loads(done.out)["skipped"]) == (1, 2)
    lines = done.err.splitlines()
    assert lines[-1] == REPORT
    assert sum(line.startswith("Traceback") for line in lines) == 1
    assert [line for line in lines if line.startswith("skipped odd1.jpg (line 3): internal error: KeyError: ")]
    assert "\x1b" not in done.err
    assert stumbling(home, *SCAN, "--quiet").err.splitlines()[-1] == REPORT


def test_with_a_log_in_json_a_bug_is_a_line_with_its_traceback(home: Path) -> None:
    done = stumbling(home, "--log-json", *SCAN)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [line["message"] for line in lines if line["level"] == "error"][1:] == [REPORT.partition(": ")[2]]
    assert [line["reason"] for line in lines if line["message"] == "photo skipped"] == ["internal error"] * 2
    [traced] = [line for line in lines if "traceback" in line]
    assert (traced["level"], "in stumble" in traced["traceback"]) == ("error", True)
    assert lines[-1]["exit_code"] == 5


@pytest.mark.parametrize("command", ["check", "hash"])
def test_who_asks_about_photos_is_told_of_a_bug_too(home: Path, command: str) -> None:
    stumbling(home, *SCAN)
    done = stumbling(home, command, "m.csv", "--workers", "1", "--format", "jsonl")
    assert done.code == 5
    assert [line["reason"] is None for line in done.lines] == [True, False, False]
    assert done.lines[1]["reason"].startswith("internal error: KeyError")
    assert done.err.splitlines()[-1] == REPORT


def test_a_bug_while_a_source_is_opened_ends_with_one_and_makes_no_index(home: Path) -> None:
    program = (
        "import sys\nfrom imgmatch.cli.main import run\nfrom imgmatch.sources import lines_csv\n"
        "lines_csv.physical_lines = None\nsys.exit(run(sys.argv[1:]))\n"
    )
    done = stumbling(home, *SCAN, program=program)
    assert done.code == 1
    assert "m.csv: TypeError" in done.err
    assert done.err.splitlines()[-1] == REPORT
    assert not (home / "index").exists()


def test_an_archive_that_breaks_off_is_named_and_the_next_source_is_scanned(home: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("b/1.jpg", "c/1.jpg"):
            tar.add(home / "photos" / "a" / "1.jpg", name)
            end = tar.offset - 600  # within the last of them
    (home / "set.tar").write_bytes(file.getvalue()[:end])
    done = imgmatch("scan", "set.tar", "photos", "--depth", "fingerprint", "--format", "json", cwd=home)
    assert done.code == 5, done.err
    assert (json.loads(done.out)["added"], json.loads(done.out)["skipped"]) == (2, 2)  # b/1.jpg and what photos has
    assert "set.tar: unreadable: " in done.err
    assert "please report" not in done.err
    check = imgmatch("check", "set.tar", "photos/a/1.jpg", "--format", "jsonl", cwd=home)
    assert check.code == 5
    assert check.lines[-1]["status"] == "match"
    assert check.lines[-2]["photo"] == "set.tar"
