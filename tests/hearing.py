"""Progress that is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.model import Skipped


class Heard:
    """What was heard of a work.

    Args:
        also: called at each step with the work and the share of it that is done, 0 where no total is known.
    """

    def __init__(self, also: Callable[[str, float], None] | None = None) -> None:
        self.steps: list[tuple[str, float, float | None]] = []
        self.skips: list[Skipped] = []
        self._also = also

    def step(self, work: str, done: float, total: float | None = None) -> None:
        self.steps.append((work, done, total))
        if self._also is not None:
            self._also(work, done / total if total else 0)

    def skipped(self, skipped: Skipped) -> None:
        self.skips.append(skipped)

    def shares(self, work: str) -> list[float]:
        """Which share of a work was done at each step."""
        return [done / total for name, done, total in self.steps if name == work and total]
