"""Indexes without photos, as one process has them open: a folder, a catalog of rows, and one engine kept in step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sqlalchemy import delete, select

from imgmatch import registry
from imgmatch.catalog import schema
from imgmatch.catalog.features import FeatureRow, read_records, store_features
from imgmatch.catalog.fingerprints import intern_fingerprints, read_fingerprints
from imgmatch.catalog.sqlite import SqliteCatalog
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.postings import Postings
from imgmatch.engines.rows import FeatureRows, FingerprintRows
from imgmatch.engines.snapshots import map_arrays
from imgmatch.engines.sync import EngineSync, FeatureSearcher, FingerprintSearcher, load_engine
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.features.codebook import shipped
from imgmatch.features.extract import Features
from imgmatch.features.record import pack, unpack
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Table

    from imgmatch.catalog.leases import Lease
    from imgmatch.engines.base import Codes, FeatureEngine, FingerprintEngine

BOOK = registry.DEFAULT_CODEBOOK
WIDE = 110
"""Bits: random fingerprints are about 128 apart, so this finds some pairs and not others."""

NAMES = sorted(f"fingerprints, {name}" for name in registry.ENGINES) + [
    f"features, {name}" for name in registry.FEATURE_ENGINES
]


class Shelf(ABC):
    """What the tests of all engines have in common."""

    each: ClassVar[int]
    """Rows of one seed."""

    table: ClassVar[Table]
    reads: ClassVar[str]
    """The constant that says how many rows are read at once."""

    def __init__(self, root: Path, engine: str) -> None:
        self.engine = engine
        self.layout = Layout(root)
        if not self.layout.exists():
            used = engine if engine in registry.ENGINES else registry.DEFAULT_ENGINE
            self.layout.create(Header(FORMAT_VERSION, ("phash", "pdq"), used, BOOK))
        self.catalog = SqliteCatalog(self.layout.root)
        self.catalog.migrate()
        self.searcher = self.opened_anew()

    def again(self) -> Shelf:
        """The same index opened once more, as another process has it."""
        return type(self)(self.layout.root, self.engine)

    def publish(self) -> None:
        self.searcher.publish(self.layout.header())

    def rebuild(self) -> None:
        self.searcher.rebuild(self.layout.header())

    def is_current(self) -> bool:
        return self.searcher.is_current(self.layout.header())

    def close(self) -> None:
        self.catalog.close()

    @property
    def kind(self) -> str:
        return self.table.name

    def drop(self, seed: int, count: int | None = None) -> list[int]:
        """Remove the first rows of a seed, all of them by default; returns their ids."""
        mine = self.rows_of(seed, self.each if count is None else count)
        with self.catalog.write() as session:
            rows = session.sql.scalars(select(self.table.c.id).where(*mine)).all()
            session.sql.execute(delete(self.table).where(*mine))
        return list(rows)

    @abstractmethod
    def opened_anew(self) -> EngineSync[Any]: ...

    @abstractmethod
    def counting(self) -> CountingFingerprints | CountingFeatures: ...

    @abstractmethod
    def add(self, *seeds: int) -> None:
        """The rows of these seeds in one transaction, as a batch of a scan adds them."""

    @abstractmethod
    def add_some(self, seed: int, count: int) -> None:
        """So many rows of a seed."""

    @abstractmethod
    def add_others(self, seed: int) -> None:
        """Rows of another hasher or codebook."""

    @abstractmethod
    def rows_of(self, seed: int, count: int) -> tuple[Any, ...]:
        """What the first rows of a seed are found by."""

    @abstractmethod
    def load(self, header: Header) -> object | None:
        """The engine file a header names."""

    @abstractmethod
    def found_by(self, engine: Any) -> list[Any]:  # noqa: ANN401 -- an engine of either kind
        """Its answers, to questions of which one has none."""

    @abstractmethod
    def in_catalog(self) -> list[Any]:
        """What a search must find, from the catalog alone, in an engine that is made at once."""

    @abstractmethod
    def snapshot_of(self, header: Header) -> Snapshot | None: ...

    @abstractmethod
    def header_with(self, snapshot: Snapshot) -> Header: ...

    @abstractmethod
    def in_file(self) -> set[int]:
        """The row ids in the published file."""

    @abstractmethod
    def rows(self) -> set[int]:
        """The row ids in the catalog."""

    def found(self) -> list[Any]:
        return self.found_by(self.searcher.current())

    def holds(self, seed: int) -> bool:
        """Whether the first row of a seed is found, once."""
        return sum(row[0] == seed for row in self.exact(self.searcher.current(), seed)) == 1

    @abstractmethod
    def exact(self, engine: Any, seed: int) -> list[tuple[int, int]]:  # noqa: ANN401 -- an engine of either kind
        """The seed, and the row id, of what a search for the first row of a seed leads to first."""

    def snapshot(self) -> Snapshot:
        snapshot = self.snapshot_of(self.layout.header())
        assert snapshot is not None
        return snapshot

    def path(self) -> Path:
        return self.layout.snapshot_path(self.snapshot())


class CountingFingerprints(FingerprintSearcher):
    """Counts how often it had to begin anew."""

    rebuilt = 0

    def rebuild(self, header: Header, progress: Progress = SILENT, lease: Lease | None = None) -> Header:
        self.rebuilt += 1
        return super().rebuild(header, progress, lease)


class CountingFeatures(FeatureSearcher):
    """The same."""

    rebuilt = 0

    def rebuild(self, header: Header, progress: Progress = SILENT, lease: Lease | None = None) -> Header:
        self.rebuilt += 1
        return super().rebuild(header, progress, lease)


def codes(seed: int, count: int = 40) -> Codes:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


FINGERPRINTS_ASKED = np.concatenate([codes(1, 5), codes(2, 5), codes(99, 5)])


class FingerprintShelf(Shelf):
    each = 40
    table = schema.fingerprints
    reads = "imgmatch.catalog.fingerprints._READ_AT_ONCE"

    def opened_anew(self) -> FingerprintSearcher:
        return FingerprintSearcher(self.layout, self.catalog)

    def counting(self) -> CountingFingerprints:
        return CountingFingerprints(self.layout, self.catalog)

    def add(self, *seeds: int) -> None:
        with self.catalog.write() as session:
            intern_fingerprints(session, "phash", [bytes(code) for seed in seeds for code in codes(seed)])
            intern_fingerprints(session, "pdq", [bytes(code) for seed in seeds for code in codes(seed + 10_000)])

    def add_some(self, seed: int, count: int) -> None:
        with self.catalog.write() as session:
            intern_fingerprints(session, "phash", [bytes(code) for code in codes(seed, count)])

    def add_others(self, seed: int) -> None:
        with self.catalog.write() as session:
            intern_fingerprints(session, "pdq", [bytes(code) for code in codes(seed)])

    def rows_of(self, seed: int, count: int) -> tuple[Any, ...]:
        bits = [bytes(code) for code in codes(seed, count)]
        return self.table.c.bits.in_(bits), self.table.c.hasher == "phash"

    def load(self, header: Header) -> FingerprintEngine | None:
        return load_engine(FingerprintRows(), self.layout, header)

    def found_by(self, engine: FingerprintEngine) -> list[Any]:
        hits = engine.search(FINGERPRINTS_ASKED, WIDE)
        return list(zip(hits.queries.tolist(), hits.distances.tolist(), hits.ids.tolist(), strict=True))

    def in_catalog(self) -> list[Any]:
        with self.catalog.read() as session:
            blocks = list(read_fingerprints(session, "phash"))
        ids = np.concatenate([np.empty(0, np.int64), *(block[0] for block in blocks)])
        bits = np.concatenate([np.empty((0, 32), np.uint8), *(block[1] for block in blocks)])
        return self.found_by(registry.engine("linear").empty().appended((ids, bits), 1_000_000))

    def snapshot_of(self, header: Header) -> Snapshot | None:
        return header.snapshot

    def header_with(self, snapshot: Snapshot) -> Header:
        header = self.layout.header()
        return Header(header.format, header.hashers, header.engine, header.codebook, snapshot=snapshot)

    def in_file(self) -> set[int]:
        ids, bits = map_arrays(self.path())
        table = self.table.c
        with self.catalog.read() as session:
            kept = {row: code for row, code in session.sql.execute(select(table.id, table.bits))}  # noqa: C416 -- rows
        assert all(kept.get(row, bytes(code)) == bytes(code) for row, code in zip(ids.tolist(), bits, strict=True))
        return set(ids.tolist())

    def rows(self) -> set[int]:
        with self.catalog.read() as session:
            return set(session.sql.scalars(select(self.table.c.id).where(self.table.c.hasher == "phash")))

    def exact(self, engine: FingerprintEngine, seed: int) -> list[tuple[int, int]]:
        return [(seed, row) for row in engine.search(codes(seed, 1), 0).ids.tolist()]


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


FEATURES_ASKED = [described(seed, 0) for seed in (1, 2, 99)]


class FeatureShelf(Shelf):
    each = 6
    table = schema.features
    reads = "imgmatch.catalog.features._READ_AT_ONCE"

    def opened_anew(self) -> FeatureSearcher:
        return FeatureSearcher(self.layout, self.catalog)

    def counting(self) -> CountingFeatures:
        return CountingFeatures(self.layout, self.catalog)

    def add(self, *seeds: int) -> None:
        self._store([(seed, number) for seed in seeds for number in range(self.each)], BOOK)

    def add_some(self, seed: int, count: int) -> None:
        self._store([(seed, number) for number in range(count)], BOOK)

    def add_others(self, seed: int) -> None:
        self._store([(seed, number) for number in range(self.each)], "of yesterday")

    def _store(self, pictures: list[tuple[int, int]], codebook: str) -> None:
        with self.catalog.write() as session:
            rows = [FeatureRow(pixels(*picture), codebook, packed(*picture), None) for picture in pictures]
            store_features(session, rows)

    def rows_of(self, seed: int, count: int) -> tuple[Any, ...]:
        return (self.table.c.pixels.in_([pixels(seed, number) for number in range(count)]),)

    def load(self, header: Header) -> FeatureEngine | None:
        return load_engine(FeatureRows(), self.layout, header)

    def found_by(self, engine: FeatureEngine) -> list[Any]:
        return [candidate for candidates in engine.search(FEATURES_ASKED, 50) for candidate in candidates]

    def in_catalog(self) -> list[Any]:
        with self.catalog.read() as session:
            rows = [(row, unpack(record)) for block in read_records(session, BOOK) for row, record in block]
        engine = registry.feature_engine(self.engine).empty(shipped())
        return self.found_by(engine.appended(rows, 1_000_000))

    def snapshot_of(self, header: Header) -> Snapshot | None:
        return header.features

    def header_with(self, snapshot: Snapshot) -> Header:
        header = self.layout.header()
        return Header(header.format, header.hashers, header.engine, header.codebook, features=snapshot)

    def in_file(self) -> set[int]:
        postings = Postings.open(self.path(), shipped().lists)
        return {row for piece in postings.pieces() for row in (piece.ids >> GEOMETRY_BITS).tolist()}

    def rows(self) -> set[int]:
        with self.catalog.read() as session:
            return set(session.sql.scalars(select(self.table.c.id).where(self.table.c.codebook == BOOK)))

    def exact(self, engine: FeatureEngine, seed: int) -> list[tuple[int, int]]:
        (candidates,) = engine.search([described(seed, 0)], 5)
        return [(seed, one.row) for one in candidates[:1] if one.votes > 2]


def shelf_at(root: Path, name: str) -> Shelf:
    """The index at a folder with the engine of one of ``NAMES``."""
    kind, engine = name.split(", ")
    return FeatureShelf(root, engine) if kind == "features" else FingerprintShelf(root, engine)
