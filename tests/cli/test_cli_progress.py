from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import photos
import pytest
from terminal import command

from imgmatch.actions.scan import scan
from imgmatch.cli.progress import is_shown
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import NewPhoto

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
SIZE = (96, 120)


class Countable:
    """A source that notes whether anybody counts it."""

    key = "outlined"

    def __init__(self) -> None:
        self.counted = False

    def __iter__(self) -> Iterator[NewPhoto]:
        return iter(())

    def to_count(self) -> Iterator[None]:
        self.counted = True
        return iter(())


def on_terminal(*arguments: str | Path, columns: int = 100, code: int = 0) -> str:
    """What a command shows where its standard error is a terminal, without what moves and colours it."""
    master, terminal = os.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": str(columns), "PYTHONUTF8": "1"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal, env=environment
    ) as process:
        os.close(terminal)
        shown = b"".join(iter(lambda: _read(master), b""))
        os.close(master)
    assert process.returncode == code, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def _read(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # so Linux says that nobody holds the other end any more
        return b""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good photos and a bad one: as a folder, a manifest and a tar file. They are in an index."""
    home = tmp_path_factory.mktemp("progress")
    accounts = {name: {"1.jpg": photos.picture(seed, SIZE)} for seed, name in enumerate("abc")}
    photos.write_accounts(home / "photos", accounts)
    (home / "photos" / "bad.jpg").write_bytes(b"junk")
    lines = [f"{name},photos/{name}/1.jpg,2020-01-01\n" for name in "abc"]
    (home / "m.csv").write_text("".join(("account,photo,seen_at\n", *lines, "bad,photos/bad.jpg,\n")))
    with tarfile.open(home / "set.tar", "w") as tar:
        tar.add(home / "photos", "photos")
    return home


def scanned(home: Path, source: str, *options: str, columns: int = 100, code: int = 5) -> str:
    place = ("--index", home / "index", "--workers", "1")
    return on_terminal("scan", home / source, *place, *options, columns=columns, code=code)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["photos", "m.csv"])
def test_a_terminal_shows_what_is_done_of_how_many_and_the_time_left(home: Path, source: str) -> None:
    """The skipped photo is done with, too."""
    last = scanned(home, source).rpartition("4 of 4 photos")[2].splitlines()[0]
    assert re.search(r"━+ .*\d:\d\d:\d\d left", last)


@pytest.mark.slow
def test_the_bar_gives_way_where_a_terminal_is_narrow(home: Path) -> None:
    """What it stands for is said in numbers beside it."""
    last = scanned(home, "photos", columns=60).rpartition("4 of 4 photos")[2].splitlines()[0]
    assert re.search(r"━+ .*\d:\d\d:\d\d left", last)


@pytest.mark.slow
def test_no_time_left_is_told_where_nobody_knows_how_many_there_are(home: Path) -> None:
    """A tar file would have to be read for it; done and rate are shown all the same."""
    shown = scanned(home, "set.tar")
    assert "4 photos" in shown
    assert " of " not in shown.partition("skipped")[0]
    assert "left" not in shown


@pytest.mark.slow
def test_photos_passed_over_for_their_age_are_done_with(home: Path) -> None:
    """Or the bar would never come to its end."""
    assert "4 of 4 photos" in scanned(home, "m.csv", "--keep-days", "100")


@pytest.mark.slow
def test_a_quiet_scan_shows_nothing_on_a_terminal(home: Path) -> None:
    """Nor does it say what it has skipped."""
    assert scanned(home, "photos", "--quiet") == ""


@pytest.mark.slow
def test_a_scan_that_logs_in_json_shows_nothing_else_on_a_terminal(home: Path) -> None:
    """A program reads that, wherever it stands."""
    shown = on_terminal("--log-json", "scan", home / "photos", "--index", home / "index", "--workers", "1", code=5)
    assert all(line.startswith("{") for line in shown.splitlines())


def test_photos_are_counted_ahead_only_where_somebody_sees_it(home: Path) -> None:
    """Standard error is no terminal here."""
    source = Countable()
    with Index.open(home / "index", create=True) as index:
        scan(index.parts, [source])
        assert not source.counted
        scan(index.parts, [source], count_ahead=True)
    assert source.counted
    assert not is_shown(quiet=False)
    assert not is_shown(quiet=True)


@pytest.mark.slow
def test_a_rebuild_shows_on_a_terminal_how_far_it_is(home: Path) -> None:
    """First the fingerprints, then the features."""
    scanned(home, "photos")
    shown = on_terminal("rebuild", "--index", home / "index")
    assert re.search(r"fingerprints +━+", shown)
    assert re.search(r"features +━+", shown)
    assert on_terminal("rebuild", "--index", home / "index", "--quiet") == ""
