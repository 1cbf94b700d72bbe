"""What every engine of fingerprints gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from typing import Self

Ids = NDArray[np.int64]
"""Shape (n,), dtype int64."""

Codes = NDArray[np.uint8]
"""Fingerprints, shape (n, 32), dtype uint8."""


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

    def __len__(self) -> int:
        return len(self.ids)


class FingerprintEngine(Protocol):
    """A set of (id, fingerprint) that never changes once built, so that any number of threads may search it."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        """Build from ``ids``, shape (n,), distinct and not negative, and ``codes``, shape (n, 32); neither may change.

        Both may be mapped from a file: what can be searched where it lies is not copied.
        """
        ...

    def __len__(self) -> int: ...

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every stored fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        ...

    def contents(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        ...


def checked(ids: Ids, codes: Codes) -> tuple[Ids, Codes]:
    """The arguments of a constructor as contiguous arrays.

    Raises:
        ValueError: their shapes do not fit.
    """
    ids = np.ascontiguousarray(ids, dtype=np.int64)
    codes = np.ascontiguousarray(codes, dtype=np.uint8)
    if ids.ndim != 1 or codes.shape != (len(ids), FINGERPRINT_BYTES):
        raise ValueError(f"ids of shape {ids.shape} do not fit fingerprints of shape {codes.shape}")
    return ids, codes
