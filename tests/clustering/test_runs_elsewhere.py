"""Runs whose joins and verification are cut into units come out as those of this process alone, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from elsewhere import World, cut_small

from imgmatch.describing.here import TasksHere
from imgmatch.errors import ImgmatchError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path


@pytest.mark.slow
def test_rings_of_a_run_in_units_are_those_of_a_run_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units: list[str] = []

    def counted(tasks: TasksHere, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        units.append(kind)
        return submit(tasks, kind, unit, kept)

    submit = TasksHere.submit
    monkeypatch.setattr(TasksHere, "submit", counted)
    cut_small(monkeypatch)
    told, kept = [], []
    for runner in (None, "in-process"):
        with Index.open(tmp_path / f"{runner}", create=True, runner=runner) as index:
            world = World(tmp_path / "photos", index)
            for night in range(2):
                world.scan(night)
                told.append(world.rings())
            kept.append(world.kept())
    assert told[:2] == told[2:]
    assert kept[0] == kept[1]
    assert all(kept[0])
    assert any(pair.negative and pair.log_odds > 0 for pair in kept[0][1])
    assert told[0] != told[1]
    assert units.count("join") > 20
    assert units.count("verify") > 8


@pytest.mark.slow
def test_a_run_that_loses_whoever_works_for_it_is_an_error_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: dict[str, int] = {}
    submit = TasksHere.submit

    def failing(tasks: TasksHere, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        left[kind] = left.get(kind, 0) - 1
        if not left[kind]:
            raise ImgmatchError(f"lost with a {kind} unit")
        return submit(tasks, kind, unit, kept)

    cut_small(monkeypatch)
    with Index.open(tmp_path / "whole", create=True) as index:
        world = World(tmp_path / "photos", index)
        world.scan(0)
        expected, kept = world.rings(), world.kept()
    monkeypatch.setattr(TasksHere, "submit", failing)
    with Index.open(tmp_path / "lost", create=True, runner="in-process") as index:
        world = World(tmp_path / "photos", index)
        world.scan(0)
        for kind, nth in (("join", 1), ("join", 9), ("verify", 1), ("verify", 3)):
            left[kind] = nth
            with pytest.raises(ImgmatchError, match=f"lost with a {kind} unit"):
                world.rings()
        assert (world.rings(), world.kept()) == (expected, kept)
