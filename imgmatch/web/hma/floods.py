"""Entries that suddenly hit very many different hashes: a blank picture, a logo, or a list that was made wrong."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_SECONDS = 3_600.0
MOST_NOTED = 200_000
"""Pairs of entry and hash that are held in memory; beyond, entries with the fewest hits are counted anew."""


class Floods:
    """Counts, for each entry, how many different hashes hit it within an hour, in this server process."""

    def __init__(self, most: int) -> None:
        """``most`` hashes are no flood yet."""
        self._most = most
        self._seen: dict[int, dict[int, float]] = {}
        self._noted = 0
        self._lock = threading.Lock()

    @property
    def noted(self) -> int:
        """How many pairs of entry and hash are held."""
        return self._noted

    def note(self, pdq: str, entries: Iterable[int], now: float | None = None) -> list[int]:
        """Note a lookup; returns the entries that have hit more than may be, each once.

        Args:
            pdq: the hash that was looked up.
            entries: what it hit.
            now: in seconds, of a clock that never goes back.
        """
        at = time.monotonic() if now is None else now
        with self._lock:
            flooded = [entry for entry in entries if self._is_over(entry, hash(pdq), at)]
            if self._noted > MOST_NOTED:
                self._make_room(at)
            return flooded

    def _is_over(self, entry: int, key: int, at: float) -> bool:
        seen = self._seen.setdefault(entry, {})
        self._noted += key not in seen
        seen[key] = at
        if len(seen) <= self._most:
            return False
        self._expire(entry, at)
        if len(self._seen[entry]) <= self._most:
            return False
        self._drop(entry)
        return True

    def _expire(self, entry: int, at: float) -> None:
        left = {key: when for key, when in self._seen[entry].items() if when > at - WINDOW_SECONDS}
        self._noted -= len(self._seen[entry]) - len(left)
        self._seen[entry] = left

    def _drop(self, entry: int) -> None:
        self._noted -= len(self._seen.pop(entry))

    def _make_room(self, at: float) -> None:
        for entry in list(self._seen):
            self._expire(entry, at)
        for entry in sorted(self._seen, key=lambda one: len(self._seen[one])):
            if self._seen[entry] and self._noted <= MOST_NOTED // 2:
                return
            self._drop(entry)
