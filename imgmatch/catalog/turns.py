"""Threads that wait for one another in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock that serves threads in turn; that of the standard library lets whoever comes by overtake them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def take(self, patience: float) -> bool:
        """Wait for the turn and have it until :meth:`end`; whether it came within so many seconds. Not to be nested."""
        turn = threading.Event()
        with self._lock:
            if self._taken:
                self._waiting.append(turn)
            else:
                self._taken = True
                turn.set()
        try:
            if turn.wait(patience):
                return True
        except BaseException:
            self._give_up(turn)
            raise
        return not self._give_up(turn, keep=True)

    def _give_up(self, turn: threading.Event, *, keep: bool = False) -> bool:
        """Wait no longer; whether the turn had not come yet. If it had, it is kept or ended."""
        with self._lock:
            if not turn.is_set():
                self._waiting.remove(turn)
                return True
        if not keep:
            self.end()
        return False

    def end(self) -> None:
        """Let the next one have its turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
