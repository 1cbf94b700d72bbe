"""The engines of an open index, kept in step with the catalog."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from imgmatch import registry
from imgmatch.catalog.features import count_features, last_features, read_records
from imgmatch.catalog.fingerprints import count_fingerprints, last_fingerprint, read_fingerprints
from imgmatch.engines.ivf import IvfParts
from imgmatch.engines.parts import Parts
from imgmatch.errors import IndexDamagedError
from imgmatch.features.record import unpack
from imgmatch.layout import Header, Layout, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from imgmatch.catalog.database import Catalog
    from imgmatch.engines.base import Codes, Hits
    from imgmatch.engines.ivf import Candidate
    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored

FEATURE_ENGINE = "ivf"

_LOAD_TRIES = 5
_GROWN_AT_ONCE = 40_000  # pictures, about 100 MB


class _Engine(Protocol):
    through: int

    def __len__(self) -> int: ...


Held = TypeVar("Held", bound=_Engine)


class Searcher(ABC, Generic[Held]):
    """Loads an engine's snapshot and catches up with the catalog before every search.

    Engines may hold rows that the catalog has lost since; what they lead to is looked up there, so such an answer
    leads nowhere.
    """

    def __init__(self, layout: Layout, catalog: Catalog) -> None:
        self._layout = layout
        self._catalog = catalog
        self._growing = threading.Lock()
        self._held: Held | None = None
        self._snapshot: Snapshot | None = None

    def current(self) -> Held:
        """The engine with everything the catalog holds now."""
        with self._catalog.read() as connection:
            last = self._last(connection)
        header = self._layout.header()
        with self._growing:
            if self._held is None or self._named(header) != self._snapshot:
                self._held, self._snapshot = self._load()
            if last > self._held.through:
                self._held = self._caught_up(self._held, header, last)
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

    def is_behind(self, header: Header) -> bool:
        """Whether the catalog holds rows that the snapshot has not looked at."""
        with self._catalog.read() as connection:
            last = self._last(connection)
        snapshot = self._named(header)
        return snapshot is None or last > snapshot.through

    def publish(self, header: Header) -> Header:
        """Write the engine as the next generation's snapshot, with what the catalog holds and nothing it has lost."""
        held = self.current()
        with self._catalog.read() as connection:
            known = self._count(connection, header)
        return self._publish(header, held) if len(held) == known else self.rebuild(header)

    def rebuild(self, header: Header) -> Header:
        """Make the engine from the catalog alone and publish it."""
        with self._catalog.read() as connection:
            last = self._last(connection)
        return self._publish(header, self._caught_up(self._empty(header), header, last))

    @abstractmethod
    def _loaded(self, header: Header) -> Held | None: ...

    @abstractmethod
    def _named(self, header: Header) -> Snapshot | None: ...

    @abstractmethod
    def _empty(self, header: Header) -> Held: ...

    @abstractmethod
    def _last(self, connection: Connection) -> int: ...

    @abstractmethod
    def _count(self, connection: Connection, header: Header) -> int: ...

    @abstractmethod
    def _caught_up(self, held: Held, header: Header, last: int) -> Held: ...

    @abstractmethod
    def _publish(self, header: Header, held: Held) -> Header: ...


class FingerprintSearcher(Searcher[Parts]):
    """The engine of the first hasher's fingerprints."""

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Fingerprints within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by catalog row id."""
        return self.current().search(queries, max_distance)

    def _loaded(self, header: Header) -> Parts | None:
        return load_fingerprints(self._layout, header)

    def _named(self, header: Header) -> Snapshot | None:
        return header.snapshot

    def _empty(self, header: Header) -> Parts:
        return Parts(registry.engine(header.engine), (), 0)

    def _last(self, connection: Connection) -> int:
        return last_fingerprint(connection)

    def _count(self, connection: Connection, header: Header) -> int:
        return count_fingerprints(connection, header.hashers[0])

    def _caught_up(self, held: Parts, header: Header, last: int) -> Parts:
        with self._catalog.read() as connection:
            for ids, codes in read_fingerprints(connection, header.hashers[0], after=held.through):
                held = held.grown(ids, codes, int(ids[-1]))
        return held.grown(*held.nothing(), through=max(last, held.through))

    def _publish(self, header: Header, held: Parts) -> Header:
        whole = held.whole()
        snapshot = Snapshot(header.hashers[0], header.engine, "", held.through, len(whole))
        published = self._layout.publish(header, snapshot, whole.save)
        with self._growing:
            self._held, self._snapshot = Parts(type(whole), (whole,), held.through), published.snapshot
        return published


class FeatureSearcher(Searcher[IvfParts]):
    """The engine of local features."""

    def search(self, queries: Sequence[Features], limit: int) -> list[list[Candidate]]:
        """For each query the ``limit`` most promising pictures, by catalog row id."""
        return self.current().search(queries, limit)

    def publish(self, header: Header) -> Header:
        """As of any engine; what was loaded is read again from its file, which may have been damaged since."""
        try:
            return super().publish(header)
        except ValueError:
            return self.rebuild(header)

    def _loaded(self, header: Header) -> IvfParts | None:
        return load_features(self._layout, header)

    def _named(self, header: Header) -> Snapshot | None:
        return header.features

    def _empty(self, header: Header) -> IvfParts:
        return IvfParts(registry.codebook(header.codebook), (), 0)

    def _last(self, connection: Connection) -> int:
        return last_features(connection)

    def _count(self, connection: Connection, header: Header) -> int:
        return count_features(connection, header.codebook)

    def _caught_up(self, held: IvfParts, header: Header, last: int) -> IvfParts:
        waiting: list[tuple[int, Stored]] = []
        with self._catalog.read() as connection:
            for block in read_records(connection, header.codebook, after=held.through):
                waiting += [(row, self._unpacked(row, record)) for row, record in block]
                if len(waiting) >= _GROWN_AT_ONCE:
                    held, waiting = held.grown(waiting, waiting[-1][0]), []
        # More rows than up to `last` may have been there to read by now.
        return held.grown(waiting, max(last, held.through, *(row for row, _ in waiting[-1:])))

    def _unpacked(self, row: int, record: bytes) -> Stored:
        try:
            return unpack(record)
        except ValueError as error:
            raise IndexDamagedError(f"index {self._layout.root}: features {row}: {error}") from None

    def _publish(self, header: Header, held: IvfParts) -> Header:
        snapshot = Snapshot(header.codebook, FEATURE_ENGINE, "", held.through, len(held))
        published = self._layout.publish(header, snapshot, held.save)
        loaded = self._loaded(published)  # what was in memory beside FAISS is on disk now
        with self._growing:
            self._held, self._snapshot = held if loaded is None else loaded, published.features
        return published


def load_fingerprints(layout: Layout, header: Header) -> Parts | None:
    """The engine file of fingerprints the header names; ``None`` if there is none or it is damaged."""
    snapshot = header.snapshot
    kind = registry.engine(header.engine)
    if snapshot is None or snapshot.engine != header.engine or snapshot.of != header.hashers[0]:
        return None
    try:
        engine = kind.load(layout.snapshot_path(snapshot))
    except ValueError:
        return None
    return Parts(kind, (engine,), snapshot.through) if len(engine) == snapshot.size else None


def load_features(layout: Layout, header: Header) -> IvfParts | None:
    """The engine file of features the header names; ``None`` if there is none or it is damaged."""
    snapshot = header.features
    if snapshot is None or snapshot.engine != FEATURE_ENGINE or snapshot.of != header.codebook:
        return None
    try:
        held = IvfParts.load(registry.codebook(header.codebook), layout.snapshot_path(snapshot), snapshot.through)
    except ValueError:
        return None
    return held if len(held) == snapshot.size else None
