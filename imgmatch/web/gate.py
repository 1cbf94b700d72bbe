"""How much may be under way: a queue that has an end, so that who is sent away knows it at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgmatch.errors import TooManyTriesError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY_SECONDS = 2
_MINUTE = 60.0
HELD_BYTES = 256 << 20
"""Photos of requests that are under way take no more memory; one alone may be larger."""


class BusyError(TooManyTriesError):
    """Too many ask at once."""

    http_status = 503


class Gate:
    """Lets so many in at once, with so many bytes; how they take turns within is up to them."""

    def __init__(self, most: int, most_bytes: int = HELD_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._inside = self._bytes = 0
        self._lock = threading.Lock()

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._inside

    def enter(self, size: int = 0) -> None:
        """Go in with so many bytes.

        Raises:
            BusyError: there are too many inside, or they bring too much.
        """
        with self._lock:
            if self._inside >= self._most or (self._inside and self._bytes + size > self._most_bytes):
                raise BusyError("too much is under way; try again soon", retry_after=_RETRY_SECONDS)
            self._inside += 1
            self._bytes += size

    def leave(self, size: int = 0) -> None:
        """Go out, with what was brought."""
        with self._lock:
            self._inside -= 1
            self._bytes -= size

    @contextmanager
    def passed(self, size: int = 0) -> Iterator[None]:
        """Be in while the block lasts."""
        self.enter(size)
        try:
            yield
        finally:
            self.leave(size)


class Rate:
    """Lets each caller in so often a minute; each server process counts for itself."""

    def __init__(self, most: int | None) -> None:
        """``None`` lets everybody in."""
        self._most = most
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def count(self, caller: str) -> None:
        """Count a request.

        Raises:
            TooManyTriesError: this caller has made too many.
        """
        if self._most is None:
            return
        now = time.monotonic()
        with self._lock:
            times = self._times.setdefault(caller, deque())
            while times and times[0] <= now - _MINUTE:
                times.popleft()
            if len(times) >= self._most:
                wait = max(1, round(times[0] + _MINUTE - now))
                raise TooManyTriesError(f"{caller} asks more than {self._most} times a minute", retry_after=wait)
            times.append(now)
