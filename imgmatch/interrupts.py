"""Ctrl-C and SIGTERM: a command that is told to stop keeps what it has done, and stops soon."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What a terminal sends, and what a service manager does."""


def stop_on_signals() -> None:
    """From now on the first of these signals raises KeyboardInterrupt, and a second one ends the process at once.

    One that whoever started the process had it ignore is ignored still.
    """
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    for each in STOPPING:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)
    raise KeyboardInterrupt


@contextmanager
def unbroken() -> Iterator[Callable[[], None]]:
    """A block that these signals break off only until what it gives out is called; from then on they wait for its end.

    So a transaction can be waited for with patience, and once it has begun it is known afterwards whether it was
    written. A second signal waits no longer. Outside the main thread nothing is to be done: signals do not come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    held = _Held()
    try:
        yield held.begin
    finally:
        held.end()
    held.pass_on()


class _Held:
    """Signals that wait, and what deals with them otherwise."""

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._came: int | None = None

    def begin(self) -> None:
        for number in STOPPING:
            before = signal.getsignal(number)
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._came is not None:
            self._before[number](number, frame)
        self._came = number

    def end(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def pass_on(self) -> None:
        if self._came is not None:
            self._before[self._came](self._came, None)
