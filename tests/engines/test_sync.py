from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hearing import Heard
from sqlalchemy import delete, insert, select

from imgmatch import registry
from imgmatch.catalog import schema
from imgmatch.catalog.fingerprints import intern_fingerprints, read_fingerprints
from imgmatch.catalog.row_counts import tombstones
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.snapshots import map_arrays, save_arrays
from imgmatch.engines.sync import FingerprintSearcher, load_fingerprints
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.leases import Lease
    from imgmatch.engines.base import Codes, Hits

WIDE = 110  # bits: random fingerprints are about 128 apart, so this finds some pairs and not others


class Shelf:
    """An index without photos: a layout and a catalog of fingerprints, as one process has it open."""

    def __init__(self, root: Path, engine: str = "flat") -> None:
        self.layout = Layout(root)
        if not self.layout.exists():
            self.layout.create(Header(FORMAT_VERSION, ("phash", "pdq"), engine, registry.DEFAULT_CODEBOOK))
        self.catalog = SqliteCatalog(self.layout.root)
        self.catalog.migrate()
        self.searcher = FingerprintSearcher(self.layout, self.catalog)

    def publish(self) -> None:
        self.searcher.publish(self.layout.header())

    def rebuild(self) -> None:
        self.searcher.rebuild(self.layout.header())

    def add(self, *seeds: int) -> None:
        """Fingerprints of both hashers in one transaction, as a batch of a scan adds them."""
        with self.catalog.write() as session:
            intern_fingerprints(session, "phash", [bytes(code) for seed in seeds for code in codes(seed)])
            intern_fingerprints(session, "pdq", [bytes(code) for seed in seeds for code in codes(seed + 10_000)])

    def add_some(self, seed: int, count: int) -> None:
        """As many fingerprints of the first hasher."""
        with self.catalog.write() as session:
            intern_fingerprints(session, "phash", [bytes(code) for code in codes(seed, count)])

    def drop(self, seed: int, count: int = 40) -> list[int]:
        """Remove fingerprints of the first hasher; returns their row ids."""
        table = schema.fingerprints
        mine = table.c.bits.in_([bytes(code) for code in codes(seed, count)]), table.c.hasher == "phash"
        with self.catalog.write() as session:
            rows = session.sql.scalars(select(table.c.id).where(*mine)).all()
            session.sql.execute(delete(table).where(*mine))
        return list(rows)

    def is_current(self) -> bool:
        return self.searcher.is_current(self.layout.header())

    def close(self) -> None:
        self.catalog.close()


@pytest.fixture(params=sorted(registry.ENGINES))
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    opened = Shelf(tmp_path / "index", request.param)
    yield opened
    opened.close()


@pytest.fixture
def other(shelf: Shelf) -> Iterator[Shelf]:
    """The same index opened once more, as another process has it."""
    opened = Shelf(shelf.layout.root)
    yield opened
    opened.close()


def codes(seed: int, count: int = 40) -> Codes:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


ASKED = np.concatenate([codes(1, 5), codes(2, 5), codes(99, 5)])


def rows(hits: Hits) -> list[tuple[int, int, int]]:
    return list(zip(hits.queries.tolist(), hits.distances.tolist(), hits.ids.tolist(), strict=True))


def found(shelf: Shelf) -> list[tuple[int, int, int]]:
    return rows(shelf.searcher.search(ASKED, WIDE))


def in_catalog(shelf: Shelf) -> list[tuple[int, int, int]]:
    """What a search must find, from the catalog alone."""
    with shelf.catalog.read() as session:
        blocks = list(read_fingerprints(session, "phash"))
    ids = np.concatenate([block[0] for block in blocks]) if blocks else np.empty(0, np.int64)
    bits = np.concatenate([block[1] for block in blocks]) if blocks else np.empty((0, 32), np.uint8)
    return rows(registry.engine("linear")(ids, bits).search(ASKED, WIDE))


def snapshot(shelf: Shelf) -> Snapshot:
    header = shelf.layout.header()
    assert header.snapshot is not None
    return header.snapshot


def test_an_empty_index_finds_nothing(shelf: Shelf) -> None:
    assert found(shelf) == []
    shelf.publish()
    assert found(shelf) == []
    assert snapshot(shelf).size == 0


def test_only_the_first_hashers_fingerprints_are_searched(shelf: Shelf) -> None:
    shelf.add(1, 2)
    assert len(shelf.searcher.current()) == 80
    assert len(shelf.searcher.search(codes(10_001), 0)) == 0
    assert len(shelf.searcher.search(codes(1), 0)) == 40


def test_a_search_finds_what_was_written_before_it_began(shelf: Shelf) -> None:
    for seed in range(1, 15):
        shelf.add(seed)
        assert found(shelf) == in_catalog(shelf)


ADD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_sync import Shelf
shelf = Shelf(Path(sys.argv[1]))
for line in sys.stdin:
    shelf.add(int(line))
    if int(line) % 3 == 0:
        shelf.publish()
    print("added", flush=True)
shelf.close()
"""


def test_a_search_finds_what_another_process_wrote_and_published(shelf: Shelf) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", ADD, str(shelf.layout.root), *map(str, Path(__file__).parents[:2])],
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
            assert len(shelf.searcher.current()) == 40 * seed
            assert found(shelf) == in_catalog(shelf)
        writer.stdin.close()
    assert shelf.layout.header().generation == 3


def test_an_index_opened_anew_answers_the_same_from_its_snapshot_and_what_came_after(
    shelf: Shelf, other: Shelf
) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.add(2)
    assert snapshot(shelf).size == 40
    assert found(other) == found(shelf) == in_catalog(shelf)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise", "swapped"])
def test_a_snapshot_that_cannot_be_used_is_answered_from_the_catalog(shelf: Shelf, other: Shelf, damage: str) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.add(2)
    path = shelf.layout.snapshot_path(snapshot(shelf))
    if damage == "swapped":
        save_arrays(path, [(np.arange(3), codes(5, 3))])
    elif damage == "missing":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": whole[:-7], "noise": whole[:200] + b"\xa5" * 300 + whole[500:]}[damage])
    assert load_fingerprints(other.layout, other.layout.header()) is None
    assert found(other) == in_catalog(shelf)
    assert found(other)
    other.publish()
    assert load_fingerprints(other.layout, other.layout.header()) is not None
    assert found(shelf) == in_catalog(shelf)


def test_a_snapshot_of_another_hasher_or_engine_is_not_used(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    header = shelf.layout.header()
    for changes in ({"of": "pdq"}, {"engine": "other"}, {"size": 39}):
        changed = replace(header, snapshot=replace(snapshot(shelf), **changes))
        assert load_fingerprints(shelf.layout, changed) is None


def test_publishing_and_rebuilding_give_the_same_answers(shelf: Shelf, other: Shelf) -> None:
    for seed in (1, 2, 3):
        shelf.add(seed)
        found(shelf)
    shelf.publish()
    published, answers = snapshot(shelf), found(other)
    shelf.rebuild()
    assert replace(snapshot(shelf), file=published.file) == published
    assert found(shelf) == found(other) == answers == in_catalog(shelf)


def test_a_published_snapshot_holds_nothing_the_catalog_has_lost(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    shelf.drop(1)
    shelf.add(3)
    shelf.publish()
    assert snapshot(shelf).size == 80
    assert codes(1)[0].tobytes() not in shelf.layout.snapshot_path(snapshot(shelf)).read_bytes()
    assert found(shelf) == found(other) == in_catalog(shelf)


def in_file(shelf: Shelf) -> dict[int, bytes]:
    """The published file: fingerprints by row id."""
    ids, bits = map_arrays(shelf.layout.snapshot_path(snapshot(shelf)))
    return dict(zip(ids.tolist(), map(bytes, bits), strict=True))


def rows_in_catalog(shelf: Shelf) -> dict[int, bytes]:
    table = schema.fingerprints.c
    with shelf.catalog.read() as session:
        rows = session.sql.execute(select(table.id, table.bits).where(table.hasher == "phash"))
        return {row: bits for row, bits in rows}  # noqa: C416 -- rows are not pairs


class Counting(FingerprintSearcher):
    """Counts how often it had to begin anew."""

    rebuilt = 0

    def rebuild(self, header: Header, progress: Progress = SILENT, lease: Lease | None = None) -> Header:
        self.rebuilt += 1
        return super().rebuild(header, progress, lease)


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
    assert (shelf.is_current(), snapshot(shelf).size) == (True, 203)


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


def test_fingerprints_of_other_hashers_make_no_snapshot_old(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    with shelf.catalog.write() as session:
        intern_fingerprints(session, "pdq", [bytes(code) for code in codes(5)])
    assert shelf.is_current()


def spoil_notes(shelf: Shelf, lost: list[int], noted: str) -> None:
    """As a catalog may be whose rows went while nobody noted it, or whose notes were kept by a kill."""
    table = schema.tombstones
    with shelf.catalog.write() as session:
        if noted == "some":
            session.sql.execute(delete(table).where(table.c.row == lost[0]))
        elif noted == "nothing":
            session.sql.execute(delete(table))
        elif noted == "too much":
            session.sql.execute(insert(table).values(kind="fingerprints", row=min(lost) - 1, part="phash"))


@pytest.mark.parametrize("searched", [True, False], ids=["searched before", "opened anew"])
@pytest.mark.parametrize("noted", ["all", "some", "nothing", "too much"])
def test_publishing_gives_what_rebuilding_gives_also_where_what_is_gone_was_not_noted_right(
    shelf: Shelf, other: Shelf, noted: str, *, searched: bool
) -> None:
    shelf.add(1, 2, 3)
    shelf.publish()
    if searched:
        found(shelf)
    before = found(other)
    lost = shelf.drop(2)
    shelf.add(4)
    shelf.drop(4, 5)  # what came and went since costs nothing
    spoil_notes(shelf, lost, noted)
    searcher = Counting(shelf.layout, shelf.catalog)
    if searched:
        searcher.current()
    searcher.publish(shelf.layout.header())
    assert in_file(shelf) == rows_in_catalog(shelf)
    assert (searcher.rebuilt == 0) == (noted == "all")
    with shelf.catalog.read() as session:
        assert tombstones(session, "fingerprints", "phash", snapshot(shelf).through) == []
    assert found(shelf) == rows(searcher.search(ASKED, WIDE)) == found(other) == in_catalog(shelf) != before
    published = snapshot(shelf)
    shelf.rebuild()
    assert replace(snapshot(shelf), file=published.file) == published
    assert found(shelf) == found(other) == in_catalog(shelf)


def test_what_came_and_went_between_two_snapshots_is_in_neither(shelf: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    shelf.add(3)
    found(shelf)  # it has been taken in
    shelf.drop(3)
    shelf.drop(1)
    shelf.publish()
    assert in_file(shelf) == rows_in_catalog(shelf)
    assert found(shelf) == in_catalog(shelf)


def test_a_reader_keeps_the_answers_of_the_generation_it_holds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    held, before = other.searcher.current(), found(other)
    old = shelf.layout.snapshot_path(snapshot(shelf))
    shelf.drop(1)
    shelf.publish()
    assert not old.exists()
    assert rows(held.search(ASKED, WIDE)) == before
    assert found(other) == in_catalog(shelf) != before


def test_progress_on_rebuilding_rises_to_all_that_is_read(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.catalog.fingerprints._READ_AT_ONCE", 30)  # a hundred thousand are too many for a test
    heard = Heard()
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.steps == []  # there is nothing to read
    shelf.add(1, 2, 3)
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.shares(shelf.searcher.kind) == [0.25, 0.5, 0.75, 1.0]


def test_a_new_generation_is_picked_up_and_what_it_has_lost_is_gone(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    before = found(other)
    shelf.drop(1)
    shelf.rebuild()
    assert found(other) == in_catalog(shelf) != before


def test_fingerprints_written_after_the_last_ones_were_removed_are_found(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    found(other)
    with shelf.catalog.write() as session:
        session.sql.execute(delete(schema.fingerprints))
    shelf.add(2)
    again = {row for row in found(other) if row[1] == 0}
    assert {row for row in in_catalog(shelf) if row[1] == 0} <= again
    shelf.publish()
    assert found(shelf) == found(other) == in_catalog(shelf)


def test_many_readers_search_while_a_writer_adds_publishes_and_rebuilds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1)
    done = threading.Event()

    def read(searcher: FingerprintSearcher) -> int:
        most = rounds = 0
        while not done.is_set() or rounds == 0:
            exact = searcher.search(codes(1), 0)
            assert len(exact) == 40  # never lost, never twice
            size = len(searcher.current())
            assert size >= most
            most, rounds = size, rounds + 1
        return most

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(read, (shelf if number % 2 else other).searcher) for number in range(8)]
        try:
            for seed in range(2, 26):
                shelf.add(seed)
                if seed % 4 == 0:
                    shelf.publish()
                if seed % 10 == 0:
                    shelf.rebuild()
        finally:
            done.set()
        assert max(reader.result(60) for reader in readers) <= 25 * 40
    assert len(other.searcher.current()) == 25 * 40
    assert found(other) == found(shelf) == in_catalog(shelf)


def test_a_reader_that_opens_while_generations_change_always_gets_all(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    done = threading.Event()

    def open_and_read() -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            fresh = FingerprintSearcher(shelf.layout, shelf.catalog)
            assert len(fresh.search(codes(1), 0)) == 40
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(open_and_read) for _ in range(3)]
        try:
            for _ in range(40):
                shelf.publish()
        finally:
            done.set()
        assert all(reader.result(60) for reader in readers)
