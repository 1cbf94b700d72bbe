"""FAISS's exhaustive binary index, the default: exact, and about a millisecond a query per million fingerprints."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import faiss
import numpy as np

from imgmatch.engines.base import Codes, Hits, Ids
from imgmatch.engines.segments import Segments
from imgmatch.engines.snapshots import checked_arrays
from imgmatch.model import FINGERPRINT_BITS, FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


_WORTH_THREADS = 2_000_000
"""Distances that take longer than waking the other threads."""


@contextmanager
def _threads_for(distances: int) -> Iterator[None]:
    """One thread for little work, the caller's number of threads for much.

    The number is the calling thread's own in OpenMP, not the process's: no other thread sees it change.
    """
    allowed = faiss.omp_get_max_threads()
    if distances < _WORTH_THREADS:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(allowed)


class FlatSegment:
    """What ``IndexBinaryFlat`` searches by, over codes that stay where they are: that index would copy them."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        self._ids, self._codes = checked_arrays(ids, codes)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every stored fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        if max_distance < 0 or len(queries) == 0 or len(self) == 0:
            return Hits.none()
        with _threads_for(len(self) * len(queries)):
            rows, places, distances = self._within(np.ascontiguousarray(queries), max_distance)
        return Hits.sorted(rows, self._ids[places], distances)

    def _within(self, queries: Codes, max_distance: int) -> tuple[NDArray[np.int64], Ids, NDArray[np.int32]]:
        """Of each hit the row of the query, the place of the code, and the distance."""
        found = faiss.RangeSearchResult(len(queries))
        sizes = len(queries), len(self)
        # FAISS's radius is strict and its distances are float32; both stay in this file.
        radius = min(max_distance, FINGERPRINT_BITS) + 1
        pointers = faiss.swig_ptr(queries), faiss.swig_ptr(self._codes)
        # FAISS's stubs leave this function out.
        faiss.hamming_range_search(*pointers, *sizes, radius, FINGERPRINT_BYTES, found)  # type: ignore[attr-defined]
        limits = faiss.rev_swig_ptr(found.lims, len(queries) + 1).astype(np.int64)
        hits = int(limits[-1])
        rows = np.repeat(np.arange(len(queries), dtype=np.int64), np.diff(limits))
        places = faiss.rev_swig_ptr(found.labels, hits).astype(np.int64)
        return rows, places, faiss.rev_swig_ptr(found.distances, hits).astype(np.int32)

    def arrays(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        return self._ids, self._codes


class FlatEngine(Segments):
    """Segments that are searched so."""

    kind = FlatSegment
