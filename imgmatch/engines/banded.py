"""Look up by bands: exact, and for small distances in large sets many times faster than comparing with everything.

A fingerprint is cut into 16 bands of 16 bits. Where two differ in at most 31 bits, they differ in some band by at most
one: two in each would be 32. So a query looks up its own value of each band and those one bit away, in tables sorted by
band. Of other distances each band gets its part: for 40 bits nine bands look two bits away and seven one.

There is more to it. Going round the bands from one to the next, and counting how far each is above its part, there is
a band from which on the count never comes above what it began with (the cycle lemma; for searches: Qin and Xiao,
"Pigeonring", VLDB 2018). So that band and the next one together differ by at most three. What the next band reads
stands beside each place of a table: of what is unlike the query, a hundredth is fetched and compared in full.

Where too much is looked up all the same, because of a great distance, of a small set or of fingerprints that share a
band, comparing with everything is faster, and is done.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from imgmatch.engines.base import Codes, Hits, Ids
from imgmatch.engines.flat import FlatSegment
from imgmatch.engines.segments import Segments
from imgmatch.joins.blocks import words_of
from imgmatch.model import FINGERPRINT_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from imgmatch.engines.probing import BandTables, ProbeHits

_WIDTH = 16
_BANDS = FINGERPRINT_BITS // _WIDTH
_MOST_FLIPS = 2

MOST_DISTANCE = 47
"""Bits. Beyond them a band would have to look three bits away, at 697 values, and comparing with all is faster."""

_ROOM = 1 << 14
"""Hits that are made room for before it is known whether there are as many."""


@cache
def _kernels() -> ModuleType | None:
    """The compiled loops; without a numba that works there are none, which is said once."""
    try:
        from imgmatch.engines import probing  # noqa: PLC0415 -- half a second that small sets do without
    except (ImportError, OSError) as error:
        warnings.warn(f"numba cannot be used, so look-ups are slow: {error}", RuntimeWarning, stacklevel=2)
        return None
    return probing


@cache
def _masks() -> NDArray[np.int32]:
    """What may be between two values of a band, those of fewer bits first, shape (137,), dtype int32."""
    chosen = (bits for count in range(_MOST_FLIPS + 1) for bits in combinations(range(_WIDTH), count))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], np.int32)


@cache
def _flips(max_distance: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """In how many bits a value may differ in each band, and how many values that are; shape (16,), dtype int32.

    One more than each of them, added up, is one more than ``max_distance``: nothing within it can differ by more in
    every band. Those that look furthest come first; a band of -1 is not looked up.
    """
    each, more = divmod(max_distance + 1, _BANDS)
    flips = np.full(_BANDS, each - 1, np.int32)
    flips[:more] += 1
    tried = np.cumsum([comb(_WIDTH, count) for count in range(_MOST_FLIPS + 1)], dtype=np.int32)
    return flips, np.where(flips < 0, 0, tried[flips]).astype(np.int32)


class BandedSegment:
    """Fingerprints that are searched by bands once there are enough of them; the tables are made by the first search.

    They take 96 bytes a fingerprint and 4 MB, and 32 bytes more a fingerprint where these lie in a file.
    """

    least: ClassVar[int] = 20_000
    """Fewer fingerprints are compared with the query before numba is loaded, and nearly as fast."""

    look_up: ClassVar[int] = 40
    """To look up a value takes as long as so many fingerprints that are compared in a row."""

    share: ClassVar[float] = 1 / 16
    """Of all fingerprints: where more is to be looked at, fetched from anywhere in memory, all are read in a row."""

    def __init__(self, ids: Ids, codes: Codes) -> None:
        self._flat = FlatSegment(ids, codes)
        self._tables: BandTables | None = None
        self._making = threading.Lock()

    def __len__(self) -> int:
        return len(self._flat)

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Every stored fingerprint within ``max_distance`` bits (inclusive) of each query, shape (q, 32)."""
        kernels = _kernels() if self._by_bands(len(queries), max_distance) else None
        if kernels is None:
            return self._flat.search(queries, max_distance)
        left = np.zeros(len(queries), np.bool_)
        found = list(self._probed(kernels, queries, max_distance, left))
        rest = self._flat.search(queries[left], max_distance) if left.any() else Hits.none()
        ids = self.arrays()[0]
        return Hits.sorted(
            np.concatenate([*(hits.queries for hits in found), np.flatnonzero(left)[rest.queries]]),
            np.concatenate([*(ids[hits.rows] for hits in found), rest.ids]),
            np.concatenate([*(hits.distances for hits in found), rest.distances]),
        )

    def _by_bands(self, queries: int, max_distance: int) -> bool:
        if not (queries and len(self) and 0 <= max_distance <= MOST_DISTANCE):
            return False
        _, tried = _flips(max_distance)
        return len(self) >= max(self.least, self.look_up * int(tried.sum()))

    def _probed(
        self, kernels: ModuleType, queries: Codes, max_distance: int, left: NDArray[np.bool_]
    ) -> Iterator[ProbeHits]:
        """What is found by bands, in blocks; says in ``left`` which queries are too many candidates' for that."""
        tables, asked, state = self._made(kernels), words_of(queries), np.zeros(2, np.int64)
        flips, tried = _flips(max_distance)
        rule = kernels.ProbeRule(max_distance, flips, _masks(), tried, int(len(self) * self.share))
        while state[0] < len(queries):
            room = max(_ROOM, int(state[1]))
            found = kernels.ProbeHits(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int32))
            written = kernels.probe(tables, asked, rule, state, found, left)
            yield kernels.ProbeHits(*(column[:written] for column in found))

    def _made(self, kernels: ModuleType) -> BandTables:
        """The tables, made by whoever comes first; the others wait for them."""
        with self._making:
            if self._tables is None:
                words = words_of(self.arrays()[1])
                shape = _BANDS, len(words)
                starts = np.zeros((_BANDS, kernels.STARTS), np.int32)
                tables = kernels.BandTables(words, starts, np.empty(shape, np.int32), np.empty(shape, np.uint16))
                for band in range(_BANDS):
                    kernels.sort_band(tables, band)
                self._tables = tables
            return self._tables

    def arrays(self) -> tuple[Ids, Codes]:
        """What it was built from."""
        return self._flat.arrays()


class BandedEngine(Segments):
    """Segments that are searched so."""

    kind = BandedSegment
