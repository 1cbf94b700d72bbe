"""The engines of an open index, kept in step with the catalog."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from imgmatch import registry
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.features import count_features, count_features_after, last_features, read_records
from imgmatch.catalog.fingerprints import (
    count_fingerprints,
    count_fingerprints_after,
    last_fingerprint,
    read_fingerprints,
)
from imgmatch.catalog.row_counts import forget_tombstones, tombstones
from imgmatch.engines.header import Header, Snapshot
from imgmatch.engines.ivf import IvfParts
from imgmatch.engines.segments import Parts
from imgmatch.errors import IndexDamagedError
from imgmatch.features.record import unpack
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Codes, Hits, Ids
    from imgmatch.engines.folder import Layout
    from imgmatch.engines.ivf import Candidate
    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored
    from imgmatch.progress import Progress

FEATURE_ENGINE = "ivf"

_LOAD_TRIES = 5
_GROWN_AT_ONCE = 40_000  # pictures, about 100 MB
_WORTH_PUBLISHING = 100
"""A snapshot is written anew when one part in so many is missing from it: readers take the rest from the catalog, and
one more photo among ten million does not cost a file of 400 MB."""


_FORGOTTEN_AT_ONCE = 10_000  # rows in one transaction

Agreed = Callable[[], AbstractContextManager[object]]


class _Engine(Protocol):
    through: int

    def __len__(self) -> int: ...


Held = TypeVar("Held", bound=_Engine)


class Searcher(ABC, Generic[Held]):
    """Loads an engine's snapshot and catches up with the catalog before every search.

    Engines may hold rows that the catalog has lost since; what they lead to is looked up there, so such an answer
    leads nowhere.
    """

    kind: str
    """The table whose rows it holds."""

    def __init__(self, layout: Layout, catalog: Catalog) -> None:
        self._layout = layout
        self._catalog = catalog
        self._growing = threading.Lock()
        self._held: Held | None = None
        self._snapshot: Snapshot | None = None

    def current(self) -> Held:
        """The engine with everything the catalog holds now."""
        with self._catalog.read() as session:
            last = self._last(session)
        header = self._layout.header()
        with self._growing:
            if self._held is None or self._named(header) != self._snapshot:
                self._held = None  # the old one is let go of before the new one takes its memory
                self._held, self._snapshot = self._load()
            if last > self._held.through:
                with self._catalog.read() as session:
                    self._held = self._caught_up(session, self._held, header, last)
            return self._held

    def _load(self) -> tuple[Held, Snapshot | None]:
        # A writer may publish and drop the file between our reading the header and opening the file: look again.
        header = self._layout.header()
        for _ in range(_LOAD_TRIES):
            held = self._loaded(header)
            again = self._layout.header()
            if held is not None or again.generation == header.generation:
                break
            header = again
        return (held if held is not None else self._empty(header)), self._named(header)

    def is_current(self, header: Header) -> bool:
        """Whether the snapshot holds nothing the catalog has lost, and nearly all that it has."""
        snapshot = self._named(header)
        if snapshot is None:
            return False
        with self._catalog.read() as session:
            known, missing = self._count(session, header), self._count_after(session, header, snapshot.through)
        return snapshot.size + missing == known and missing * _WORTH_PUBLISHING <= snapshot.size

    def publish(self, header: Header, lease: Lease | None = None) -> Header:
        """Write the engine as the next generation's snapshot, with what the catalog holds and nothing it has lost.

        It is made of the last snapshot; where that does not add up, the engine is rebuilt. Others may write to the
        catalog meanwhile: the snapshot is of one state of it, and what is lost after that is left to the next one.
        """
        snapshot, held = self._named(header), self._loaded(header, whole=False)
        if snapshot is None or held is None:
            return self.rebuild(header, lease=lease)
        with self._catalog.read() as session:
            last, known = self._last(session), self._count(session, header)
            gone = np.array(tombstones(session, self.kind, snapshot.of, snapshot.through), np.int64)
            held = self._caught_up(session, held, header, last)
            lost = tombstones(session, self.kind, None, held.through)  # above the snapshot's, they were never read
        if len(held) - len(gone) != known:
            return self.rebuild(header, lease=lease)
        return self._published(header, held, gone, lost, lease)

    def rebuild(self, header: Header, progress: Progress = SILENT, lease: Lease | None = None) -> Header:
        """Make the engine from the catalog alone and publish it; ``progress`` hears how many rows are read."""
        held = self._empty(header)
        with self._catalog.read() as session:
            last, known = self._last(session), self._count(session, header)
            held = self._caught_up(session, held, header, last, progress, known)
            lost = tombstones(session, self.kind, None, held.through)
        return self._published(header, held, np.empty(0, np.int64), lost, lease)

    def _published(self, header: Header, held: Held, gone: Ids, lost: Sequence[int], lease: Lease | None) -> Header:
        published = self._publish(header, held, gone, lambda: self._catalog.write(lease))
        for rows in chunks(lost, _FORGOTTEN_AT_ONCE):
            with self._catalog.write(lease) as session:
                forget_tombstones(session, self.kind, rows)
        with self._growing:
            self._held = None  # the next search takes it from the file; most writers never search again
        return published

    @abstractmethod
    def _loaded(self, header: Header, *, whole: bool = True) -> Held | None: ...

    @abstractmethod
    def _named(self, header: Header) -> Snapshot | None: ...

    @abstractmethod
    def _empty(self, header: Header) -> Held: ...

    @abstractmethod
    def _last(self, session: Session) -> int: ...

    @abstractmethod
    def _count(self, session: Session, header: Header) -> int: ...

    @abstractmethod
    def _count_after(self, session: Session, header: Header, row: int) -> int: ...

    @abstractmethod
    def _caught_up(
        self, session: Session, held: Held, header: Header, last: int, progress: Progress = SILENT, known: int = 0
    ) -> Held: ...

    @abstractmethod
    def _publish(self, header: Header, held: Held, gone: Ids, agreed: Agreed) -> Header: ...


class FingerprintSearcher(Searcher[Parts]):
    """The engine of the first hasher's fingerprints."""

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Fingerprints within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by catalog row id."""
        return self.current().search(queries, max_distance)

    kind = "fingerprints"

    def _loaded(self, header: Header, *, whole: bool = True) -> Parts | None:
        del whole  # what is not verified now would be written with a new checksum
        return load_fingerprints(self._layout, header)

    def _named(self, header: Header) -> Snapshot | None:
        return header.snapshot

    def _empty(self, header: Header) -> Parts:
        return Parts(registry.engine(header.engine), (), 0)

    def _last(self, session: Session) -> int:
        return last_fingerprint(session)

    def _count(self, session: Session, header: Header) -> int:
        return count_fingerprints(session, header.hashers[0])

    def _count_after(self, session: Session, header: Header, row: int) -> int:
        return count_fingerprints_after(session, header.hashers[0], row)

    def _caught_up(
        self, session: Session, held: Parts, header: Header, last: int, progress: Progress = SILENT, known: int = 0
    ) -> Parts:
        for ids, codes in read_fingerprints(session, header.hashers[0], after=held.through):
            held = held.grown(ids, codes, int(ids[-1]))
            progress.step(self.kind, len(held), max(len(held), known))
        return held.grown(*held.nothing(), through=max(last, held.through))

    def _publish(self, header: Header, held: Parts, gone: Ids, agreed: Agreed) -> Header:
        snapshot = Snapshot(header.hashers[0], header.engine, "", held.through, len(held) - len(gone))
        return self._layout.publish(snapshot, lambda path: held.save(path, gone), agreed)


class FeatureSearcher(Searcher[IvfParts]):
    """The engine of local features."""

    def search(self, queries: Sequence[Features], limit: int) -> list[list[Candidate]]:
        """For each query the ``limit`` most promising pictures, by catalog row id."""
        return self.current().search(queries, limit)

    def publish(self, header: Header, lease: Lease | None = None) -> Header:
        """As of any engine; that the last file is damaged is found while it is read to be written anew."""
        try:
            return super().publish(header, lease)
        except ValueError:
            return self.rebuild(header, lease=lease)

    kind = "features"

    def _loaded(self, header: Header, *, whole: bool = True) -> IvfParts | None:
        return load_features(self._layout, header, verify=whole)

    def _named(self, header: Header) -> Snapshot | None:
        return header.features

    def _empty(self, header: Header) -> IvfParts:
        return IvfParts(registry.codebook(header.codebook), (), 0)

    def _last(self, session: Session) -> int:
        return last_features(session)

    def _count(self, session: Session, header: Header) -> int:
        return count_features(session, header.codebook)

    def _count_after(self, session: Session, header: Header, row: int) -> int:
        return count_features_after(session, header.codebook, row)

    def _caught_up(
        self, session: Session, held: IvfParts, header: Header, last: int, progress: Progress = SILENT, known: int = 0
    ) -> IvfParts:
        waiting: list[tuple[int, Stored]] = []
        for block in read_records(session, header.codebook, after=held.through):
            waiting += [(row, self._unpacked(row, record)) for row, record in block]
            read = len(held) + len(waiting)
            progress.step(self.kind, read, max(read, known))
            if len(waiting) >= _GROWN_AT_ONCE:
                held, waiting = held.grown(waiting, waiting[-1][0]), []
        # More rows than up to `last` may have been there to read by now.
        return held.grown(waiting, max(last, held.through, *(row for row, _ in waiting[-1:])))

    def _unpacked(self, row: int, record: bytes) -> Stored:
        try:
            return unpack(record)
        except ValueError as error:
            raise IndexDamagedError(f"index {self._layout.root}: features {row}: {error}") from None

    def _publish(self, header: Header, held: IvfParts, gone: Ids, agreed: Agreed) -> Header:
        snapshot = Snapshot(header.codebook, FEATURE_ENGINE, "", held.through, len(held) - len(gone))
        return self._layout.publish(snapshot, lambda path: held.save(path, gone), agreed)


def load_fingerprints(layout: Layout, header: Header, *, verify: bool = True) -> Parts | None:
    """The engine file of fingerprints the header names; ``None`` if there is none or it is damaged.

    Its checksums are compared unless ``verify`` is off.
    """
    snapshot = header.snapshot
    kind = registry.engine(header.engine)
    if snapshot is None or snapshot.engine != header.engine or snapshot.of != header.hashers[0]:
        return None
    try:
        held = Parts.load(kind, layout.snapshot_path(snapshot), snapshot.through, verify=verify)
    except ValueError:
        return None
    return held if len(held) == snapshot.size else None


def load_features(layout: Layout, header: Header, *, verify: bool = True) -> IvfParts | None:
    """The engine file of features the header names; ``None`` if there is none or it is damaged.

    It is read from end to end, and its checksums compared, unless ``verify`` is off; then a search would do so.
    """
    snapshot = header.features
    if snapshot is None or snapshot.engine != FEATURE_ENGINE or snapshot.of != header.codebook:
        return None
    codebook = registry.codebook(header.codebook)
    try:
        held = IvfParts.load(codebook, layout.snapshot_path(snapshot), snapshot.through, verify=verify)
    except ValueError:
        return None
    return held if len(held) == snapshot.size else None
