"""What must hold for every engine that is kept in step with a catalog."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hearing import Heard
from shelves import NAMES, FeatureShelf, FingerprintShelf, Shelf, codes, packed, shelf_at
from sqlalchemy import delete, insert, update

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.row_counts import tombstones
from imgmatch.engines.snapshots import save_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.sync import EngineSync


@pytest.fixture(params=NAMES)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    opened = shelf_at(tmp_path / "index", request.param)
    yield opened
    opened.close()


@pytest.fixture
def other(shelf: Shelf) -> Iterator[Shelf]:
    """The same index opened once more, as another process has it."""
    opened = shelf.again()
    yield opened
    opened.close()


def test_an_empty_index_finds_nothing(shelf: Shelf) -> None:
    assert shelf.found() == []
    shelf.publish()
    assert shelf.found() == []
    assert (shelf.snapshot().size, shelf.snapshot().through) == (0, 0)


def test_a_search_finds_what_was_written_before_it_began(shelf: Shelf) -> None:
    for seed in range(1, 13):
        shelf.add(seed)
        assert len(shelf.searcher.current()) == shelf.each * seed
        assert shelf.found() == shelf.in_catalog() != []


def test_rows_of_another_hasher_or_codebook_are_looked_at_but_not_searched(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.add_others(3)
    engine = shelf.searcher.current()
    assert (len(engine), shelf.exact(engine, 3)) == (shelf.each, [])
    shelf.publish()
    assert shelf.snapshot().size == shelf.each
    assert shelf.snapshot().through == engine.watermark > max(shelf.rows())
    shelf.add_others(4)
    assert shelf.is_current()


def test_features_that_are_coded_anew_are_found_under_their_new_rows(tmp_path: Path) -> None:
    shelf = FeatureShelf(tmp_path / "index", "ivf")
    shelf.add(1)
    shelf.add_others(2)
    shelf.publish()
    shelf.add(2)  # as a scan does
    assert not shelf.is_current()
    assert shelf.found() == shelf.in_catalog()
    assert shelf.holds(2)
    shelf.close()


ADD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from shelves import shelf_at
shelf = shelf_at(Path(sys.argv[1]), sys.argv[2])
for line in sys.stdin:
    shelf.add(int(line))
    if int(line) % 3 == 0:
        shelf.publish()
    print("added", flush=True)
shelf.close()
"""


@pytest.mark.slow
def test_a_search_finds_what_another_process_wrote_and_published(shelf: Shelf, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["shelf"]
    writer = subprocess.Popen(
        [sys.executable, "-c", ADD, str(shelf.layout.root), name, *map(str, Path(__file__).parents[:2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for seed in range(1, 10):
            writer.stdin.write(f"{seed}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "added\n"
            assert len(shelf.searcher.current()) == shelf.each * seed
            assert shelf.found() == shelf.in_catalog()
        writer.stdin.close()
    assert shelf.layout.header().generation == 3


def test_an_index_opened_anew_answers_the_same_from_its_snapshot_and_what_came_after(
    shelf: Shelf, other: Shelf
) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.add(2)
    assert shelf.snapshot().size == shelf.each
    assert other.found() == shelf.found() == shelf.in_catalog()


# -- snapshots that cannot be used ------------------------------------------------------------------------------------


def damaged(path: Path, damage: str) -> None:
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "swapped":
        save_arrays(path, [(np.arange(3), codes(5, 3))])
    else:
        half = len(whole) // 2
        noise = whole[:half] + b"\xa5" * 300 + whole[half + 300 :]
        path.write_bytes({"empty": b"", "cut": whole[:-7], "noise": noise}[damage])


DAMAGES = ["missing", "empty", "cut", "noise", "swapped"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_snapshot_that_cannot_be_used_is_answered_from_the_catalog(shelf: Shelf, other: Shelf, damage: str) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.add(2)
    damaged(shelf.path(), damage)
    assert other.load(other.layout.header()) is None
    assert other.found() == shelf.in_catalog() != []
    other.publish()
    assert other.load(other.layout.header()) is not None
    assert shelf.found() == shelf.in_catalog()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_snapshot_damaged_while_it_is_in_use_does_not_hinder_the_next(
    tmp_path: Path, damage: str
) -> None:  # of fingerprints it is mapped, and whoever writes to a mapped file changes what is read
    shelf = FeatureShelf(tmp_path / "index", "ivf")
    shelf.add(1)
    shelf.publish()
    shelf.found()
    damaged(shelf.path(), damage)
    shelf.add(2)
    shelf.publish()
    assert shelf.load(shelf.layout.header()) is not None
    assert (shelf.snapshot().size, shelf.in_file()) == (2 * shelf.each, shelf.rows())
    assert shelf.found() == shelf.in_catalog()
    shelf.close()


def test_a_snapshot_of_another_hasher_or_codebook_engine_or_size_is_not_used(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    assert shelf.load(shelf.header_with(shelf.snapshot())) is not None
    for changes in ({"of": "pdq"}, {"engine": "other"}, {"size": shelf.each - 1}):
        assert shelf.load(shelf.header_with(replace(shelf.snapshot(), **changes))) is None


# -- publishing and rebuilding ----------------------------------------------------------------------------------------


def test_publishing_and_rebuilding_give_the_same_answers(shelf: Shelf, other: Shelf) -> None:
    for seed in (1, 2, 3):
        shelf.add(seed)
        shelf.found()
    shelf.publish()
    published, answers = shelf.snapshot(), other.found()
    shelf.rebuild()
    assert replace(shelf.snapshot(), file=published.file, token=published.token) == published
    assert shelf.found() == other.found() == answers == shelf.in_catalog()


@pytest.mark.parametrize("anew", ["published", "rebuilt"])
def test_a_new_snapshot_holds_nothing_the_catalog_has_lost(shelf: Shelf, other: Shelf, anew: str) -> None:
    shelf.add(1, 2)
    shelf.publish()
    before = other.found()
    lost = shelf.drop(1)
    shelf.add(3)
    (shelf.publish if anew == "published" else shelf.rebuild)()
    assert shelf.snapshot().size == 2 * shelf.each
    assert shelf.in_file() == shelf.rows()
    assert not shelf.in_file() & set(lost)
    assert len(list(shelf.layout.root.glob(shelf.snapshot().file.split(".")[0] + ".*"))) == 1
    assert shelf.found() == other.found() == shelf.in_catalog() != before


def test_a_published_file_holds_no_byte_of_a_lost_fingerprint(tmp_path: Path) -> None:
    shelf = FingerprintShelf(tmp_path / "index", "flat")
    shelf.add(1, 2)
    shelf.publish()
    shelf.drop(1)
    shelf.publish()
    assert codes(1)[0].tobytes() not in shelf.path().read_bytes()
    shelf.close()


def test_a_snapshot_is_current_while_it_holds_nothing_lost_and_lacks_at_most_one_part_in_a_hundred(
    shelf: Shelf,
) -> None:
    assert not shelf.is_current()  # there is none
    shelf.publish()
    assert shelf.is_current()
    shelf.add_some(1, 1)
    assert not shelf.is_current()  # all of it is missing
    shelf.add_some(1, 200)
    shelf.publish()
    assert shelf.is_current()
    shelf.add_some(2, 2)
    assert shelf.is_current()
    shelf.add_some(2, 3)
    assert not shelf.is_current()
    shelf.publish()
    assert (shelf.is_current(), shelf.snapshot().size) == (True, 203)


@pytest.mark.parametrize("come_since", [0, 1, 2])
def test_a_snapshot_that_holds_what_the_catalog_has_lost_is_not_current_whatever_came_since(
    shelf: Shelf, come_since: int
) -> None:
    shelf.add_some(1, 300)
    shelf.publish()
    shelf.drop(1, 1)
    shelf.add_some(2, come_since)
    assert not shelf.is_current()
    shelf.publish()
    assert shelf.is_current()


def spoil_tombstones(shelf: Shelf, lost: list[int], noted: str) -> None:
    """As a catalog may be whose rows went while nobody noted it, or whose notes were kept by a kill."""
    table = schema.tombstones
    with shelf.catalog.write() as session:
        if noted == "some":
            session.sql.execute(delete(table).where(table.c.row == lost[0]))
        elif noted == "nothing":
            session.sql.execute(delete(table))
        elif noted == "too much":
            part = shelf.snapshot().of
            session.sql.execute(insert(table).values(kind=shelf.kind, row=min(lost) - 1, part=part))


@pytest.mark.slow
@pytest.mark.parametrize("searched", [True, False], ids=["searched before", "opened anew"])
@pytest.mark.parametrize("noted", ["all", "some", "nothing", "too much"])
def test_publishing_gives_what_rebuilding_gives_also_where_what_is_gone_was_not_noted_right(
    shelf: Shelf, other: Shelf, noted: str, *, searched: bool
) -> None:
    shelf.add(1, 2, 3)
    shelf.publish()
    if searched:
        shelf.found()
    before = other.found()
    lost = shelf.drop(2)
    shelf.add(4)
    shelf.drop(4, 5)  # what came and went since costs nothing
    spoil_tombstones(shelf, lost, noted)
    searcher = shelf.counting()
    if searched:
        searcher.current()
    searcher.publish(shelf.layout.header())
    assert shelf.in_file() == shelf.rows()
    assert (searcher.rebuilt == 0) == (noted == "all")
    with shelf.catalog.read() as session:
        assert tombstones(session, shelf.kind, shelf.snapshot().of, shelf.snapshot().through) == []
    assert shelf.found() == shelf.found_by(searcher.current()) == other.found() == shelf.in_catalog() != before
    published = shelf.snapshot()
    shelf.rebuild()
    assert replace(shelf.snapshot(), file=published.file, token=published.token) == published
    assert shelf.found() == other.found() == shelf.in_catalog()


def test_what_came_and_went_between_two_snapshots_is_in_neither(shelf: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    shelf.add(3)
    shelf.found()  # it has been taken in
    shelf.drop(3)
    shelf.drop(1)
    shelf.publish()
    assert shelf.in_file() == shelf.rows()
    assert shelf.found() == shelf.in_catalog()


def test_progress_on_rebuilding_rises_to_all_that_is_read(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.engines.rows._APPENDED_AT_ONCE", shelf.each + 1)
    monkeypatch.setattr(shelf.reads, shelf.each // 2)  # thousands are too many for a test
    heard = Heard()
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.steps == []  # there is nothing to read
    shelf.add(1, 2)
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.shares(shelf.kind) == [0.25, 0.5, 0.75, 1.0]


# -- watermarks -------------------------------------------------------------------------------------------------------


def test_rows_written_after_the_last_ones_were_removed_are_found(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    other.found()
    before = shelf.rows()
    shelf.drop(2)
    shelf.drop(1)
    shelf.add(2)
    assert not shelf.rows() & before
    assert len(other.searcher.current()) == 3 * shelf.each
    shelf.publish()
    assert shelf.found() == other.found() == shelf.in_catalog()


def test_catching_up_in_several_portions_is_catching_up_at_once(
    shelf: Shelf, other: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.add(*range(1, 9))
    whole = other.found()
    monkeypatch.setattr("imgmatch.engines.rows._APPENDED_AT_ONCE", 10)  # forty thousand are too many for a test
    monkeypatch.setattr(shelf.reads, 7)
    assert shelf.found() == whole == shelf.in_catalog()
    assert len(shelf.searcher.current()) == 8 * shelf.each


def test_the_watermark_skips_no_row_and_takes_none_twice_while_another_writes(shelf: Shelf, other: Shelf) -> None:
    done = threading.Event()

    def write() -> None:
        try:
            for seed in range(1, 30):
                other.add(seed)
        finally:
            done.set()

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        while not done.is_set():
            engine = shelf.searcher.current()
            assert len(engine) == sum(row <= engine.watermark for row in shelf.rows())
        writing.result()
    assert shelf.found() == shelf.in_catalog()
    assert len(shelf.searcher.current()) == 29 * shelf.each


# -- readers beside writers -------------------------------------------------------------------------------------------


def test_a_reader_keeps_the_answers_of_the_generation_it_holds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    held, before = other.searcher.current(), other.found()
    old = shelf.path()
    shelf.drop(1)
    shelf.publish()
    assert not old.exists()
    assert other.found_by(held) == before
    assert other.found() == shelf.in_catalog() != before


@pytest.mark.slow
def test_many_readers_search_while_a_writer_adds_publishes_and_rebuilds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1)
    done = threading.Event()

    def read(reader: Shelf) -> int:
        most = rounds = 0
        while not done.is_set() or rounds == 0:
            assert reader.holds(1)  # never lost, never twice
            size = len(reader.searcher.current())
            assert size >= most
            most, rounds = size, rounds + 1
        return most

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(read, shelf if number % 2 else other) for number in range(8)]
        try:
            for seed in range(2, 22):
                shelf.add(seed)
                if seed % 4 == 0:
                    shelf.publish()
                if seed % 10 == 0:
                    shelf.rebuild()
        finally:
            done.set()
        assert max(reader.result(60) for reader in readers) <= 21 * shelf.each
    assert len(other.searcher.current()) == 21 * shelf.each
    assert other.found() == shelf.found() == shelf.in_catalog()


@pytest.mark.slow
def test_a_reader_that_opens_while_generations_change_always_gets_all(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    done = threading.Event()

    def open_and_read() -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            fresh: EngineSync[Any] = shelf.opened_anew()
            assert len(fresh.current()) == shelf.each
            assert len(shelf.exact(fresh.current(), 1)) == 1
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(open_and_read) for _ in range(3)]
        try:
            for _ in range(25):
                shelf.publish()
        finally:
            done.set()
        assert all(reader.result(60) for reader in readers)


@pytest.mark.parametrize("record", [b"", b"\1\0\5", b"\2\0\0\0\xff\xff\xff\xff", packed(1, 1)[:-1]])
def test_a_damaged_record_costs_its_picture_alone(tmp_path: Path, record: bytes) -> None:
    shelf = FeatureShelf(tmp_path / "index", "ivf")
    shelf.add(1)
    with shelf.catalog.write() as session:
        session.sql.execute(update(schema.features).where(schema.features.c.id == 4).values(record=record))
    damage.forget()
    for use in (shelf.searcher.current, shelf.publish, shelf.rebuild):
        use()
        assert {one.row for one in shelf.found()} == {1, 2, 3, 5, 6}
    assert shelf.is_current()
    assert damage.met().keys() == {"features.record"}
    shelf.close()
