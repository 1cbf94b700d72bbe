"""Others are told of decisions and rings while the server runs, each by a thread of its own.

What is to be told stands in the catalog, and what came of it: one who does not answer holds up nobody else, and what
was cut off is told again.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from imgmatch.errors import IndexUnusableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

_LOGGER = logging.getLogger(__name__)
_PAUSE = 2.0

Due = TypeVar("Due")


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of telling one thing: what it was, what was answered, and whether that is as it should be."""

    what: str
    answer: str
    is_good: bool = True


class Channel(Protocol[Due]):
    """One who is told of things, and what he is to be told."""

    @property
    def name(self) -> str:
        """What he goes by in the log."""

    def begin(self) -> None:
        """The server starts."""

    def turn(self) -> AbstractContextManager[bool]:
        """Be the one process that tells him, while the block lasts; false where another is."""

    def due(self) -> Sequence[Due]:
        """What he is to be told now."""

    def carry(self, one: Due) -> Carried:
        """Tell him, and note in the catalog what came of it."""


class Deliveries:
    """Threads that tell others, one for each channel."""

    def __init__(self, channels: Sequence[Channel[Any]]) -> None:
        """Without any, nothing is done."""
        self._channels = channels
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(channel,), name=f"imgmatch-{channel.name}", daemon=True)
            for channel in channels
        ]

    def __enter__(self) -> Self:
        for channel in self._channels:
            channel.begin()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, channel: Channel[Any]) -> None:
        while not self._ended.wait(_PAUSE):
            try:
                self._tell(channel)
            except IndexUnusableError as error:  # it may be usable again: a decision must not be lost
                _LOGGER.warning("the %s waits: %s", channel.name, error)
            except Exception:  # the thread must not end: nobody would be told any more
                _LOGGER.exception("the %s failed", channel.name)

    def _tell(self, channel: Channel[Any]) -> None:
        if not channel.due():  # most of the time: a lease is written, and need not be
            return
        with channel.turn() as ours:
            for one in channel.due() if ours else ():
                if self._ended.is_set():
                    return
                carried = channel.carry(one)
                level = logging.INFO if carried.is_good else logging.WARNING
                _LOGGER.log(level, "%s: %s: %s", channel.name, carried.what, carried.answer)
