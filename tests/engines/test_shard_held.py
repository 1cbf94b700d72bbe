"""What shards hold of a catalog that others write to, without any cluster."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves import NAMES, Shelf, shelf_at
from sqlalchemy import insert

from imgmatch.catalog import schema
from imgmatch.catalog.sqlite_files import FILE as CATALOG
from imgmatch.engines.base import Hits
from imgmatch.engines.rows import FeatureRows, FingerprintRows
from imgmatch.engines.shards import held
from imgmatch.engines.shards.division import Division
from imgmatch.engines.shards.held import HeldRows
from imgmatch.engines.shards.questions import NearFingerprints, found_message
from imgmatch.engines.shards.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = "0" * 32


@pytest.fixture(params=[NAMES[0], NAMES[-1]])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    opened = shelf_at(tmp_path / "index", request.param)
    yield opened
    opened.close()


class Shards:
    """All shards of an index, in this process."""

    def __init__(self, shelf: Shelf, count: int) -> None:
        self._shelf = shelf
        self._rows: Any = FeatureRows() if shelf.kind == "features" else FingerprintRows()
        self.all: list[HeldRows[Any]] = []
        self.version = 0
        self.divide(count)

    def divide(self, count: int) -> None:
        """Have so many from now on, those that are there among them."""
        new = range(len(self.all), count)
        header = self._shelf.layout.header()
        self.all = [*self.all[:count], *(HeldRows(self._shelf.catalog, header, self._rows, one) for one in new)]
        self.version += 1

    def ids(self) -> list[set[int]]:
        """The row ids that each of them holds, once it is up to date."""
        division = Division(len(self.all), self.version)
        with self._shelf.catalog.read() as session:
            last = self._rows.last(session)
        engines = [shard.current(division, last) for shard in self.all]
        found = [{row for ids, _ in engine.contents() for row in ids.tolist()} for engine in engines]
        assert [len(engine) for engine in engines] == [len(rows) for rows in found]
        for number, rows in enumerate(found):
            assert division.holds(number, np.array(sorted(rows), np.int64)).all()
        return found


def rows_between(shards: Shards) -> set[int]:
    """All row ids that shards hold between them, none of them twice."""
    found = shards.ids()
    assert sum(map(len, found)) == len(set().union(*found))
    return set().union(*found)


def test_shards_hold_every_row_once_and_hear_of_new_ones(shelf: Shelf) -> None:
    shards = Shards(shelf, 4)
    assert rows_between(shards) == set()
    for seed in range(1, 6):
        shelf.add(seed)
        assert rows_between(shards) == shelf.rows() != set()
    assert min(map(len, shards.ids())) > 0


def test_one_shard_more_takes_rows_of_all_and_of_one_less_the_others_take_over(shelf: Shelf) -> None:
    shelf.add(1, 2, 3, 4, 5)
    shards = Shards(shelf, 3)
    before = shards.ids()
    shards.divide(4)
    after = shards.ids()
    assert all(now <= then for then, now in zip(before, after, strict=False))
    assert set().union(*after) == shelf.rows()
    shelf.add(6)
    shards.divide(2)
    assert rows_between(shards) == shelf.rows()


@settings(max_examples=8)
@given(changes=st.lists(st.integers(1, 5) | st.sampled_from(["add", "drop"]), max_size=8))
def test_whatever_becomes_of_rows_and_shards_each_row_is_held_once(
    tmp_path_factory: pytest.TempPathFactory, changes: list[int | str]
) -> None:
    shelf = shelf_at(tmp_path_factory.mktemp("shelf") / "index", NAMES[0])
    shelf.add(100)
    shards, gone = Shards(shelf, 2), set[int]()
    for seed, change in enumerate(changes, 1):
        if change == "add":
            shelf.add(seed)
        elif change == "drop":
            gone |= set(shelf.drop(seed - 1))
        else:
            shards.divide(int(change))
        assert shelf.rows() <= rows_between(shards) <= shelf.rows() | gone
    shelf.close()


def note_removed(shelf: Shelf, rows: list[int]) -> None:
    """As a database notes it for the place of the shards."""
    part = "phash" if shelf.kind == "fingerprints" else shelf.layout.header().codebook
    with shelf.catalog.write() as session:
        session.sql.execute(
            insert(schema.tombstones), [{"kind": f"{shelf.kind}/{PLACE}", "row": row, "part": part} for row in rows]
        )


def test_what_is_removed_leaves_the_memory_of_shards_once_they_are_told(shelf: Shelf) -> None:
    shelf.add(1, 2)
    shards = Shards(shelf, 3)
    rows_between(shards)
    gone = shelf.drop(1)
    note_removed(shelf, gone)
    for shard in shards.all:
        shard.forget(PLACE)
        shard.forget(PLACE)
    assert rows_between(shards) == shelf.rows() != set()
    late = Shards(shelf, 3)
    rows_between(late)
    for shard in late.all:
        shard.forget(PLACE)
    assert rows_between(late) == shelf.rows()


@pytest.mark.sqlite
@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_catalog_that_was_put_back_and_gives_row_ids_again_is_read_anew(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """Whether it has fewer rows since, as many, or more."""
    monkeypatch.setattr(held, "_LOOK_SECONDS", 0.0)
    shelf.add(1, 2)
    shards = Shards(shelf, 2)
    rows_between(shards)
    kept = max(shelf.rows()) - shelf.each
    with sqlite3.connect(shelf.layout.root / CATALOG) as database:
        for trigger in [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute(f"DELETE FROM {shelf.kind} WHERE id > {kept}")
        database.execute(f"UPDATE sqlite_sequence SET seq = {kept} WHERE name = '{shelf.kind}'")
    database.close()
    for seed in range(more):
        shelf.add(50 + seed)
    fresh = Shards(shelf, 2)
    assert rows_between(shards) == rows_between(fresh) == shelf.rows()
    division = Division(2, 1)
    for old, new in zip(shards.all, fresh.all, strict=True):
        assert shelf.found_by(old.current(division, 0)) == shelf.found_by(new.current(division, 0))


def test_a_shard_refuses_to_answer_for_an_older_division_and_follows_a_newer_one(tmp_path: Path) -> None:
    shelf = shelf_at(tmp_path / "index", NAMES[0])
    shelf.add(1)
    shard = Shard(shelf.catalog, shelf.layout.header(), 1)
    question = NearFingerprints(np.zeros((1, 32), np.uint8), 256)
    head, body = question.message()

    def found(division: Division) -> Hits | int:
        """What it finds; or the version it follows, where that is another one."""
        asked = {**head, "shards": division.shards, "version": division.version, "through": [40, 0]}
        answer, content = shard.answer(asked, body)
        return int(answer["outdated"]) if "outdated" in answer else question.parse(answer, content, division, 1)

    of_two, of_three = found(Division(2, 5)), found(Division(3, 6))
    assert isinstance(of_two, Hits)
    assert isinstance(of_three, Hits)
    assert len(of_two) > len(of_three) > 0
    assert found(Division(2, 5)) == found(Division(2, 6)) == 6
    assert shard.answer({"verb": "held"}, b"")[0]["held"][1] >= 40
    shelf.close()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({}, b""),
        ({"verb": "near"}, b""),
        ({"verb": "near", "shards": 1, "version": 1, "through": 0, "queries": 2, "max_distance": 3}, b"x" * 64),
        ({"verb": "near", "shards": 1, "version": 1, "through": [0, 0], "queries": 2, "max_distance": 3}, b"short"),
        ({"verb": "near", "shards": "x", "version": 1, "through": [0, 0]}, b""),
        ({"verb": "nearest", "shards": 1, "version": 1, "through": [0, 0], "descriptors": -1, "probes": 1}, b""),
        ({"verb": "both", "shards": 1, "version": 1, "through": [0, 0], "near": 1, "nearest": 2}, b""),
        ({"verb": "strange", "shards": 1, "version": 1, "through": [0, 0]}, b""),
        ({"verb": "ready", "shards": 1, "version": 1, "through": [1]}, b""),
    ],
)
def test_what_is_no_question_is_answered_with_an_error(tmp_path: Path, head: dict[str, Any], body: bytes) -> None:
    shelf = shelf_at(tmp_path / "index", NAMES[0])
    shard = Shard(shelf.catalog, shelf.layout.header(), 0)
    assert set(shard.answer(head, body)[0]) == {"error"}
    assert found_message(Hits.none())[0] == {"found": 0}
    shelf.close()
