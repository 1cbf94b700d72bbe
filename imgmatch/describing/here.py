"""Units of work answered in the process that asks: the obvious way, which the others are tested against."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class TasksHere:
    """Answers each unit when it is given out; see :class:`imgmatch.tasks.Tasks`."""

    slots = 1

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}
        self._numbers = count()

    def keep(self, data: NDArray[np.uint8]) -> int:
        """Hold bytes that many units need."""
        number = next(self._numbers)
        self._kept[number] = data.tobytes()
        return number

    def forget(self, number: int) -> None:
        """Hold them no longer."""
        self._kept.pop(number, None)

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        """Answer a unit."""
        future: Future[bytes] = Future()
        if not self._kept.keys() >= set(kept):
            future.set_exception(ImgmatchError("a unit needs what is not kept"))
            return future
        try:
            held = [np.frombuffer(self._kept[number], np.uint8) for number in kept]
            future.set_result(registry.answerer(kind)(unit, held))
        except (ImgmatchError, ValueError) as error:
            future.set_exception(ImgmatchError(f"a {kind} unit could not be answered: {error}"))
        return future
