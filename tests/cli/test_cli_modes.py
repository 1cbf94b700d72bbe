"""Whatever a command writes is for its owner alone, or for his group too, whatever the umask is."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": photos.picture(1)}, "b": {"1.jpg": photos.picture(1)}})
    (tmp_path / "photos" / "flat.jpg").write_bytes(photos.jpeg(photos.flat()))
    return tmp_path


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir() if entry.is_file()}


def written(world: Path, *share: str) -> Path:
    """An index and everything else that a scan and a run write, in a folder that is open to all."""
    out = world / "out"
    out.mkdir()
    out.chmod(0o777)
    index = ["--index", str(world / "index")]
    lists = ["--skipped", str(out / "skipped.csv"), "--metrics", str(out / "scan.prom")]
    assert run(["scan", str(world / "photos"), *index, *lists, "--workers", "1", *share]) == 5
    for form in ("html", "csv", "json"):
        report = ["--format", form, "--out", str(out / f"rings.{form}"), "--metrics", str(out / "rings.prom")]
        assert run(["rings", *index, *report, "--workers", "1"]) == 0
    return out


@pytest.mark.usefixtures("_umask")
def test_an_index_its_reports_lists_and_metrics_are_their_owners_alone(world: Path) -> None:
    out = written(world)
    assert stat.S_IMODE((world / "index").stat().st_mode) == 0o700
    assert modes(world / "index") == modes(out) == {0o600}
    assert len(list(out.iterdir())) == 6
    assert "flat" in (out / "skipped.csv").read_text()


@pytest.mark.usefixtures("_umask")
def test_a_shared_index_stays_shared_and_so_is_what_is_made_of_it(world: Path) -> None:
    out = written(world, "--share-with-group")
    assert stat.S_IMODE((world / "index").stat().st_mode) == 0o2770
    assert modes(world / "index") == modes(out) == {0o660}
    assert run(["rebuild", "--index", str(world / "index"), "--quiet"]) == 0
    assert run(["scan", str(world / "photos"), "--index", str(world / "index"), "--workers", "1"]) == 5
    assert modes(world / "index") == {0o660}


def test_a_report_alone_can_be_shared_and_one_that_is_there_keeps_its_mode(world: Path) -> None:
    index = ["--index", str(world / "index"), "--workers", "1", "--quiet"]
    assert run(["scan", str(world / "photos"), *index]) == 5
    (world / "there.csv").touch(mode=0o644)
    (world / "there.csv").chmod(0o644)
    (world / "there.prom").touch(mode=0o644)
    (world / "there.prom").chmod(0o644)
    for name in ("new", "there"):
        files = ["--out", str(world / f"{name}.csv"), "--metrics", str(world / f"{name}.prom")]
        assert run(["rings", *index, "--format", "csv", *files, "--share-with-group"]) == 0
    named = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in world.glob("*.*")}
    assert named == {"new.csv": 0o660, "new.prom": 0o660, "there.csv": 0o644, "there.prom": 0o644}
    assert modes(world / "index") == {0o600}


@pytest.mark.parametrize(
    ("mode", "access"), [(0o700, "owner"), (0o2770, "group"), (0o750, "group"), (0o755, "everyone")]
)
def test_status_says_who_may_look_into_an_index_and_warns_where_everyone_may(
    world: Path, capsys: pytest.CaptureFixture[str], mode: int, access: str
) -> None:
    index = ["--index", str(world / "index")]
    assert run(["scan", str(world / "photos"), *index, "--workers", "1", "--quiet"]) == 5
    (world / "index").chmod(mode)
    capsys.readouterr()
    assert run(["status", *index, "--format", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["access"] == access
    assert ("everyone on this machine" in said.err) == (access == "everyone")
    assert stat.S_IMODE((world / "index").stat().st_mode) == mode


def test_an_index_that_is_there_can_be_shared_by_a_scan(world: Path) -> None:
    index = ["scan", str(world / "photos"), "--index", str(world / "index"), "--workers", "1", "--quiet"]
    assert run(index) == 5
    assert run([*index, "--share-with-group"]) == 5
    assert stat.S_IMODE((world / "index").stat().st_mode) == 0o2770
    assert modes(world / "index") == {0o660}
