"""Engines of fingerprints made of segments: unchanging sets side by side, so that readers never wait for a writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from imgmatch.engines.base import Codes, Hits, Ids, Words, refuse_lower
from imgmatch.engines.snapshots import map_arrays, save_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

MOST_SEGMENTS = 8
"""More segments than this are compacted into one; each costs a search a little."""


_AT_ONCE = 1_000_000
"""Fingerprints read at once, 40 MB."""


class Segment(Protocol):
    """A set of fingerprints that never changes."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        """Build from ``ids``, shape (n,), distinct and not negative, and ``codes``, shape (n, 32); neither may change.

        Both may be mapped from a file: what can be searched where it lies is not copied.
        """
        ...

    def __len__(self) -> int: ...

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        ...

    def arrays(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        ...


class Segments:
    """Segments of one kind, searched together; see :class:`imgmatch.engines.base.FingerprintEngine`."""

    kind: ClassVar[type[Segment]]
    """What each segment is."""

    def __init__(self, segments: tuple[Segment, ...] = (), watermark: int = 0, tombstones: Ids | None = None) -> None:
        """``tombstones`` are ids in ``segments`` that are to be found no more, sorted."""
        self._segments = segments
        self._tombstones = np.empty(0, np.int64) if tombstones is None else tombstones
        self._watermark = watermark

    @classmethod
    def empty(cls) -> Self:
        """One that holds nothing and has looked at nothing."""
        return cls()

    @classmethod
    def open(cls, path: Path, watermark: int, *, verify: bool = True) -> Self:
        """Use a file where it lies; its checksums are compared unless ``verify`` is off.

        Raises:
            ValueError: it is missing or damaged.
        """
        return cls((cls.kind(*map_arrays(path, verify=verify)),), watermark)

    @property
    def watermark(self) -> int:
        """Every row with an id up to this one has been looked at."""
        return self._watermark

    def __len__(self) -> int:
        # Of a damaged catalog there may be more tombstones than rows.
        return max(sum(len(segment) for segment in self._segments) - len(self._tombstones), 0)

    def appended(self, rows: tuple[Ids, Codes], watermark: int) -> Self:
        """With more fingerprints, ids and codes, and looked at up to ``watermark``.

        Raises:
            ValueError: ids and codes do not fit each other, or the watermark is lower than it was.
        """
        refuse_lower(watermark, self._watermark)
        ids, codes = rows
        segments = (*self._segments, self.kind(ids, codes)) if len(ids) else self._segments
        if len(segments) > MOST_SEGMENTS:
            # The first segment is the large one: leave it be until the rest has grown to its size.
            keep = 1 if len(segments[0]) > sum(len(segment) for segment in segments[1:]) else 0
            segments = (*segments[:keep], self._compacted(segments[keep:]))
        return type(self)(segments, watermark, self._tombstones)

    def _compacted(self, segments: tuple[Segment, ...]) -> Segment:
        arrays = [segment.arrays() for segment in segments]
        return self.kind(np.concatenate([ids for ids, _ in arrays]), np.concatenate([codes for _, codes in arrays]))

    def removed(self, ids: Ids) -> Self:
        """Without these rows, of which it holds each."""
        return type(self)(self._segments, self._watermark, np.union1d(self._tombstones, ids))

    def cleared(self) -> Self:
        """The same in memory alone, without a byte of what was removed."""
        kept = [~np.isin(segment.arrays()[0], self._tombstones) for segment in self._segments]
        if not kept:
            return type(self)((), self._watermark)
        columns = zip(*(segment.arrays() for segment in self._segments), strict=True)
        ids, codes = (np.concatenate([some[mask] for some, mask in zip(c, kept, strict=True)]) for c in columns)
        return type(self)((self.kind(ids, codes),), self._watermark)

    def loaded(self) -> Self:
        """The same in memory alone: its file may be removed, or change."""
        copies = [self.kind(*map(np.array, segment.arrays())) for segment in self._segments]
        return type(self)(tuple(copies), self._watermark, self._tombstones)

    def contents(self) -> Iterator[tuple[Ids, Words]]:
        """All that it holds, in blocks: row ids, shape (n,), and fingerprints as words, shape (n, 4)."""
        for ids, codes in (segment.arrays() for segment in self._segments):
            for at in range(0, len(ids), _AT_ONCE):
                some = slice(at, at + _AT_ONCE)
                kept = ~np.isin(ids[some], self._tombstones)
                yield ids[some][kept], codes[some][kept].view(np.uint64)

    def save(self, path: Path) -> None:
        """Write all segments as one file, without what was removed."""
        save_arrays(path, [segment.arrays() for segment in self._segments], self._tombstones)

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        found = [self._present(segment.search(queries, max_distance)) for segment in self._segments]
        return found[0] if len(found) == 1 else Hits.merged(found)

    def _present(self, hits: Hits) -> Hits:
        if not len(self._tombstones):
            return hits
        kept = ~np.isin(hits.ids, self._tombstones)
        return Hits(hits.queries[kept], hits.ids[kept], hits.distances[kept])
