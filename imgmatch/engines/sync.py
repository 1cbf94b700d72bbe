"""The engines of an open index, kept in step with the catalog."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic

import numpy as np

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.places import note_files
from imgmatch.catalog.row_counts import forget_tombstones, tombstones
from imgmatch.catalog.tokens import announce_publication, confirm_publication, new_token
from imgmatch.engines.base import FeatureEngine, FingerprintEngine
from imgmatch.engines.header import Header, Snapshot
from imgmatch.engines.rows import EngineRows, EngineT, FeatureRows, FingerprintRows
from imgmatch.engines.snapshots import read_token, write_token
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Candidate, Codes, Hits
    from imgmatch.engines.folder import Layout
    from imgmatch.features.extract import Features
    from imgmatch.progress import Progress

_OPEN_TRIES = 5
_WORTH_PUBLISHING = 100
"""A snapshot is written anew when one part in so many is missing from it: readers take the rest from the catalog, and
one more photo among ten million does not cost a file of 400 MB."""

_FORGOTTEN_AT_ONCE = 10_000
"""Rows in one transaction."""


class EngineSync(Generic[EngineT]):
    """Opens an engine's snapshot and catches up with the catalog before every search.

    An engine may hold rows that the catalog has lost since; what they lead to is looked up there, so such an answer
    leads nowhere.
    """

    def __init__(self, layout: Layout, catalog: Catalog, rows: EngineRows[EngineT]) -> None:
        self._layout = layout
        self._catalog = catalog
        self._rows = rows
        self._filed = layout.noted_as(rows.table)
        self._appending = threading.Lock()
        self._engine: EngineT | None = None
        self._snapshot: Snapshot | None = None

    def current(self, last: int | None = None) -> EngineT:
        """The engine with everything the catalog holds now; up to the row ``last`` at the least, if that is known."""
        if last is None:
            with self._catalog.read() as session:
                last = self._rows.last(session)
        header = self._layout.header()
        with self._appending:
            if self._engine is None or self._rows.snapshot(header) != self._snapshot:
                self._engine = None  # the old one is let go of before the new one takes its memory
                self._engine, self._snapshot = self._opened()
            if last > self._engine.watermark:
                with self._catalog.read() as session:
                    self._engine = self._caught_up(session, header, self._engine)
            return self._engine

    def advance(self, last: int) -> None:
        """Read up to the row ``last``, as the next search would, if an engine is open at all."""
        if self._engine is not None:
            self.current(last)

    @property
    def table(self) -> str:
        """Whose rows it is made of."""
        return self._rows.table

    def _opened(self) -> tuple[EngineT, Snapshot | None]:
        # A writer may publish and drop the file between our reading the header and opening the file: look again.
        header = self._layout.header()
        for _ in range(_OPEN_TRIES):
            engine = load_engine(self._rows, self._layout, header)
            again = self._layout.header()
            if engine is not None or again.generation == header.generation:
                break
            header = again
        return (engine if engine is not None else self._rows.empty(header)), self._rows.snapshot(header)

    def _caught_up(
        self, session: Session, header: Header, engine: EngineT, progress: Progress = SILENT, known: int = 0
    ) -> EngineT:
        """With every row there is in this session; its watermark is the last id in use, whoever's row that is."""
        held = len(engine)

        def read(count: int) -> None:
            progress.step(self._rows.table, held + count, max(held + count, known))

        for rows, watermark in self._rows.after(session, self._rows.part(header), engine.watermark, read):
            engine = engine.appended(rows, watermark)
        return engine.appended(self._rows.nothing, max(self._rows.last(session), engine.watermark))

    def is_current(self, header: Header) -> bool:
        """Whether the snapshot holds nothing the catalog has lost, and nearly all that it has."""
        snapshot, part = self._rows.snapshot(header), self._rows.part(header)
        if snapshot is None:
            return False
        with self._catalog.read() as session:
            known = self._rows.count(session, part)
            missing = self._rows.count_after(session, part, snapshot.through)
        return snapshot.size + missing == known and missing * _WORTH_PUBLISHING <= snapshot.size

    def publish(self, header: Header, lease: Lease | None = None) -> Header:
        """Write the engine as the next generation's snapshot, with what the catalog holds and nothing it has lost.

        It is made of the last snapshot; where that does not add up, or is damaged, the engine is rebuilt. Others may
        write to the catalog meanwhile: the snapshot is of one state of it, and what is lost after that is left to the
        next one.
        """
        engine = load_engine(self._rows, self._layout, header, verify=not self._rows.verified_by_reading)
        if engine is None:
            return self.rebuild(header, lease=lease)
        part = self._rows.part(header)
        with self._catalog.read() as session:
            gone = tombstones(session, self._filed, part, engine.watermark)
            engine = self._caught_up(session, header, engine.removed(np.array(gone, np.int64)))
            lost = self._lost(session, engine)
            complete = len(engine) == self._rows.count(session, part)
        if not complete:
            return self.rebuild(header, lease=lease)
        try:
            return self._published(header, engine, lost, lease)
        except ValueError:  # found while the last file is read to be written anew
            return self.rebuild(header, lease=lease)

    def rebuild(self, header: Header, progress: Progress = SILENT, lease: Lease | None = None) -> Header:
        """Make the engine from the catalog alone and publish it; ``progress`` hears how many rows are read."""
        with self._catalog.read() as session:
            known = self._rows.count(session, self._rows.part(header))
            engine = self._caught_up(session, header, self._rows.empty(header), progress, known)
            lost = self._lost(session, engine)
        return self._published(header, engine, lost, lease)

    def _lost(self, session: Session, engine: EngineT) -> list[int]:
        """Tombstones that no file needs any more once this engine is published: above its last one, never read."""
        return tombstones(session, self._filed, None, engine.watermark)

    def _published(self, header: Header, engine: EngineT, lost: Sequence[int], lease: Lease | None) -> Header:
        name, token = self._rows.engine_name(header), new_token()
        snapshot = Snapshot(self._rows.part(header), name, "", engine.watermark, len(engine), token)

        def write(path: Path) -> None:
            engine.save(path)
            write_token(path, token)

        published = self._layout.publish(
            snapshot, write, lambda: self._counting(header, token, engine.watermark, lease)
        )
        for rows in chunks(lost, _FORGOTTEN_AT_ONCE):
            with self._catalog.write(lease) as session:
                forget_tombstones(session, self._filed, rows)
        with self._appending:
            self._engine = None  # the next search takes it from the file; most writers never search again
        return published

    @contextmanager
    def _counting(self, header: Header, token: str, watermark: int, lease: Lease | None) -> Iterator[None]:
        """Have the catalog know the file that the header names inside, whenever it is that this is killed."""
        held = self._rows.snapshot(header)
        with self._catalog.write(lease) as session:
            announce_publication(session, self._filed, token, None if held is None else held.token)
        with self._catalog.write(lease) as session:
            yield
            confirm_publication(session, self._filed, token)
            if self._layout.place:
                note_files(session, self._layout.place, {self._rows.table: watermark})


class FingerprintSearcher(EngineSync[FingerprintEngine]):
    """The engine of the first hasher's fingerprints."""

    def __init__(self, layout: Layout, catalog: Catalog) -> None:
        super().__init__(layout, catalog, FingerprintRows())

    def search(self, queries: Codes, max_distance: int, last: int | None = None) -> Hits:
        """Fingerprints within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by catalog row id.

        They are those of :meth:`current`.
        """
        return self.current(last).search(queries, max_distance)


class FeatureSearcher(EngineSync[FeatureEngine]):
    """The engine of local features."""

    def __init__(self, layout: Layout, catalog: Catalog) -> None:
        super().__init__(layout, catalog, FeatureRows())

    def search(
        self, queries: Sequence[Features], limit: int, least: float = 0.0, last: int | None = None
    ) -> list[list[Candidate]]:
        """For each query the ``limit`` most promising pictures, with ``least`` votes or more, by catalog row id.

        They are those of :meth:`current`.
        """
        return self.current(last).search(queries, limit, least)


def load_engine(rows: EngineRows[EngineT], layout: Layout, header: Header, *, verify: bool = True) -> EngineT | None:
    """The engine file the header names; ``None`` if there is none, it is another one, or it is damaged.

    Unless ``verify`` is off, its checksums are compared, or it is read from end to end.
    """
    snapshot = rows.snapshot(header)
    if snapshot is None or (snapshot.engine, snapshot.of) != (rows.engine_name(header), rows.part(header)):
        return None
    path = layout.snapshot_path(snapshot)
    try:
        if snapshot.token not in {None, read_token(path)}:
            return None
        engine = rows.open(header, path, snapshot.through, verify=verify)
    except ValueError:
        return None
    return engine if len(engine) == snapshot.size else None
