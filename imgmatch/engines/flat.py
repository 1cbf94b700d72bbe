"""FAISS's exhaustive binary index, the default: exact, and about a millisecond a query per million fingerprints."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import faiss
import numpy as np

from imgmatch.engines.base import Codes, Hits, Ids, checked
from imgmatch.engines.snapshots import load_arrays, save_arrays
from imgmatch.model import FINGERPRINT_BITS, FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self


_WORTH_THREADS = 2_000_000
"""Distances that take longer than waking the other threads."""


@contextmanager
def _threads_for(distances: int) -> Iterator[None]:
    """One thread for little work, the caller's number of threads for much."""
    allowed = faiss.omp_get_max_threads()
    if distances < _WORTH_THREADS:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(allowed)


class FlatEngine:
    """``IndexBinaryFlat`` under ids."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        ids, codes = checked(ids, codes)
        self._codes = faiss.IndexBinaryFlat(FINGERPRINT_BITS)
        self._index = faiss.IndexBinaryIDMap(self._codes)
        self._index.add_with_ids(codes, ids)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every stored fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        if max_distance < 0 or len(queries) == 0:
            return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))
        # FAISS's radius is strict and its distances are float32; both stay in this file.
        with _threads_for(len(self) * len(queries)):
            limits, distances, ids = self._index.range_search(np.ascontiguousarray(queries), max_distance + 1)
        counts = np.diff(limits.astype(np.int64))
        rows = np.repeat(np.arange(len(queries), dtype=np.int64), counts)
        return Hits.sorted(rows, ids.astype(np.int64), distances.astype(np.int32))

    def contents(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        # FAISS's stubs leave xb out.
        codes = faiss.vector_to_array(self._codes.xb).reshape(-1, FINGERPRINT_BYTES)  # type: ignore[attr-defined]
        return faiss.vector_to_array(self._index.id_map).astype(np.int64), codes

    def save(self, path: Path) -> None:
        """Write ids and codes."""
        save_arrays(path, *self.contents())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read ids and codes; raises ValueError if the file is not whole."""
        return cls(*load_arrays(path))
