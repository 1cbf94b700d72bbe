from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (96, 120)
prometheus = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


def values(path: Path) -> dict[str, float]:
    """Every sample of a textfile, by its name and labels, as Prometheus's own parser reads it."""
    families = prometheus.text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two accounts with one picture, and a bad file; the folder is the current one."""
    copies = {"a": {"1.jpg": photos.picture(1, SIZE)}, "b": {"1.jpg": photos.picture(1, SIZE)}}
    photos.write_accounts(tmp_path / "photos", copies)
    (tmp_path / "photos" / "b" / "2.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_scan_and_a_night_leave_their_numbers_for_prometheus(home: Path) -> None:
    before = time.time()
    assert run(["scan", "photos", "--workers", "1", "-q", "--metrics", "scan.prom"]) == 5
    scanned = values(home / "scan.prom")
    assert (scanned["imgmatch_scan_added"], scanned["imgmatch_scan_skipped"]) == (2, 1)
    assert scanned["imgmatch_scan_seconds"] > 0
    assert before - 1 <= scanned["imgmatch_scan_finished_timestamp_seconds"] <= time.time()
    assert run(["rings", "--new", "-q", "--out", "rings.txt", "--metrics", "rings.prom"]) == 0
    assert values(home / "rings.prom")["imgmatch_rings_rings"] == 1
    assert run(["rings", "--new", "-q", "--out", "rings.txt", "--metrics", "rings.prom"]) == 0
    night = values(home / "rings.prom")
    assert (night["imgmatch_rings_rings"], night["imgmatch_rings_accounts"]) == (1, 2)
    assert night["imgmatch_rings_changed[new]"] == 0
    assert sorted(path.name for path in home.iterdir() if "prom" in path.name) == ["rings.prom", "scan.prom"]


def test_every_gauge_says_what_it_is(home: Path) -> None:
    assert run(["scan", "photos", "--workers", "1", "-q", "--metrics", "scan.prom"]) == 5
    text = (home / "scan.prom").read_text(encoding="utf-8")
    names = set(re.findall(r"^(imgmatch_\w+)", text, re.MULTILINE))
    assert names == set(re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE))


def test_a_file_that_cannot_be_written_is_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["rings", "--index", str(home / "none"), "--metrics", "x.prom"]) == 4
    assert not (home / "x.prom").exists()
    assert run(["scan", "photos", "--workers", "1", "-q", "--metrics", "no/such/folder.prom"]) == 1
    assert "no/such/folder.prom" in capfd.readouterr().err
    assert not (home / "index").exists(), "it is told before the work"


@pytest.mark.usefixtures("home")
def test_a_report_that_cannot_be_written_is_told_before_the_index_is_looked_for(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["rings", "--index", "none", "-q", "--out", "no/such/folder.html", "--format", "html"]) == 1
    assert "no/such/folder.html" in capfd.readouterr().err
