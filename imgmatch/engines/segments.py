"""An engine that grows: unchanging parts side by side, so that readers never wait for a writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.engines.base import Codes, FingerprintEngine, Hits, Ids
from imgmatch.engines.snapshots import map_arrays, save_arrays
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

MOST_PARTS = 8
"""More parts than this are melted into one; each part costs a search a little."""


class Parts:
    """Parts of one kind of engine, searched together. Unchanging itself: :meth:`grown` gives a new one.

    Attributes:
        through: ids up to this one have been looked at.
    """

    def __init__(self, kind: type[FingerprintEngine], parts: tuple[FingerprintEngine, ...], through: int) -> None:
        self._kind = kind
        self._parts = parts
        self.through = through

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def grown(self, ids: Ids, codes: Codes, through: int) -> Self:
        """With more fingerprints, and looked at up to ``through``."""
        parts = (*self._parts, self._kind(ids, codes)) if len(ids) else self._parts
        if len(parts) > MOST_PARTS:
            # The first part is the large one: leave it be until the rest has grown to its size.
            keep = 1 if len(parts[0]) > sum(len(part) for part in parts[1:]) else 0
            parts = (*parts[:keep], self._melted(parts[keep:]))
        return type(self)(self._kind, parts, through)

    @staticmethod
    def nothing() -> tuple[Ids, Codes]:
        """No fingerprints."""
        return np.empty(0, np.int64), np.empty((0, FINGERPRINT_BYTES), np.uint8)

    def save(self, path: Path, without: Ids | None = None) -> None:
        """Write all parts as one file, but for the ids in ``without``."""
        save_arrays(path, [part.contents() for part in self._parts], without)

    @classmethod
    def load(cls, kind: type[FingerprintEngine], path: Path, through: int, *, verify: bool = True) -> Self:
        """Use a file where it lies; its checksums are compared unless ``verify`` is off.

        Raises:
            ValueError: it is missing or damaged.
        """
        return cls(kind, (kind(*map_arrays(path, verify=verify)),), through)

    def _melted(self, parts: tuple[FingerprintEngine, ...]) -> FingerprintEngine:
        contents = [part.contents() for part in parts]
        return self._kind(
            np.concatenate([ids for ids, _ in contents]), np.concatenate([codes for _, codes in contents])
        )

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        found = [part.search(queries, max_distance) for part in self._parts]
        if len(found) == 1:
            return found[0]
        if not found:
            return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))
        return Hits.sorted(
            np.concatenate([hits.queries for hits in found]),
            np.concatenate([hits.ids for hits in found]),
            np.concatenate([hits.distances for hits in found]),
        )
