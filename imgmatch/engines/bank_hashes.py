"""The PDQ values on banks, kept in step with the catalog and searched in memory.

An entry never changes its value and its row id is never used again, so that only new ones have to be read; what a
search finds is looked up in the catalog, where those that are gone, muted or dismissed lead nowhere. Once most of what
is held is gone, all is read anew.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.bank_entries import last_entry, read_hashes
from imgmatch.catalog.row_counts import row_count
from imgmatch.engines.base import FingerprintEngine, Hits

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog
    from imgmatch.engines.base import Codes

_ENGINE = "banded"
_MOST_GONE = 10_000
"""So many that are gone are held at the least."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What has been read, up to which row, and when."""

    engine: FingerprintEngine
    at: datetime


class BankHashes:
    """Searches the PDQ values of all entries, those that do not count among them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reading = threading.Lock()
        self._read: _Read | None = None

    def current(self) -> tuple[FingerprintEngine, datetime]:
        """What is searched, with every entry there is now, and up to when that is."""
        with self._reading:
            at = datetime.now(UTC)
            with self._catalog.read() as session:
                last = last_entry(session)
                known = registry.engine(_ENGINE).empty() if self._read is None else self._read.engine
                if len(known) > _MOST_GONE + 2 * row_count(session, "bank_entries"):
                    known = registry.engine(_ENGINE).empty()
                if last > known.watermark:
                    blocks = list(read_hashes(session, known.watermark))
                    ids = np.concatenate([ids for ids, _ in blocks] or [np.empty(0, np.int64)])
                    codes = np.concatenate([bits for _, bits in blocks] or [np.empty((0, 32), np.uint8)])
                    known = known.appended((ids, codes), last)
            self._read = _Read(known, at)
            return known, at

    def search(self, queries: Codes, max_distance: int) -> Hits:
        """Values within ``max_distance`` bits (inclusive) of each query, shape (q, 32), by the entry's row id."""
        engine, _ = self.current()
        return engine.search(queries, max_distance) if len(engine) and len(queries) else Hits.none()
