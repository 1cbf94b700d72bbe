from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from imgmatch.actions import reports
from imgmatch.actions.reports import search_reports
from imgmatch.model import ReportSearch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Words:
    """A report of a format of its own: ``report`` and the names it shows."""

    names: frozenset[str]

    def any_of(self, accounts: frozenset[str], photos: frozenset[str]) -> bool:
        return not self.names.isdisjoint(accounts | photos)


def words(content: bytes) -> Words:
    first, *names = content.decode().split()
    if first != "report":
        raise ValueError(first)
    return Words(frozenset(names))


def reader(head: bytes, suffix: str) -> tuple[Callable[[bytes], Words | None] | None, bool]:
    is_report = head.startswith(b"report")
    return (words, is_report) if is_report or suffix == ".json" else (None, False)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def search(paths: list[Path], *names: str) -> ReportSearch:
    return search_reports(paths, names[:1], names[1:], reader)


def test_reports_are_found_in_all_folders_below_each_once_and_others_are_passed_over(tmp_path: Path) -> None:
    deep, photo = put(tmp_path / "a" / "b" / "1.txt", "report x y"), put(tmp_path / "2.json", "report p")
    put(tmp_path / "3.txt", "a letter to x")
    put(tmp_path / "4.json", "report z")
    assert search([tmp_path, tmp_path / "a", deep], "x", "p") == ReportSearch(3, (photo, deep), ())


def test_what_may_be_a_report_and_cannot_be_read_is_named_and_hides_no_other(tmp_path: Path) -> None:
    bad, good = put(tmp_path / "bad.json", "something"), put(tmp_path / "good.json", "report x")
    found = search([tmp_path, tmp_path / "gone.json"], "x")
    assert (found.read, found.showing) == (1, (good,))
    assert [path for path, _ in found.unclear] == [bad, tmp_path / "gone.json"]


def test_a_report_that_is_too_large_is_named_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = put(tmp_path / "large", "report " + "x" * 2_000)
    monkeypatch.setattr(reports, "MOST_BYTES", 1_000)
    ((path, why),) = search([tmp_path], "x").unclear
    assert (path, why) == (large, "it is larger than 0 MB")


@pytest.mark.skipif(sys.platform == "win32", reason="not everybody may make links there")
def test_a_link_to_a_report_elsewhere_is_named_and_not_followed(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere" / "1.json", "report x")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link.json").symlink_to(elsewhere)
    (home / "round").symlink_to(home)
    found = search([home], "x")
    assert (found.read, [path.name for path, _ in found.unclear]) == (0, ["link.json"])
    assert search([home / "link.json"], "x").showing == (home / "link.json",)  # asked for


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert search([tmp_path], "x") == ReportSearch(0, (), ())
