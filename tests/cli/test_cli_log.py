from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import photos
import pytest

from imgmatch.cli import log
from imgmatch.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (96, 120)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good photo and a bad one, which is the current one."""
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1, SIZE)}})
    (tmp_path / "photos" / "a" / "2.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_every_line_on_standard_error_is_json_and_tells_what_happened(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert home.is_dir()
    assert run(["--log-json", "scan", "photos", "--workers", "1"]) == 5
    lines = said(capfd)
    assert [line["message"] for line in lines] == ["started", "photo skipped", "result", "finished"]
    start, skip, result, end = lines
    assert start["command"] == "scan"
    assert (skip["photo"], skip["reason"]) == ("a/2.jpg", "unreadable")
    assert (result["added"], result["skipped"]) == (1, 1)
    assert end["exit_code"] == 5
    assert all(line["time"].endswith("Z") and line["level"] == "info" for line in lines)


def test_an_error_is_a_line_of_its_level(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--log-json", "status", "--index", str(home / "none")]) == 4
    _, error, end = said(capfd)
    assert (error["level"], end["exit_code"]) == ("error", 4)
    assert "there is no index" in error["message"]


def test_wrong_usage_is_told_in_json_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--log-json", "erase"]) == 2
    assert [line["level"] for line in said(capfd)] == ["info", "error", "info"]


def test_the_next_command_speaks_to_people_again(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(["--log-json", "status", "--index", str(home / "none")])
    capfd.readouterr()
    assert run(["status", "--index", str(home / "none")]) == 4
    assert capfd.readouterr().err.startswith("imgmatch: there is no index")
    assert not log.is_json()


def test_names_in_the_log_stay_on_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    log.log_json()
    try:
        log.say("two\nlines", photo="\x1b[31mred\u2028")
    finally:
        log.plain()
    [line] = capfd.readouterr().err.splitlines()
    assert json.loads(line)["photo"] == "\x1b[31mred\u2028"
    assert "\x1b" not in line
