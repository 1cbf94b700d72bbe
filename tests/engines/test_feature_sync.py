from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hearing import Heard
from sqlalchemy import delete, func, select, update

from imgmatch import registry
from imgmatch.catalog import schema
from imgmatch.catalog.features import FeatureRow, read_records, store_features
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.ivf import IvfParts
from imgmatch.engines.postings import Postings
from imgmatch.engines.snapshots import save_arrays
from imgmatch.engines.sync import FeatureSearcher, load_features
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.errors import IndexDamagedError
from imgmatch.features.codebook import shipped
from imgmatch.features.extract import Features
from imgmatch.features.record import pack, unpack
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.leases import Lease

BOOK = registry.DEFAULT_CODEBOOK
AT_ONCE = 6  # pictures of one seed

Rows = list[tuple[int, bool, object]]


class Shelf:
    """An index without photos: a layout and a catalog of features, as one process has it open."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        if not self.layout.exists():
            self.layout.create(Header(FORMAT_VERSION, ("phash",), "flat", BOOK))
        self.catalog = SqliteCatalog(self.layout.root)
        self.catalog.migrate()
        self.searcher = FeatureSearcher(self.layout, self.catalog)

    def publish(self) -> None:
        self.searcher.publish(self.layout.header())

    def rebuild(self) -> None:
        self.searcher.rebuild(self.layout.header())

    def add(self, *seeds: int, codebook: str = BOOK) -> None:
        """The features of some pictures in one transaction, as a batch of a scan adds them."""
        with self.catalog.write() as session:
            store_features(
                session,
                [
                    FeatureRow(pixels(seed, number), codebook, packed(seed, number), None)
                    for seed in seeds
                    for number in range(AT_ONCE)
                ],
            )

    def drop(self, seed: int) -> list[int]:
        """Remove the pictures of a seed; returns their row ids."""
        table = schema.features
        mine = table.c.pixels.in_([pixels(seed, number) for number in range(AT_ONCE)])
        with self.catalog.write() as session:
            rows = session.sql.scalars(select(table.c.id).where(mine)).all()
            session.sql.execute(delete(table).where(mine))
        return list(rows)

    def is_current(self) -> bool:
        return self.searcher.is_current(self.layout.header())

    def close(self) -> None:
        self.catalog.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    opened = Shelf(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def other(shelf: Shelf) -> Iterator[Shelf]:
    """The same index opened once more, as another process has it."""
    opened = Shelf(shelf.layout.root)
    yield opened
    opened.close()


def pixels(seed: int, number: int) -> bytes:
    return f"{seed:08}{number:08}".encode()


def described(seed: int, number: int, count: int = 20) -> Features:
    """Features as a picture has them, but of no picture."""
    rng = np.random.default_rng((seed, number))
    points = np.column_stack([rng.random((count, 2)), 2 ** rng.uniform(-7, -3, count), rng.uniform(0, 6.28, count)])
    raw = rng.exponential(1, (count, 128))  # few large values, as SIFT has them
    roots = np.sqrt(raw / raw.sum(1, keepdims=True))
    return Features(points.astype(np.float32), np.rint(roots * 255).astype(np.uint8), 1.0, 0.75)


@cache
def packed(seed: int, number: int) -> bytes:
    return pack(described(seed, number), shipped())


ASKED = [described(seed, 0) for seed in (1, 2, 99)]


def found(shelf: Shelf) -> list[Rows]:
    return answers(shelf.searcher.current())


def answers(parts: IvfParts) -> list[Rows]:
    """The leading candidates: which of those with two or three chance votes is named is left to chance."""
    return [
        [(one.row, one.mirrored, pytest.approx(one.votes, abs=0.02)) for one in candidates if one.votes > 2]
        for candidates in parts.search(ASKED, 50)
    ]


def in_catalog(shelf: Shelf) -> list[Rows]:
    """What a search must find, from the catalog alone, made at once."""
    with shelf.catalog.read() as session:
        rows = [(row, unpack(record)) for block in read_records(session, BOOK) for row, record in block]
    return answers(IvfParts(shipped(), (), 0).grown(rows, 0))


def snapshot(shelf: Shelf) -> Snapshot:
    header = shelf.layout.header()
    assert header.features is not None
    return header.features


def pictures_in(shelf: Shelf) -> set[int]:
    """Row ids that have a point in the engine file."""
    postings = Postings.open(shelf.layout.snapshot_path(snapshot(shelf)), shipped().lists)
    return {row for piece in postings.pieces() for row in (piece.ids >> GEOMETRY_BITS).tolist()}


def rows_in_catalog(shelf: Shelf, codebook: str = BOOK) -> set[int]:
    table = schema.features.c
    with shelf.catalog.read() as session:
        return set(session.sql.scalars(select(table.id).where(table.codebook == codebook)))


def test_an_empty_index_finds_nothing(shelf: Shelf) -> None:
    assert found(shelf) == [[], [], []]
    shelf.publish()
    assert found(shelf) == [[], [], []]
    assert (snapshot(shelf).size, snapshot(shelf).through) == (0, 0)


def test_the_answer_is_the_picture_itself_before_all_others(shelf: Shelf) -> None:
    shelf.add(1, 2, 3)
    first, second, stranger = found(shelf)
    assert (first[0][:2], second[0][:2]) == ((1, False), (AT_ONCE + 1, False))
    assert stranger == []
    assert found(shelf) == in_catalog(shelf)


def test_a_search_finds_what_was_written_before_it_began(shelf: Shelf) -> None:
    for seed in range(1, 12):
        shelf.add(seed)
        assert len(shelf.searcher.current()) == AT_ONCE * seed
        assert found(shelf) == in_catalog(shelf)


def test_features_of_another_codebook_are_not_searched_but_looked_at(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.add(2, codebook="of yesterday")
    assert len(shelf.searcher.current()) == AT_ONCE
    assert shelf.searcher.current().through == 2 * AT_ONCE
    shelf.publish()
    assert (snapshot(shelf).size, snapshot(shelf).through) == (AT_ONCE, 2 * AT_ONCE)
    assert shelf.searcher.is_current(shelf.layout.header())
    shelf.add(2)  # coded anew, as a scan does
    assert not shelf.searcher.is_current(shelf.layout.header())
    assert found(shelf) == in_catalog(shelf)
    assert found(shelf)[1]


ADD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_feature_sync import Shelf
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
            assert len(shelf.searcher.current()) == AT_ONCE * seed
            assert found(shelf) == in_catalog(shelf)
        writer.stdin.close()
    assert shelf.layout.header().generation == 3


def test_an_index_opened_anew_answers_the_same_from_its_snapshot_and_what_came_after(
    shelf: Shelf, other: Shelf
) -> None:
    shelf.add(1)
    shelf.publish()
    shelf.add(2)
    assert snapshot(shelf).size == AT_ONCE
    assert found(other) == found(shelf) == in_catalog(shelf)


def damaged(path: Path, damage: str) -> None:
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "swapped":
        save_arrays(path, [(np.arange(3), np.zeros((3, 32), np.uint8))])
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
    damaged(shelf.layout.snapshot_path(snapshot(shelf)), damage)
    assert load_features(other.layout, other.layout.header()) is None
    assert found(other) == in_catalog(shelf)
    assert all(found(other)[:2])
    other.publish()
    assert load_features(other.layout, other.layout.header()) is not None
    assert found(shelf) == in_catalog(shelf)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_snapshot_damaged_while_it_is_in_use_does_not_hinder_the_next(shelf: Shelf, damage: str) -> None:
    shelf.add(1)
    shelf.publish()
    found(shelf)
    damaged(shelf.layout.snapshot_path(snapshot(shelf)), damage)
    shelf.add(2)
    shelf.publish()
    assert load_features(shelf.layout, shelf.layout.header()) is not None
    assert (snapshot(shelf).size, pictures_in(shelf)) == (2 * AT_ONCE, rows_in_catalog(shelf))
    assert found(shelf) == in_catalog(shelf)


def test_a_snapshot_of_another_codebook_engine_or_size_is_not_used(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    header = shelf.layout.header()
    assert load_features(shelf.layout, header) is not None
    for changes in ({"of": "other"}, {"engine": "other"}, {"size": AT_ONCE - 1}):
        assert load_features(shelf.layout, replace(header, features=replace(snapshot(shelf), **changes))) is None


def test_publishing_and_rebuilding_give_the_same_answers(shelf: Shelf, other: Shelf) -> None:
    for seed in (1, 2, 3):
        shelf.add(seed)
        found(shelf)
    shelf.publish()
    published, given = snapshot(shelf), found(other)
    shelf.rebuild()
    assert replace(snapshot(shelf), file=published.file) == published
    assert found(shelf) == found(other) == given == in_catalog(shelf)


def test_a_published_snapshot_holds_nothing_the_catalog_has_lost(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    lost = shelf.drop(1)
    shelf.add(3)
    shelf.publish()
    assert snapshot(shelf).size == 2 * AT_ONCE
    assert pictures_in(shelf) == rows_in_catalog(shelf)
    assert not pictures_in(shelf) & set(lost)
    assert found(shelf) == found(other) == in_catalog(shelf)


class Counting(FeatureSearcher):
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
    shelf.add(1)
    assert not shelf.is_current()  # all of it is missing
    shelf.add(*range(2, 101))
    shelf.publish()
    assert shelf.is_current()
    shelf.add(101)
    assert (shelf.is_current(), snapshot(shelf).size) == (True, 100 * AT_ONCE)
    assert found(shelf) == in_catalog(shelf)
    shelf.add(102)
    assert not shelf.is_current()
    shelf.publish()
    shelf.drop(101)
    assert not shelf.is_current()
    shelf.add(103)
    assert not shelf.is_current()  # as many came as went
    shelf.publish()
    assert (shelf.is_current(), snapshot(shelf).size) == (True, 102 * AT_ONCE)


@pytest.mark.parametrize("searched", [True, False], ids=["searched before", "opened anew"])
@pytest.mark.parametrize("noted", ["all", "some", "nothing"])
def test_publishing_gives_what_rebuilding_gives_also_where_what_is_gone_was_not_noted_right(
    shelf: Shelf, other: Shelf, noted: str, *, searched: bool
) -> None:
    shelf.add(1, 2, 3)
    shelf.publish()
    before = found(other)
    lost = shelf.drop(2)
    shelf.add(4, 5)
    shelf.drop(4)  # what came and went since costs nothing
    with shelf.catalog.write() as session:
        forgotten = {"all": [], "some": lost[:1], "nothing": lost}[noted]
        session.sql.execute(delete(schema.tombstones).where(schema.tombstones.c.row.in_(forgotten)))
    searcher = Counting(shelf.layout, shelf.catalog)
    if searched:
        searcher.current()
    searcher.publish(shelf.layout.header())
    assert pictures_in(shelf) == rows_in_catalog(shelf)
    assert (searcher.rebuilt == 0) == (noted == "all")
    assert found(shelf) == answers(searcher.current()) == found(other) == in_catalog(shelf) != before
    published = snapshot(shelf)
    shelf.rebuild()
    assert replace(snapshot(shelf), file=published.file) == published
    assert found(shelf) == found(other) == in_catalog(shelf)


def test_a_reader_keeps_the_answers_of_the_generation_it_holds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    held, before = other.searcher.current(), found(other)
    old = shelf.layout.snapshot_path(snapshot(shelf))
    shelf.drop(1)
    shelf.publish()
    assert not old.exists()
    assert answers(held) == before
    assert found(other) == in_catalog(shelf) != before


def test_progress_on_rebuilding_rises_to_all_that_is_read(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgmatch.engines.sync._GROWN_AT_ONCE", 7)
    monkeypatch.setattr("imgmatch.catalog.features._READ_AT_ONCE", 3)  # five thousand are too many for a test
    heard = Heard()
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.steps == []  # there is nothing to read
    shelf.add(1, 2)
    shelf.searcher.rebuild(shelf.layout.header(), heard)
    assert heard.shares(shelf.searcher.kind) == [0.25, 0.5, 0.75, 1.0]


def test_a_rebuilt_snapshot_holds_nothing_the_catalog_has_lost(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    before = found(other)
    shelf.drop(1)
    shelf.rebuild()
    assert pictures_in(shelf) == rows_in_catalog(shelf)
    assert len(list(shelf.layout.root.glob("features.*"))) == 1
    assert found(other) == in_catalog(shelf) != before


def test_features_written_after_the_last_ones_were_removed_are_found(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1, 2)
    shelf.publish()
    found(other)
    shelf.drop(2)
    shelf.drop(1)
    shelf.add(2)
    assert found(other)[1][-1][0] > 2 * AT_ONCE or found(other)[1][0][0] > 2 * AT_ONCE
    shelf.publish()
    assert found(shelf) == found(other) == in_catalog(shelf)


def test_catching_up_in_several_helpings_is_catching_up_at_once(
    shelf: Shelf, other: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.add(*range(1, 9))
    whole = found(other)
    monkeypatch.setattr("imgmatch.engines.sync._GROWN_AT_ONCE", 10)  # forty thousand pictures are too many for a test
    monkeypatch.setattr("imgmatch.catalog.features._READ_AT_ONCE", 7)
    assert found(shelf) == whole == in_catalog(shelf)
    assert (len(shelf.searcher.current()), shelf.searcher.current().through) == (8 * AT_ONCE, 8 * AT_ONCE)


def test_rows_that_come_while_it_catches_up_are_taken_in_once(shelf: Shelf) -> None:
    shelf.add(1)
    last = shelf.searcher.current().through
    shelf.add(2, 3)  # between its look at the last row and its reading of the records
    searcher = shelf.searcher
    header, nothing = shelf.layout.header(), IvfParts(shipped(), (), 0)
    with shelf.catalog.read() as session:
        held = searcher._caught_up(session, searcher.current(), header, last)  # noqa: SLF001 -- only here is the gap
        empty = searcher._caught_up(session, nothing, header, last)  # noqa: SLF001 -- see above
    assert [(len(one), one.through) for one in (held, empty)] == [(3 * AT_ONCE, 3 * AT_ONCE)] * 2


@pytest.mark.parametrize("record", [b"", b"\1\0\5", b"\2\0\0\0\xff\xff\xff\xff", packed(1, 1)[:-1]])
def test_a_damaged_record_is_an_error_that_names_its_row(shelf: Shelf, record: bytes) -> None:
    shelf.add(1)
    with shelf.catalog.write() as session:
        session.sql.execute(update(schema.features).where(schema.features.c.id == 4).values(record=record))
    for use in (shelf.searcher.current, shelf.publish, shelf.rebuild):
        with pytest.raises(IndexDamagedError, match=rf"{shelf.layout.root}: features 4: feature record"):
            use()


def test_many_readers_search_while_a_writer_adds_publishes_and_rebuilds(shelf: Shelf, other: Shelf) -> None:
    shelf.add(1)
    done = threading.Event()

    def read(searcher: FeatureSearcher) -> int:
        most = rounds = 0
        while not done.is_set() or rounds == 0:
            (candidates,) = searcher.search(ASKED[:1], 5)
            assert (candidates[0].row, candidates[0].mirrored) == (1, False)  # never lost
            size = len(searcher.current())
            assert size >= most
            most, rounds = size, rounds + 1
        return most

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(read, (shelf if number % 2 else other).searcher) for number in range(8)]
        try:
            for seed in range(2, 22):
                shelf.add(seed)
                if seed % 4 == 0:
                    shelf.publish()
                if seed % 10 == 0:
                    shelf.rebuild()
        finally:
            done.set()
        assert max(reader.result(60) for reader in readers) <= 21 * AT_ONCE
    assert len(other.searcher.current()) == 21 * AT_ONCE
    assert found(other) == found(shelf) == in_catalog(shelf)


def test_a_reader_that_opens_while_generations_change_always_gets_all(shelf: Shelf) -> None:
    shelf.add(1)
    shelf.publish()
    done = threading.Event()

    def open_and_read() -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            fresh = FeatureSearcher(shelf.layout, shelf.catalog)
            assert fresh.search(ASKED[:1], 5)[0][0].row == 1
            assert len(fresh.current()) == AT_ONCE
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


def test_the_catalog_counts_what_the_engine_holds(shelf: Shelf) -> None:
    shelf.add(1, 2)
    with shelf.catalog.read() as session:
        assert session.sql.scalar(select(func.count()).select_from(schema.features)) == len(shelf.searcher.current())
