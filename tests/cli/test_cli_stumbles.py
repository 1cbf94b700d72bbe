"""What the command line says where a source breaks off, or imgmatch itself stumbles."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import photos
import pytest
from terminal import imgmatch_here

from imgmatch.sources import guard, lines_csv, manifest
from imgmatch.sources.base import lexical

REPORT = "imgmatch: this is a bug in imgmatch; please report the lines above"
ODD = """account,photo
a,photos/a/1.jpg
b,odd1.jpg
c,odd2.jpg
"""

SCAN = ("scan", "m.csv", "--depth", "fingerprint", "--workers", "1")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1, (96, 120))}})
    (tmp_path / "m.csv").write_text(ODD)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _stumbling(monkeypatch: pytest.MonkeyPatch) -> None:
    """One kind of line meets a bug, which a process tells of once."""
    judge = lexical

    def stumble(folder: str, photo: str) -> str:
        if "odd" in photo:
            raise KeyError("\x1b[31m" + photo)
        return judge(folder, photo)

    monkeypatch.setattr(manifest, "lexical", stumble)
    monkeypatch.setattr(guard, "_told", set())


@pytest.mark.usefixtures("_stumbling")
def test_a_bug_costs_its_lines_and_is_told_of_with_one_traceback_and_last_a_request_to_report_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = imgmatch_here(capsys, *SCAN, "--format", "json")
    assert done.code == 5
    assert (json.loads(done.out)["added"], json.loads(done.out)["skipped"]) == (1, 2)
    lines = done.err.splitlines()
    assert lines[-1] == REPORT
    assert sum(line.startswith("Traceback") for line in lines) == 1
    assert [line for line in lines if line.startswith("skipped odd1.jpg (line 3): internal error: KeyError: ")]
    assert "\x1b" not in done.err
    assert imgmatch_here(capsys, *SCAN, "--quiet").err.splitlines()[-1] == REPORT


@pytest.mark.usefixtures("_stumbling")
def test_with_a_log_in_json_a_bug_is_a_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    done = imgmatch_here(capsys, "--log-json", *SCAN)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [line["message"] for line in lines if line["level"] == "error"][1:] == [REPORT.partition(": ")[2]]
    assert [line["reason"] for line in lines if line["message"] == "photo skipped"] == ["internal error"] * 2
    [traced] = [line for line in lines if "traceback" in line]
    assert (traced["level"], "in stumble" in traced["traceback"]) == ("error", True)
    assert lines[-1]["exit_code"] == 5


@pytest.mark.usefixtures("_stumbling")
@pytest.mark.parametrize("command", ["check", "hash"])
def test_who_asks_about_photos_is_told_of_a_bug_too(capsys: pytest.CaptureFixture[str], command: str) -> None:
    imgmatch_here(capsys, *SCAN)
    done = imgmatch_here(capsys, command, "m.csv", "--workers", "1", "--format", "jsonl")
    assert done.code == 5
    assert [line["reason"] is None for line in done.lines] == [True, False, False]
    assert done.lines[1]["reason"].startswith("internal error: KeyError")
    assert done.err.splitlines()[-1] == REPORT


def test_a_bug_while_a_source_is_opened_ends_with_one_and_makes_no_index(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_csv, "physical_lines", None)
    done = imgmatch_here(capsys, *SCAN)
    assert done.code == 1
    assert "m.csv: TypeError" in done.err
    assert done.err.splitlines()[-1] == REPORT
    assert not Path("index").exists()


def test_an_archive_that_breaks_off_is_named_and_the_next_source_is_scanned(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("b/1.jpg", "c/1.jpg"):
            tar.add("photos/a/1.jpg", name)
            end = tar.offset - 600  # within the last of them
    Path("set.tar").write_bytes(file.getvalue()[:end])
    done = imgmatch_here(capsys, "scan", "set.tar", "photos", "--depth", "fingerprint", "--format", "json")
    assert done.code == 5, done.err
    assert (json.loads(done.out)["added"], json.loads(done.out)["skipped"]) == (2, 2)  # b/1.jpg and what photos has
    assert "set.tar: unreadable: " in done.err
    assert "please report" not in done.err
    check = imgmatch_here(capsys, "check", "set.tar", "photos/a/1.jpg", "--format", "jsonl")
    assert check.code == 5
    assert check.lines[-1]["status"] == "match"
    assert check.lines[-2]["photo"] == "set.tar"
