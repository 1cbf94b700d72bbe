"""Erasures that are killed: whoever erases again, scans, groups or rebuilds leaves nothing."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import erasing
import pytest
from erasing import STAYS, VICTIM, left, sought

from imgmatch.cli.main import run
from imgmatch.errors import IndexUnusableError, NotFoundError
from imgmatch.index import Index
from imgmatch.model import Erasure, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = 10

pytestmark = [
    pytest.mark.serial,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that holds the victim."""
    folder = erasing.make(tmp_path_factory.mktemp("erased"))
    found = {what for _, what in left(folder, sought(folder))}
    assert {"account", "name", "photo", "path", "sha256", "pixels", "bits by phash", "bits by pdq"} <= found
    assert any(what.startswith("record") for what in found)
    assert any(what.startswith("thumbnail") for what in found)
    return folder


@pytest.fixture(scope="module")
def needles(whole: Path) -> dict[str, bytes]:
    return sought(whole)


@pytest.fixture
def index(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "index")


def engine_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(("phash", "pdq", "features"))}


def erased_again(folder: Path) -> Erasure | None:
    """What the same erasure says; ``None`` where there is no such account."""
    with Index.open(folder) as index:
        try:
            return index.erase(account=VICTIM)
        except NotFoundError:
            return None
        finally:
            assert index.status().unfinished_erasures == 0
            assert index.counts()["photos"] == 2
            assert engine_files(folder) == index.parts.folder.header().files


def cut_off(folder: Path, step: str, times: int = 1) -> None:
    """Erase, and be killed where a step begins for so many times."""
    with erasing.erasing(erasing.IN_STEP, folder, step, str(times)) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_killed_at_any_line_and_repeated_an_erasure_leaves_nothing(index: Path, needles: dict[str, bytes]) -> None:
    with erasing.erasing(erasing.AT_EVERY_LINE, index) as process:
        process.communicate()
    assert process.returncode == 0
    copies = sorted(index.parent.glob("line *"), key=lambda path: int(path.name.split()[1]))
    assert len(copies) > 80
    said = [erased_again(copy) for copy in copies]
    assert {copy.name: found for copy in copies if (found := left(copy, needles))} == {}
    proven = [erasure for erasure in said if erasure is not None]
    assert said[: len(proven)] == proven  # only one that has come to its end knows no such account
    assert len(said) - len(proven) < 10
    assert {(one.photos, one.traces, one.finished) for one in proven} == {(2, 0, True)}
    assert {one.gone_photos for one in proven} == {frozenset({f"{VICTIM}-own", f"{VICTIM}-shared"})}


def test_killed_at_random_moments_and_repeated_an_erasure_leaves_nothing(
    whole: Path, needles: dict[str, bytes], tmp_path: Path
) -> None:
    moments, longest = random.Random(12), 1.5
    unfinished = 0
    for number in range(KILLS):
        copy = shutil.copytree(whole, tmp_path / str(number))
        with erasing.erasing(erasing.WHEN_READY, copy) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            began = time.monotonic()
            process.stdout.close()
            time.sleep(moments.uniform(0, longest))
            process.kill()
        if process.returncode == 0:
            longest = time.monotonic() - began
        with Index.open(copy) as index:
            unfinished += index.status().unfinished_erasures
        erased_again(copy)
        assert left(copy, needles) == []
    assert unfinished > 0


def scan(folder: Path) -> None:
    assert run(["scan", str(folder.parent.parent / "other"), "--index", str(folder), "--workers", "1"]) == 0


def rebuild(folder: Path) -> None:
    assert run(["rebuild", "--index", str(folder)]) == 0


def rings(folder: Path) -> None:
    assert run(["rings", "--index", str(folder), "--workers", "1"]) == 0


def erase_another(folder: Path) -> None:
    with Index.open(folder) as index:
        assert index.erase(account="thief-account").traces == 0


def erase_nobody(folder: Path) -> None:
    with Index.open(folder) as index, pytest.raises(NotFoundError):
        index.erase(account="nobody at all")


@pytest.mark.parametrize(("step", "times"), [("publish", 1), ("_drop_others", 2), ("compact", 1), ("prove", 1)])
@pytest.mark.parametrize("write", [scan, rebuild, rings, erase_another, erase_nobody])
def test_what_works_on_the_whole_index_next_finishes_an_erasure_that_was_cut_off(
    index: Path, needles: dict[str, bytes], step: str, times: int, write: Callable[[Path], None], whole: Path
) -> None:
    home = index.parent / "here"
    home.mkdir()
    folder = index.rename(home / "index")
    shutil.copytree(whole.parent / "other", index.parent / "other")
    cut_off(folder, step, times)
    with Index.open(folder) as opened:
        assert opened.status().unfinished_erasures == 1
        own = whole.parent / "photos" / VICTIM / "own.jpg"
        assert VICTIM not in {match.photo.account for match in opened.check(own)}
    write(folder)
    with Index.open(folder) as opened:
        assert opened.status().unfinished_erasures == 0
        with pytest.raises(NotFoundError):
            opened.erase(account=VICTIM)
        assert engine_files(folder) == opened.parts.folder.header().files
    assert left(folder, needles) == []


def test_what_writes_next_and_status_say_that_an_erasure_was_cut_off(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(index, "compact")
    assert run(["status", "--index", str(index)]) == 0
    said = capsys.readouterr()
    assert "unfinished_erasures  1\n" in said.out
    assert said.err == "erasures under way or unfinished: 1; what was to be erased may still be here\n"
    assert run(["rebuild", "--index", str(index), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["status", "--index", str(index)]) == 0
    assert capsys.readouterr().err == ""


def test_the_command_itself_gives_the_proof_of_what_it_was_killed_at(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(index, "publish")
    assert run(["erase", "--account", VICTIM, "--index", str(index)]) == 0
    said = capsys.readouterr().out
    assert "photos          2\n" in said
    assert "traces          0\n" in said
    assert "finished        True\n" in said
    assert "thumbnails" in said


def test_a_scan_that_brings_the_account_back_does_not_lose_it_to_an_erasure_that_was_cut_off(
    index: Path, whole: Path
) -> None:
    cut_off(index, "publish")
    with Index.open(index) as opened:
        assert opened.scan([whole.parent / "photos"]).added == 4
        assert opened.status().unfinished_erasures == 0
        assert opened.counts()["photos"] == 6
        again = opened.erase(account=VICTIM)
        assert (again.photos, again.traces, again.came_back) == (2, 0, 0)


def test_a_decision_leaves_an_erasure_that_was_cut_off_to_others(index: Path) -> None:
    cut_off(index, "compact")
    with Index.open(index) as opened:
        opened.decide(Verdict.CONFIRM, pair=(f"{STAYS}-x", "thief-account-shared"), by="ana")
        assert opened.status().unfinished_erasures == 1


def test_what_finishes_it_gives_the_proof_and_so_does_another_erasure(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(index, index.parent / "copy")
    for folder in (index, copy):
        cut_off(folder, "compact")
    assert run(["--log-json", "rebuild", "--index", str(index), "--quiet"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (told,) = (line for line in lines if "cut off" in line["message"])
    assert (told["account"], told["photos"], told["traces"], told["finished"]) == (VICTIM, 2, 0, True)
    assert told["searched"]["thumbnails"] > 0
    assert run(["erase", "--account", "thief-account", "--index", str(copy)]) == 0
    said = capsys.readouterr()
    assert f"finished an erasure that was cut off, of account '{VICTIM}': 2 photos, 0 traces" in said.err
    assert "photos          1\n" in said.out


def test_one_that_cannot_be_finished_is_told_and_stops_no_other_work(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(index, "compact")

    def unreadable(*_: object, **__: object) -> None:
        raise OSError("features-1 cannot be read")

    for fault in ("imgmatch.actions.erase.prove", "imgmatch.actions.erase.publish"):
        with monkeypatch.context() as faulty:
            faulty.setattr(fault, unreadable)
            with Index.open(index) as opened:
                heard: list[object] = []
                opened.hear_erasure = heard.append
                opened.rings()
                assert isinstance(heard[0], IndexUnusableError)
                assert len(heard) == 1
            assert run(["rings", "--index", str(index), "--workers", "1", "--quiet"]) == 0
            said = capsys.readouterr().err
            assert said.startswith(f"an erasure that was cut off cannot be finished: account '{VICTIM}' is not erased")
            assert "features-1 cannot be read" in said
            assert run(["erase", "--account", VICTIM, "--index", str(index)]) == 4
            capsys.readouterr()
    assert run(["rings", "--index", str(index), "--workers", "1", "--quiet"]) == 0
    with Index.open(index) as opened:
        assert opened.status().unfinished_erasures == 0
