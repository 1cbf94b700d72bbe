from __future__ import annotations

import json
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (96, 120)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A scanned folder ``old`` with two accounts."""
    photos.write_accounts(
        tmp_path / "old", {name: {"1.jpg": photos.picture(seed, SIZE)} for seed, name in enumerate("ab")}
    )
    monkeypatch.chdir(tmp_path)
    assert run(["scan", "old", "--quiet", "--workers", "1"]) == 0
    capsys.readouterr()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run(list(arguments)) == code
    return capsys.readouterr()


def test_a_folder_that_has_moved_is_named_renamed_and_unchanged(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "old").rename(home / "new place")
    _, err = said(capsys, "scan", "old", "--prune", code=1)
    assert "2 photos of old are kept: if it has moved, imgmatch source rename old NEW; if it is gone" in err
    _, err = said(capsys, "scan", "new place", "--workers", "1")
    assert f"imgmatch source rename {home}/old '{home}/new place'" in err
    out, _ = said(capsys, "source", "rename", "old", "new place", "--format", "json")
    assert json.loads(out) == {"source": f"{home}/old", "renamed": f"{home}/new place", "photos": 2}
    out, err = said(capsys, "scan", "new place", "--workers", "1", "--format", "json")
    assert (json.loads(out)["unchanged"], err) == (2, "")


def test_sources_are_listed_in_every_format(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "source", "list", "--format", "json")
    [known] = json.loads(out)
    assert list(known) == ["source", "kind", "photos", "last_scan", "last_finished"]
    assert (known["source"], known["kind"], known["photos"]) == (f"{home}/old", "folder", 2)
    for form in ("table", "csv", "jsonl"):
        assert f"{home}/old" in said(capsys, "source", "list", "--format", form)[0]


def test_a_source_is_dropped_only_by_who_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    _, err = said(capsys, "source", "drop", "old", code=2)
    assert "without a terminal give --yes" in err
    out, _ = said(capsys, "source", "drop", "old", "--yes", "--format", "json")
    assert json.loads(out)["photos"] == 2
    assert said(capsys, "source", "list")[0] == "none\n"
    _, err = said(capsys, "source", "drop", "old", "--yes", code=1)
    assert "has no source 'old'" in err


def test_each_kind_of_work_takes_as_many_paths_as_it_needs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    for arguments in (("list", "old"), ("rename", "old"), ("drop",)):
        assert "takes" in said(capsys, "source", *arguments, code=2)[1]
