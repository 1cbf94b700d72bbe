"""The PDQ values on banks, kept in step with the catalog and searched in memory.

An entry never changes its value and its row id is never used again, so that only new ones have to be read; what a
search finds is looked up in the catalog, where those that are gone, muted or dismissed lead nowhere. Once most of what
is held is gone, all is read anew.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.bank_entries import last_entry, read_hashes
from imgmatch.catalog.extent import read_extent
from imgmatch.engines.base import Hits

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.engines.base import Codes, FingerprintEngine

_ENGINE = "banded"
_MOST_GONE = 10_000
"""So many that are gone are held at the least."""


class BankHashes:
    """Searches the PDQ values of all entries, those that do not count among them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reading = threading.Lock()
        self._engine: FingerprintEngine | None = None

    def current(self) -> tuple[FingerprintEngine, datetime]:
        """What is searched, with every entry there is now, and up to when that is."""
        at = datetime.now(UTC)
        with self._catalog.read() as session:
            extent = read_extent(session)
        return self._reaching(extent), at

    def advance(self, extent: SearchExtent) -> None:
        """Read what is new, as the next search would, if anything was read at all."""
        if self._engine is not None:
            self._reaching(extent)

    def _reaching(self, extent: SearchExtent) -> FingerprintEngine:
        """What is searched, with every entry of this extent at the least."""
        with self._reading:
            known = self._engine
            if known is None or len(known) > _MOST_GONE + 2 * extent.bank_entries:
                known = registry.engine(_ENGINE).empty()
            if extent.last["bank_entries"] > known.watermark:
                with self._catalog.read() as session:
                    last = last_entry(session)
                    blocks = list(read_hashes(session, known.watermark))
                ids = np.concatenate([ids for ids, _ in blocks] or [np.empty(0, np.int64)])
                codes = np.concatenate([bits for _, bits in blocks] or [np.empty((0, 32), np.uint8)])
                # All may be gone again meanwhile, and then the last one is one from before.
                known = known.appended((ids, codes), max(last, known.watermark))
            self._engine = known
            return known

    def search(self, queries: Codes, max_distance: int, extent: SearchExtent) -> Hits:
        """Values within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by the entry's row id.

        All of this extent are searched, and perhaps newer ones.
        """
        engine = self._reaching(extent)
        return engine.search(queries, max_distance) if len(engine) and len(queries) else Hits.none()
