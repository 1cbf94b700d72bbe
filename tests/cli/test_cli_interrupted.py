"""A command that is told to stop keeps what is complete, says so, and ends with 130."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import photos
import pytest
from terminal import command

from imgmatch.cli.pages import write_page
from imgmatch.index import Index
from imgmatch.model import NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imgmatch.model import CheckResult

pytestmark = [
    pytest.mark.serial,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter on Windows"),
]

LINES, BROKEN = 1_000, 40
QUICK = ("--depth", "fingerprint", "--workers", "1")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of more photos than a worker describes in a while, the fortieth of which is none."""
    folder = tmp_path_factory.mktemp("interrupted")
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(photos.jpeg(photos.picture(number, (1_600, 2_000))))
    (folder / "broken.jpg").write_bytes(b"no photo")
    names = [f"{number % 5}.jpg" for number in range(LINES)]
    names[BROKEN] = "broken.jpg"
    lines = [f"a{number},{name},p{number}" for number, name in enumerate(names)]
    (folder / "manifest.csv").write_text("\n".join(["account,photo,photo_id", *lines]))
    return folder / "manifest.csv"


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    full = command("--log-json", *arguments)
    return subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str], wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until it logs this."""
    assert process.stderr is not None
    for line in process.stderr:
        if wanted(json.loads(line)):
            return
    raise AssertionError("it ended before")


def skips(line: dict[str, Any]) -> bool:
    return bool(line["message"] == "photo skipped")


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Its exit code, and what it still said."""
    _, err = process.communicate(timeout=60)
    return process.returncode, [json.loads(line)["message"] for line in err.splitlines() if line.startswith("{")]


def kept(index: Path) -> int:
    with Index.open(index) as opened:
        return len(opened)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_scan_keeps_what_it_has_described_and_the_same_command_goes_on(
    manifest: Path, tmp_path: Path, how: signal.Signals
) -> None:
    scan = started("scan", manifest, "--index", tmp_path / "index", *QUICK)
    heard(scan, skips)
    scan.send_signal(how)
    code, said = ended(scan)
    done = kept(tmp_path / "index")
    assert BROKEN <= done < 256  # a batch was never full
    assert (code, said) == (130, [_said(done), "finished"])
    with Index.open(tmp_path / "index") as index, closing(sqlite3.connect(index.path / "catalog.sqlite3")) as raw:
        assert raw.execute("SELECT count(*), max(finished_at) FROM scans").fetchone() == (1, None)
        assert raw.execute("SELECT count(*) FROM leases").fetchone() == (0,)


def _said(photos: int) -> str:
    return f"interrupted; {photos:,} photos added or updated are kept; the same command goes on from there"


def test_what_an_interrupted_scan_has_kept_of_earlier_sources_is_counted_too(manifest: Path, tmp_path: Path) -> None:
    first = manifest.parent / "first"
    photos.write_accounts(first, {"x": {f"{seed}.png": photos.picture(seed, (64, 72)) for seed in range(3)}})
    scan = started("scan", first, manifest, "--index", tmp_path / "index", *QUICK)
    heard(scan, skips)
    scan.send_signal(signal.SIGINT)
    code, said = ended(scan)
    assert (code, said) == (130, [_said(kept(tmp_path / "index")), "finished"])


def test_a_second_signal_ends_a_scan_at_once_while_it_waits_for_its_turn_to_write(
    manifest: Path, tmp_path: Path
) -> None:
    scan = started("scan", manifest, "--index", tmp_path / "index", *QUICK)
    heard(scan, skips)
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite3", isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        scan.send_signal(signal.SIGINT)
        time.sleep(1)
        assert scan.poll() is None
        scan.send_signal(signal.SIGINT)
        assert ended(scan)[0] == -signal.SIGINT
    assert kept(tmp_path / "index") == 0


ADD = """
import os, signal, sys
from imgmatch import Index, NewPhoto, ScanInterrupted
class Heard:
    def step(self, work, done, total=None):
        if done == 20:
            signal.raise_signal(signal.SIGINT)
    def skipped(self, skipped):
        pass
with Index.open(sys.argv[1], create=True) as index:
    try:
        index.add([NewPhoto.at(sys.argv[2], account=f"a{n}", photo_id=f"p{n}") for n in range(100)], progress=Heard())
    except KeyboardInterrupt as error:
        print(isinstance(error, ScanInterrupted), error.kept, len(index))
    index.check(sys.argv[2])
    print("and goes on")
"""


def test_an_interrupted_program_keeps_what_is_described_and_can_go_on(manifest: Path, tmp_path: Path) -> None:
    photo = manifest.parent / "0.jpg"
    script = [sys.executable, "-c", ADD, str(tmp_path / "index"), str(photo)]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=120)
    said, rest = done.stdout.splitlines()
    assert said in {"True 19 19", "True 20 20"}  # the twentieth is counted before it is noted
    assert rest == "and goes on"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_an_interrupted_check_prints_whole_what_is_answered(manifest: Path, tmp_path: Path, form: str) -> None:
    Index.create(tmp_path / "index").close()
    to = tmp_path / "answers"
    full = command("check", manifest, "--index", tmp_path / "index", "--format", form, "--workers", "1")
    with to.open("w") as out, subprocess.Popen(full, stdout=out, stderr=subprocess.PIPE, text=True) as check:
        until = time.monotonic() + 8  # of one document nothing is seen before its end
        while not to.stat().st_size and (form == "jsonl" or time.monotonic() < until):
            assert check.poll() is None
            time.sleep(0.05)
        check.send_signal(signal.SIGINT)
        _, err = check.communicate(timeout=60)
    assert (check.returncode, err.strip()) == (130, "imgmatch: interrupted")
    text = to.read_text()
    answers = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    assert answers or form == "json"
    assert {answer["status"] for answer in answers} <= {"no_match", "unreadable"}
    assert len(answers) < LINES


def test_a_page_that_is_interrupted_ends_as_a_page_with_what_is_answered(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = NamedPhoto("0.jpg", manifest.parent / "0.jpg")
    with Index.create(tmp_path / "index") as index:

        def answers() -> Iterator[tuple[NamedPhoto, CheckResult]]:
            yield photo, index.check(manifest.parent / "0.jpg")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_page(index, answers())
    page = capsys.readouterr().out
    assert page.count("<section") == 1
    assert page.rstrip().endswith("</html>")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """An index of more pictures than are searched at once."""
    folder = tmp_path / "photos"
    photos.write_accounts(folder, {f"a{seed}": {"1.png": photos.picture(seed, (64, 72))} for seed in range(400)})
    with Index.create(tmp_path / "index") as index:
        index.scan([folder])
    return tmp_path / "index"


def test_an_interrupted_run_of_rings_keeps_what_it_has_searched(many: Path) -> None:
    rings = started("rings", "--index", many)
    with closing(sqlite3.connect(many / "catalog.sqlite3")) as raw:
        while not searched(raw):
            assert rings.poll() is None
            time.sleep(0.01)
        rings.send_signal(signal.SIGINT)
        code, _ = ended(rings)
        assert code == 130
        assert searched(raw) > 0
        assert raw.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    again = subprocess.run(command("rings", "--index", many, "--format", "json"), capture_output=True, check=True)
    assert json.loads(again.stdout) == []


def searched(raw: sqlite3.Connection) -> int:
    found = raw.execute("SELECT max(watermark) FROM feature_searches").fetchone()[0]
    return int(found or 0)
