"""The engine of an open index, kept in step with the catalog."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog.fingerprints import count_fingerprints, last_fingerprint, read_fingerprints
from imgmatch.engines.parts import Parts
from imgmatch.layout import Header, Layout, Snapshot

if TYPE_CHECKING:
    from imgmatch.catalog.database import Catalog
    from imgmatch.engines.base import Codes, Hits

_LOAD_TRIES = 5


class Searcher:
    """Loads the engine's snapshot and catches up with the catalog before every search.

    Engines may hold fingerprints that the catalog has lost since; what they lead to is looked up there, so such an
    answer leads nowhere.
    """

    def __init__(self, layout: Layout, catalog: Catalog) -> None:
        self._layout = layout
        self._catalog = catalog
        self._growing = threading.Lock()
        self._parts: Parts | None = None
        self._generation = -1

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Fingerprints within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by catalog row id."""
        return self.current().search(queries, max_distance)

    def current(self) -> Parts:
        """The engine with everything the catalog holds now."""
        with self._catalog.read() as connection:
            last = last_fingerprint(connection)
        header = self._layout.header()
        with self._growing:
            if self._parts is None or header.generation != self._generation:
                self._parts, self._generation = self._load()
            if last > self._parts.through:
                self._parts = self._caught_up(self._parts, header.hashers[0], last)
            return self._parts

    def _caught_up(self, parts: Parts, hasher: str, last: int) -> Parts:
        with self._catalog.read() as connection:
            for ids, codes in read_fingerprints(connection, hasher, after=parts.through):
                parts = parts.grown(ids, codes, int(ids[-1]))
        return parts.grown(*parts.nothing(), through=max(last, parts.through))

    def _load(self) -> tuple[Parts, int]:
        # A writer may publish and drop the file between our reading the header and opening the file: look again.
        header = self._layout.header()
        for _ in range(_LOAD_TRIES):
            parts = load_snapshot(self._layout, header)
            again = self._layout.header()
            if parts is not None or again.generation == header.generation:
                break
            header = again
        empty = Parts(registry.engine(header.engine), (), 0)
        return (parts if parts is not None else empty), header.generation

    def is_behind(self, header: Header) -> bool:
        """Whether the catalog holds fingerprints that the snapshot has not looked at."""
        with self._catalog.read() as connection:
            last = last_fingerprint(connection)
        return header.snapshot is None or last > header.snapshot.through

    def publish(self, header: Header) -> Header:
        """Write the engine as the next generation's snapshot, with what the catalog holds and nothing it has lost."""
        parts = self.current()
        with self._catalog.read() as connection:
            known = count_fingerprints(connection, header.hashers[0])
        return self._publish(header, parts) if len(parts) == known else self.rebuild(header)

    def rebuild(self, header: Header) -> Header:
        """Make the engine from the catalog alone and publish it."""
        empty = Parts(registry.engine(header.engine), (), 0)
        with self._catalog.read() as connection:
            last = last_fingerprint(connection)
        return self._publish(header, self._caught_up(empty, header.hashers[0], last))

    def _publish(self, header: Header, parts: Parts) -> Header:
        whole = parts.whole()
        snapshot = Snapshot(header.hashers[0], header.engine, "", parts.through, len(whole))
        published = self._layout.publish(header, snapshot, whole.save)
        with self._growing:
            self._parts, self._generation = Parts(type(whole), (whole,), parts.through), published.generation
        return published


def load_snapshot(layout: Layout, header: Header) -> Parts | None:
    """The engine file the header names; ``None`` if there is none or it is damaged, and must be made anew."""
    snapshot = header.snapshot
    kind = registry.engine(header.engine)
    if snapshot is None or snapshot.engine != header.engine or snapshot.hasher != header.hashers[0]:
        return None
    try:
        engine = kind.load(layout.snapshot_path(snapshot))
    except ValueError:
        return None
    return Parts(kind, (engine,), snapshot.through) if len(engine) == snapshot.size else None
