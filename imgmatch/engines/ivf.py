"""The engine: which stored photos share descriptors with a query. FAISS is known here and in `codebook` only.

Codes sit in an inverted file scanned in registers (IVF4096,PQ32x4fs). FAISS spends eight bytes on an id, far more
than photos need: the low 24 bits hold the point's place, scale and angle, so that votes can be weighed by geometry
without reading anything (see `votes`). 100 points take 2.4 KB of memory. Everything is made
from `Stored` records: nothing is trained and no photo is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import numpy.typing as npt

from imgmatch.features.codebook import F32, Codebook, floats
from imgmatch.features.votes import GEOMETRY_BITS, Votes, geometry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored

BATCH = 20_000  # photos added at a time

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that received votes. photo: its number. votes: weight. mirrored: whether the mirrored query won."""

    photo: int
    votes: float
    mirrored: bool


class Ivf:
    """An index over feature records."""

    def __init__(self, codebook: Codebook, *, probes: int = 8, neighbours: int = 10, cut: float = 0.55) -> None:
        """probes: lists read a descriptor. neighbours: hits kept. cut: largest squared distance that counts."""
        self._codebook = codebook
        self._index: Any = faiss.IndexIVFPQFastScan(codebook.empty_index())
        self._index.nprobe = probes
        self._probes, self._neighbours, self._cut = probes, neighbours, cut

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, photos: Iterable[tuple[int, Stored]]) -> None:
        """Add records under their photo numbers."""
        batch: list[tuple[int, Stored]] = []
        for item in photos:
            batch.append(item)
            if len(batch) == BATCH:
                self._add(batch)
                batch = []
        if batch:
            self._add(batch)

    def _add(self, batch: list[tuple[int, Stored]]) -> None:
        ids = np.concatenate([(np.int64(photo) << GEOMETRY_BITS) | geometry(s.points) for photo, s in batch])
        lists = np.concatenate([s.lists for _, s in batch]).astype(np.int64)
        codes = np.concatenate([s.codes for _, s in batch])
        order = np.argsort(lists, kind="stable")
        ids, codes = np.ascontiguousarray(ids[order]), np.ascontiguousarray(codes[order])
        part = self._codebook.empty_index()
        numbers, starts, counts = np.unique(lists[order], return_index=True, return_counts=True)
        for number, start, count in zip(numbers.tolist(), starts.tolist(), counts.tolist(), strict=True):
            part.invlists.add_entries(number, count, faiss.swig_ptr(ids[start:]), faiss.swig_ptr(codes[start:]))
        part.ntotal = len(ids)
        self._index.merge_from(faiss.IndexIVFPQFastScan(part), 0)

    def search(self, query: Features, limit: int) -> list[Candidate]:
        """The `limit` photos with most votes, best first; the query is asked as it is and mirrored."""
        if not len(self) or not len(query):
            return []
        both = np.concatenate([query.descriptors, query.mirrored().descriptors])
        distances, ids = self._nearest(floats(both))
        row, column = np.nonzero((ids >= 0) & (distances < self._cut))
        points = np.concatenate([query.points, query.mirrored().points])
        mirrored = np.arange(len(points)) >= len(query)
        keys, votes = Votes(ids[row, column], self._cut - distances[row, column], row, points, mirrored).ranked()
        return [
            Candidate(int(key) // 2, float(vote), bool(key % 2))
            for key, vote in zip(keys[:limit].tolist(), votes[:limit].tolist(), strict=True)
        ]

    def _nearest(self, vectors: F32) -> tuple[F32, I64]:
        far, lists = self._codebook.nearest(vectors, self._probes)
        distances, ids = self._index.search_preassigned(vectors, self._neighbours, lists, far)
        return distances, ids
