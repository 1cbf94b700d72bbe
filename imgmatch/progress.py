"""How far a long work is, told to whoever shows it: a terminal, a page, or nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.model import Skipped


class Progress(Protocol):
    """Whoever wants to hear how far a work is.

    Both methods are called in the thread that does the work, up to thousands of times a second: they must be quick.
    What they raise ends the work, and nothing that was written before is lost.
    """

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """So much of a work is done.

        Args:
            work: what is being done, in words to show, such as ``photos`` or ``fingerprints joined``.
            done: how much of it is done so far; it never falls.
            total: how much there is to do; ``None`` where that is not known.
        """

    def skipped(self, skipped: Skipped) -> None:
        """A photo, or a line of a manifest, was not used."""


class _Silent:
    def step(self, work: str, done: float, total: float | None = None) -> None:
        pass

    def skipped(self, skipped: Skipped) -> None:
        pass


SILENT: Progress = _Silent()
"""Shows nothing."""


class ItemCount:
    """Items of one work, counted over all its parts.

    Each part counts its own items from zero, as a :class:`Progress`; what is between them is added by hand.

    Args:
        progress: hears the count of all parts together.
        total: how many there are in all, asked at each step; ``None`` where that is not known.
    """

    def __init__(self, progress: Progress, total: Callable[[], float | None] = lambda: None) -> None:
        self._progress = progress
        self._total = total
        self._before: float = 0
        self._part: float = 0

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """So many items of this part are done; its own ``total`` is not that of all parts."""
        del total
        self._part = done
        self._progress.step(work, self._before + done, self._total())

    def skipped(self, skipped: Skipped) -> None:
        """Pass it on."""
        self._progress.skipped(skipped)

    def add(self, work: str) -> None:
        """One more item is done, by none of the parts."""
        self._before += 1
        self._progress.step(work, self._before + self._part, self._total())

    def end_part(self, work: str) -> None:
        """The next part counts from zero. The total may have become known since the last item."""
        self._before, self._part = self._before + self._part, 0
        self._progress.step(work, self._before, self._total())
