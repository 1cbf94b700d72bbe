"""The engine of local features: which pictures share descriptors with a query.

FAISS knows the codes as an inverted file scanned in registers (IVF4096,PQ32x4fs). FAISS spends eight bytes on an id,
far more than pictures need: the low 24 bits hold the point's place, scale and angle, so that votes can be weighed by
geometry without reading anything (see ``votes``). 100 points take 2.4 KB of memory. Everything is made from the records
in the catalog: nothing is trained and no photo is read again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from imgmatch.engines.neighbours import Neighbours, nearest_codes
from imgmatch.engines.postings import I64, Postings, melted, piece_of, save_postings
from imgmatch.engines.votes import Votes
from imgmatch.features.codebook import F32, Codebook, floats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored

PROBES = 8
"""Lists read for one descriptor."""

NEIGHBOURS = 10
"""Hits kept for one descriptor."""

AT_ONCE = 2048
"""Descriptors searched at once: FAISS makes 16 KB of tables for each."""

CUT = 0.55
"""Largest squared distance of unit descriptors that counts."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that received votes.

    Attributes:
        row: its row id.
        votes: their weight.
        mirrored: whether the mirrored query won them.
    """

    row: int
    votes: float
    mirrored: bool


class Ivf:
    """A set of codes that never changes, so that any number of threads may search it; built when it is first asked."""

    def __init__(self, codebook: Codebook, postings: Postings) -> None:
        self.postings = postings
        self._codebook = codebook
        self._built: Any = None
        self._building = threading.Lock()

    def __len__(self) -> int:
        return self.postings.pictures

    def build(self) -> Any:  # noqa: ANN401 -- FAISS's own stubs describe the C++ signatures
        """FAISS's index; raises ValueError where the file of the postings is damaged."""
        with self._building:
            if self._built is None:
                self._built = self._made()
            return self._built

    def _made(self) -> Any:  # noqa: ANN401 -- FAISS's own stubs describe the C++ signatures
        index: Any = faiss.IndexIVFPQFastScan(self._codebook.empty_index())
        index.nprobe = PROBES
        for piece in self.postings.pieces():
            part = self._codebook.empty_index()
            start = 0
            for number in np.flatnonzero(piece.sizes).tolist():
                count = int(piece.sizes[number])
                ids, codes = piece.ids[start:], piece.codes[start:]
                part.invlists.add_entries(number, count, faiss.swig_ptr(ids), faiss.swig_ptr(codes))
                start += count
            part.ntotal = start
            index.merge_from(faiss.IndexIVFPQFastScan(part), 0)
        return index

    def nearest(self, vectors: F32, far: F32, lists: I64, count: int) -> tuple[F32, I64]:
        """Squared distances and ids, both (n, count), in lists (n, PROBES) chosen already; -1 where none is."""
        distances, ids = self.build().search_preassigned(vectors, count, lists, far)
        return distances, ids


class IvfParts:
    """Parts searched together. Unchanging itself: :meth:`grown` gives a new one.

    Attributes:
        through: row ids up to this one have been looked at.
    """

    def __init__(self, codebook: Codebook, parts: tuple[Ivf, ...], through: int) -> None:
        self._codebook = codebook
        self._parts = parts
        self.through = through

    @classmethod
    def load(cls, codebook: Codebook, path: Path, through: int, *, verify: bool = True) -> Self:
        """Build from a file; without ``verify`` only when it is first searched.

        Raises:
            ValueError: it is missing or damaged.
        """
        part = Ivf(codebook, Postings.open(path, codebook.lists))
        if verify:
            part.build()
        return cls(codebook, (part,), through)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def grown(self, records: Sequence[tuple[int, Stored]], through: int) -> Self:
        """With the records of more pictures, each under its row id, and looked at up to ``through``."""
        parts = list(self._parts)
        if records:
            lists = self._codebook.lists
            parts.append(Ivf(self._codebook, Postings((piece_of(records, lists),), len(records), lists)))
        # As a counter carries: each picture is melted few times, and few parts are left. What is on disk is left be.
        while len(parts) > 1 and parts[-2].postings.path is None and len(parts[-2]) <= len(parts[-1]):
            parts[-2:] = [self._melted(parts[-2:])]
        return type(self)(self._codebook, tuple(parts), through)

    def _melted(self, parts: Sequence[Ivf]) -> Ivf:
        return Ivf(self._codebook, melted([part.postings for part in parts]))

    def save(self, path: Path, without: I64 | None = None) -> None:
        """Write all parts as one file, but for the pictures with the row ids ``without``, which are known here."""
        gone = np.empty(0, np.int64) if without is None else without
        postings = [part.postings.without(gone) if len(gone) else part.postings for part in self._parts]
        save_postings(path, postings, self._codebook.lists, len(self) - len(gone))

    def search(self, queries: Sequence[Features], limit: int) -> list[list[Candidate]]:
        """For each query the ``limit`` pictures with most votes, best first; it is asked as it is and mirrored."""
        asked = [query for query in queries if len(query)]
        if not asked or not self._parts:
            return [[] for _ in queries]
        sides = [(query, query.mirrored()) for query in asked]
        vectors = floats(np.concatenate([side.descriptors for both in sides for side in both]))
        found = self._nearest(vectors)
        answers, start = [], 0
        for both in sides:
            end = start + len(both[0]) + len(both[1])
            answers.append(_candidates(both, _rows_between(found, start, end), limit))
            start = end
        ranked = iter(answers)
        return [next(ranked) if len(query) else [] for query in queries]

    def _nearest(self, vectors: F32) -> Neighbours:
        found = [self._some_nearest(vectors[at : at + AT_ONCE]) for at in range(0, len(vectors), AT_ONCE)]
        starts = range(0, len(vectors), AT_ONCE)
        return Neighbours(
            np.concatenate([some.queries + start for some, start in zip(found, starts, strict=True)]),
            np.concatenate([some.ids for some in found]),
            np.concatenate([some.distances for some in found]),
        )

    def _some_nearest(self, vectors: F32) -> Neighbours:
        far, lists = self._codebook.nearest(vectors, PROBES)
        return nearest_codes(self._parts, vectors, far, lists, count=NEIGHBOURS, cut=CUT)


def _rows_between(found: Neighbours, start: int, end: int) -> Neighbours:
    """Those of the descriptors from ``start`` to ``end``, counted from ``start``."""
    span = slice(*np.searchsorted(found.queries, [start, end]).tolist())
    return Neighbours(found.queries[span] - start, found.ids[span], found.distances[span])


def _candidates(both: tuple[Features, Features], found: Neighbours, limit: int) -> list[Candidate]:
    points = np.concatenate([side.points for side in both])
    mirrored = np.arange(len(points)) >= len(both[0])
    keys, votes = Votes(found.ids, CUT - found.distances, found.queries, points, mirrored).ranked()
    best: dict[int, Candidate] = {}
    for key, vote in zip(keys.tolist(), votes.tolist(), strict=True):
        if len(best) == limit:
            break
        best.setdefault(key // 2, Candidate(key // 2, vote, bool(key % 2)))
    return list(best.values())
