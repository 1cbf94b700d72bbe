"""The engine of local features: which pictures share descriptors with a query.

FAISS knows the codes as an inverted file scanned in registers (IVF4096,PQ32x4fs, or IVF65536,PQ32x4fs). FAISS spends
eight bytes on an id, far more than pictures need: the low 24 bits hold the point's place, scale and angle, so that
votes can be weighed by geometry without reading anything (see ``votes``). 100 points take 2.4 KB of memory. Everything
is made from the records in the catalog: nothing is trained and no photo is read again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from imgmatch.engines.base import Candidate, Words, refuse_lower
from imgmatch.engines.neighbours import Neighbours, nearest_codes
from imgmatch.engines.packed import are_worth_it, nearest_packed, packed
from imgmatch.engines.postings import I64, PIECE, Postings, compacted, piece_of, save_postings
from imgmatch.engines.votes import GEOMETRY_BITS
from imgmatch.engines.voting import AT_ONCE, CUT, NEIGHBOURS, Probes, candidates
from imgmatch.features.codebook import F32, Codebook, floats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from imgmatch.engines.scanning import PackedLists
    from imgmatch.features.extract import Features
    from imgmatch.features.record import Stored


class IvfSegment:
    """A set of codes that never changes, so that any number of threads may search it; built when it is first asked."""

    def __init__(self, codebook: Codebook, postings: Postings) -> None:
        self.postings = postings
        self._codebook = codebook
        self._built: Any = None
        self._packed: PackedLists | None = None
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

    def packed(self) -> PackedLists | None:
        """The codes for compiled loops, in place of FAISS's index.

        ``None`` where that is there already and the file it was made of is not, which a newer generation has replaced;
        raises ValueError as `build` does.
        """
        with self._building:
            if self._packed is None:
                try:
                    every = (piece.sizes for piece in self.postings.pieces())
                    sizes = sum(every, np.zeros(self._codebook.lists, np.int64))
                    self._packed, self._built = packed(self.postings.pieces(), sizes), None
                except ValueError:
                    if self._built is None:
                        raise
            return self._packed

    def nearest(self, vectors: F32, far: F32, lists: I64, count: int) -> tuple[F32, I64]:
        """Squared distances and ids, both (n, count), in lists (n, probes) chosen already; -1 where none is."""
        distances, ids = np.empty((len(vectors), count), np.float32), np.empty((len(vectors), count), np.int64)
        vectors, far = (np.ascontiguousarray(array, np.float32) for array in (vectors, far))
        lists = np.ascontiguousarray(lists, np.int64)
        # How many lists are read goes with each call: FAISS's own wrapper takes it from the index, which threads share.
        parameters: Any = faiss.SearchParametersIVF  # FAISS's own stubs know no arguments
        read = parameters(nprobe=lists.shape[1])
        given, *others = (faiss.swig_ptr(array) for array in (vectors, lists, far, distances, ids))
        self.build().search_preassigned_c(len(vectors), given, count, *others, False, read)  # noqa: FBT003 -- FAISS's
        return distances, ids


class IvfEngine:
    """Segments searched together; see :class:`imgmatch.engines.base.FeatureEngine`."""

    def __init__(
        self, codebook: Codebook, segments: tuple[IvfSegment, ...] = (), watermark: int = 0, removed: int = 0
    ) -> None:
        """``removed`` of the pictures that the segments count are gone."""
        self._codebook = codebook
        self._segments = segments
        self._watermark = watermark
        self._removed = removed

    @classmethod
    def empty(cls, codebook: Codebook) -> Self:
        """One that holds nothing and has looked at nothing."""
        return cls(codebook)

    @classmethod
    def open(cls, codebook: Codebook, path: Path, watermark: int, *, verify: bool = True) -> Self:
        """Build from a file; without ``verify`` only when it is first searched.

        Raises:
            ValueError: it is missing or damaged.
        """
        segment = IvfSegment(codebook, Postings.open(path, codebook.lists))
        if verify:
            segment.build()
        return cls(codebook, (segment,), watermark)

    @property
    def watermark(self) -> int:
        """Every row with an id up to this one has been looked at."""
        return self._watermark

    def __len__(self) -> int:
        # Of a damaged catalog there may be more tombstones than pictures.
        return max(sum(len(segment) for segment in self._segments) - self._removed, 0)

    def appended(self, rows: Sequence[tuple[int, Stored]], watermark: int) -> Self:
        """With the records of more pictures, each under its row id, and looked at up to ``watermark``.

        Raises:
            ValueError: the watermark is lower than it was.
        """
        refuse_lower(watermark, self._watermark)
        segments = list(self._segments)
        if rows:
            lists = self._codebook.lists
            segments.append(IvfSegment(self._codebook, Postings((piece_of(rows, lists),), len(rows), lists)))
        # As a counter carries: each picture is compacted few times, and few segments are left. What is on disk stays.
        while len(segments) > 1 and segments[-2].postings.path is None and len(segments[-2]) <= len(segments[-1]):
            segments[-2:] = [IvfSegment(self._codebook, compacted([one.postings for one in segments[-2:]]))]
        return type(self)(self._codebook, tuple(segments), watermark, self._removed)

    def removed(self, ids: I64) -> Self:
        """Without these pictures, of which it holds each; what is searched then is built anew."""
        segments = [IvfSegment(self._codebook, segment.postings.without(ids)) for segment in self._segments]
        return type(self)(self._codebook, tuple(segments), self._watermark, self._removed + len(ids))

    def cleared(self) -> Self:
        """The same in memory alone, without a byte of what was removed."""
        parts = [segment.postings for segment in self._segments]
        if not parts:
            return type(self)(self._codebook, (), self._watermark)
        whole = compacted(parts)
        postings = Postings(tuple(whole.pieces()), len(self), self._codebook.lists)
        return type(self)(self._codebook, (IvfSegment(self._codebook, postings),), self._watermark)

    def loaded(self) -> Self:
        """The same in memory alone: its file may be removed, or change.

        Raises:
            ValueError: the file of the postings is damaged.
        """
        segments = [IvfSegment(self._codebook, segment.postings.loaded()) for segment in self._segments]
        return type(self)(self._codebook, tuple(segments), self._watermark, self._removed)

    def contents(self) -> Iterator[tuple[I64, Words]]:
        """All that it holds, in blocks: row ids, shape (n,), and list, place and code of each point, shape (n, 4).

        Raises:
            ValueError: the file of the postings is damaged.
        """
        for segment in self._segments:
            for piece in segment.postings.pieces():
                lists = np.repeat(np.arange(len(piece.sizes), dtype=np.uint64), piece.sizes)
                for at in range(0, len(lists), PIECE):
                    some = slice(at, at + PIECE)
                    ids, codes = piece.ids[some], np.ascontiguousarray(piece.codes[some]).view(np.uint64)
                    yield ids >> GEOMETRY_BITS, np.column_stack([lists[some], ids.view(np.uint64), codes])

    def save(self, path: Path) -> None:
        """Write all segments as one file, without what was removed."""
        save_postings(path, [segment.postings for segment in self._segments], self._codebook.lists, len(self))

    def search(self, queries: Sequence[Features], limit: int, least: float = 0.0) -> list[list[Candidate]]:
        """For each query, as given and mirrored, the ``limit`` pictures with most votes, ``least`` or more."""
        if not self._segments:
            return [[] for _ in queries]
        return candidates(self._codebook, self.nearest, queries, limit, least)

    def nearest(self, probes: Probes) -> Neighbours:
        """Of each descriptor the codes nearest to it; see :class:`imgmatch.engines.base.FeatureEngine`."""
        if not self._segments:
            return Neighbours.merged([], NEIGHBOURS)
        if probes.lists.size and are_worth_it(len(probes)) and probes.lists.min() >= 0:
            return self._nearest_packed(probes)
        return self._nearest_built(probes, self._segments)

    def _nearest_packed(self, probes: Probes) -> Neighbours:
        every = [(segment, segment.packed()) for segment in self._segments]
        lists = [codes for _, codes in every if codes is not None]
        vectors = floats(probes.descriptors)
        found = nearest_packed(lists, self._codebook, vectors, probes.lists, count=NEIGHBOURS, cut=CUT)
        rest = tuple(segment for segment, codes in every if codes is None)
        return Neighbours.merged([found, self._nearest_built(probes, rest)], NEIGHBOURS) if rest else found

    def _nearest_built(self, probes: Probes, segments: tuple[IvfSegment, ...]) -> Neighbours:
        """By FAISS, of some of the segments."""
        starts = range(0, len(probes), max(AT_ONCE // max(probes.lists.shape[1], 1), 1))
        found = [self._some_nearest(probes.between(at, at + starts.step), segments) for at in starts]
        return Neighbours(
            np.concatenate([some.queries + start for some, start in zip(found, starts, strict=True)]),
            np.concatenate([some.ids for some in found]),
            np.concatenate([some.distances for some in found]),
        )

    @staticmethod
    def _some_nearest(probes: Probes, segments: tuple[IvfSegment, ...]) -> Neighbours:
        vectors = floats(probes.descriptors)
        return nearest_codes(segments, vectors, probes.far, probes.lists, count=NEIGHBOURS, cut=CUT)
