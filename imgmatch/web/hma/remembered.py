"""Photos that were hashed a moment ago, so that a lookup of the hash can find crops as well: off unless asked for."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

MOST_PHOTOS = 512
MOST_BYTES = 64 << 20
"""All photos together; one that is larger is not remembered."""

Asked = tuple[str, str, str]
"""Who asked, as kind and name, and the hash that was answered."""


@dataclass(frozen=True, slots=True)
class _Kept:
    photo: bytes
    until: float


class Remembered:
    """The bytes of photos by whoever had them hashed and by the hash, in the memory of this server process alone."""

    def __init__(self, minutes: float) -> None:
        """Each for so many minutes; 0 remembers nothing."""
        self._seconds = 60 * minutes
        self._kept: OrderedDict[Asked, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether anything is remembered."""
        return self._seconds > 0

    @property
    def size(self) -> int:
        """How many bytes are remembered."""
        return self._bytes

    def keep(self, asked: Asked, photo: bytes) -> None:
        """Remember a photo; those that came first go where there is no more room."""
        if not self.is_on or len(photo) > MOST_BYTES:
            return
        with self._lock:
            self._drop(asked)
            self._kept[asked] = _Kept(photo, time.monotonic() + self._seconds)
            self._bytes += len(photo)
            while len(self._kept) > MOST_PHOTOS or self._bytes > MOST_BYTES:
                self._drop(next(iter(self._kept)))

    def photo(self, asked: Asked) -> bytes | None:
        """The photo, if it is still there."""
        with self._lock:
            self._forget()
            kept = self._kept.get(asked)
            return None if kept is None else kept.photo

    def forget(self) -> None:
        """Let go of what is over."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        now = time.monotonic()
        while self._kept:
            first, kept = next(iter(self._kept.items()))
            if kept.until > now:
                return
            self._drop(first)

    def _drop(self, asked: Asked) -> None:
        kept = self._kept.pop(asked, None)
        self._bytes -= 0 if kept is None else len(kept.photo)
