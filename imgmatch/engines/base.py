"""The contracts of engines: of fingerprints, and of local features.

An engine is derived from the catalog and knows row ids and bits, nothing of photos. It never changes: what adds or
removes gives a new engine, so that any number of threads may search one while another is made. ``tests/contracts``
holds every engine of the registry to its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgmatch.features.record import Stored

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from imgmatch.engines.neighbours import Neighbours
    from imgmatch.engines.voting import Probes
    from imgmatch.features.codebook import Codebook
    from imgmatch.features.extract import Features

Ids = NDArray[np.int64]
"""Shape (n,), dtype int64."""

Codes = NDArray[np.uint8]
"""Fingerprints, shape (n, 32), dtype uint8."""

Words = NDArray[np.uint64]
"""Shape (n, k), dtype uint64: any bytes, in eights."""

RowsT_contra = TypeVar("RowsT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Hits:
    """What a range search found: three arrays of shape (h,), sorted by query, then distance, then id.

    Attributes:
        queries: which row of the queries, dtype int64.
        ids: which stored id, dtype int64.
        distances: Hamming distance in bits, dtype int32.
    """

    queries: NDArray[np.int64]
    ids: Ids
    distances: NDArray[np.int32]

    @classmethod
    def sorted(cls, queries: NDArray[np.int64], ids: Ids, distances: NDArray[np.int32]) -> Self:
        """Hits in their one order, from hits in any order."""
        order = np.lexsort((ids, distances, queries))
        return cls(queries[order], ids[order], distances[order])

    @classmethod
    def merged(cls, parts: Sequence[Hits]) -> Self:
        """What was found in different parts of one set, as a search of the whole would give it."""
        columns = (np.int64, "queries"), (np.int64, "ids"), (np.int32, "distances")
        return cls.sorted(
            *(np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)]) for kind, name in columns)
        )

    @classmethod
    def none(cls) -> Self:
        """No hits."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that shares features with a query, not yet verified.

    Attributes:
        row: its row id.
        votes: the weight of the features they share.
        mirrored: whether the mirrored query won them.
    """

    row: int
    votes: float
    mirrored: bool


class Engine(Protocol[RowsT_contra]):
    """What engines of fingerprints and of features have in common."""

    @property
    def watermark(self) -> int:
        """Every row with an id up to this one has been looked at: it is held, or it was not there to be held."""
        ...

    def __len__(self) -> int: ...

    def appended(self, rows: RowsT_contra, watermark: int) -> Self:
        """With more rows, whose ids it does not hold yet, and with every row looked at up to ``watermark``.

        Raises:
            ValueError: ``watermark`` is lower than it was: rows between the two would be skipped, or held twice.
        """
        ...

    def removed(self, ids: Ids) -> Self:
        """Without these rows, of which it holds each: they are found no more, and not saved."""
        ...

    def cleared(self) -> Self:
        """The same, held in memory alone, without a byte of what was removed."""
        ...

    def loaded(self) -> Self:
        """The same, held in memory alone: the file it was opened from may be removed.

        Raises:
            ValueError: the file is damaged.
        """
        ...

    def contents(self) -> Iterator[tuple[Ids, Words]]:
        """All that it holds, in blocks: row ids, shape (n,), and what is held under each, shape (n, k).

        A row may come several times. The same rows always give the same pairs, in whatever order.

        Raises:
            ValueError: its file is damaged.
        """
        ...

    def save(self, path: Path) -> None:
        """Write one file that it can be opened from, an archive of arrays.

        Whoever names the file keeps the watermark, and adds its token.
        """
        ...


class FingerprintEngine(Engine[tuple[Ids, Codes]], Protocol):
    """A set of fingerprints under row ids, not negative, which are appended as ids, (n,), and codes, (n, 32)."""

    @classmethod
    def empty(cls) -> Self:
        """One that holds nothing and has looked at nothing."""
        ...

    @classmethod
    def open(cls, path: Path, watermark: int, *, verify: bool = True) -> Self:
        """What was saved; its checksums are compared unless ``verify`` is off.

        The file must not change while the engine is in use; it may be deleted.

        Raises:
            ValueError: it is missing, damaged or of another kind.
        """
        ...

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        ...


class FeatureEngine(Engine[Sequence[tuple[int, Stored]]], Protocol):
    """The local features of a set of pictures, which are appended as row ids with their records."""

    @classmethod
    def empty(cls, codebook: Codebook) -> Self:
        """One that holds nothing and has looked at nothing, for records coded by ``codebook``."""
        ...

    @classmethod
    def open(cls, codebook: Codebook, path: Path, watermark: int, *, verify: bool = True) -> Self:
        """What was saved, with records coded by ``codebook``; unless ``verify`` is off, it is read from end to end.

        The file must be there, unchanged, as long as the engine is saved or searched for the first time.

        Raises:
            ValueError: it is missing, damaged or of another kind. Without ``verify`` a search or :meth:`save` may say
                so later.
        """
        ...

    def search(self, queries: Sequence[Features], limit: int, least: float = 0.0) -> list[list[Candidate]]:
        """For each query the ``limit`` pictures with most votes, best first; it is asked as it is and mirrored.

        Those with less than ``least`` votes are left out. A function of the query and the set of records alone, however
        they came in.
        """
        ...

    def nearest(self, probes: Probes) -> Neighbours:
        """Of each descriptor the ``voting.NEIGHBOURS`` codes nearest to it, of equally near ones the smaller ids.

        Engines that hold the pictures of an index between them are asked for these: merged, they are what one engine of
        all pictures gives, and :func:`imgmatch.engines.voting.candidates` makes of them what its search would.
        """
        ...


def refuse_lower(watermark: int, reached: int) -> None:
    """Refuse to move a watermark back.

    Raises:
        ValueError: ``watermark`` is lower than ``reached``.
    """
    if watermark < reached:
        raise ValueError(f"rows up to {reached} were looked at already, not up to {watermark}")
