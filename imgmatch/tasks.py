"""Units of work that may be done elsewhere: bytes in, bytes out, by a function that stands beside what it calls.

Which function answers which kind stands in ``registry.UNITS``. The same function answers in this process, in tests and
on the nodes of a cluster, so that the answers are the same.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

Answer = TypeVar("Answer")
Subject = TypeVar("Subject")

TRIES = 3
"""How often a unit is given out whose answer is none."""


class Tasks(Protocol):
    """Whoever answers units of work. Safe to use from several threads at once."""

    @property
    def slots(self) -> int:
        """How many units are answered at once, at most."""
        ...

    def keep(self, data: NDArray[np.uint8]) -> int:
        """Hold bytes, shape (n,), that many units need, so that they travel once; returns what to call them.

        Raises:
            ImgmatchError: whoever would hold them is gone.
        """
        ...

    def forget(self, number: int) -> None:
        """Hold them no longer."""
        ...

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        """Have a unit answered, which needs some of what is kept; cancelling what is returned takes it back.

        Raises:
            ImgmatchError: whoever would answer is gone.
        """
        ...


class SentUnit(Generic[Answer]):
    """A unit that was given out."""

    def __init__(
        self, tasks: Tasks, kind: str, unit: bytes, parse: Callable[[bytes], Answer], kept: Sequence[int] = ()
    ) -> None:
        """Give it out; ``parse`` makes the answer of the bytes, or raises ValueError where they are none."""
        self._tasks, self._kind, self._unit, self._parse, self._kept = tasks, kind, unit, parse, kept
        self._future = tasks.submit(kind, unit, kept)

    def result(self) -> Answer:
        """The answer, once it is there. For what is none the unit is given out again.

        Raises:
            ImgmatchError: there is none, nor will there be.
        """
        for left in reversed(range(TRIES)):
            try:
                return self._parse(self._future.result())
            except CancelledError:
                raise ImgmatchError("a unit of work was taken back while it was waited for") from None
            except ValueError as error:
                wrong = str(error)
            if left:
                self._future = self._tasks.submit(self._kind, self._unit, self._kept)
        raise ImgmatchError(f"the answer to a {self._kind} unit is none, {TRIES} times over: {wrong}")

    @property
    def is_done(self) -> bool:
        """Whether somebody has answered it."""
        return self._future.done()

    def cancel(self) -> None:
        """Take it back."""
        self._future.cancel()


def in_turn(
    given: Iterable[tuple[Subject, SentUnit[Answer] | None]], ahead: int
) -> Iterator[tuple[Subject, Answer | None]]:
    """Yield each subject with the answer to its unit, in order; one that has no unit has no answer.

    Args:
        given: subjects, each with its unit, which is given out as the subject is read.
        ahead: so many subjects are read, at most, before the answer of the first of them is there.
    """
    waiting: deque[tuple[Subject, SentUnit[Answer] | None]] = deque()
    reading = iter(given)
    ended = False
    try:
        while not ended or waiting:
            is_there = bool(waiting) and ((unit := waiting[0][1]) is None or unit.is_done)
            if ended or is_there or len(waiting) >= ahead:
                subject, unit = waiting[0]
                answer = None if unit is None else unit.result()
                waiting.popleft()
                yield subject, answer
            elif (one := next(reading, None)) is None:
                ended = True
            else:
                waiting.append(one)
    finally:
        for _, unit in waiting:
            if unit is not None:
                unit.cancel()
