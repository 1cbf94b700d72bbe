"""Compare with every stored fingerprint: slow, obviously right, the oracle of every other engine."""

from __future__ import annotations

import numpy as np

from imgmatch.engines.base import Codes, Hits, Ids
from imgmatch.engines.segments import Segments
from imgmatch.engines.snapshots import checked_arrays


class LinearSegment:
    """Exclusive or and a count of bits, one query at a time."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        self._ids, self._codes = checked_arrays(ids, codes)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every stored fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        rows, ids, distances = [], [], []
        for row, query in enumerate(queries):
            bits = np.bitwise_count(self._codes ^ query).sum(axis=1, dtype=np.int32)
            near = np.flatnonzero(bits <= max_distance)
            rows.append(np.full(len(near), row, dtype=np.int64))
            ids.append(self._ids[near])
            distances.append(bits[near])
        if not rows:
            return Hits.none()
        return Hits.sorted(np.concatenate(rows), np.concatenate(ids), np.concatenate(distances))

    def arrays(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        return self._ids, self._codes


class LinearEngine(Segments):
    """Segments that are searched so."""

    kind = LinearSegment
