"""Progress as a terminal shows it; it loads rich, so it is loaded only where a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType
    from rich.progress import TaskID

    from imgmatch.cli.progress import SkipList
    from imgmatch.model import Skipped

_RECENT_SECONDS = 15.0
"""The rate is that of so long: known photos go by at thousands a second, the new ones after them at a hundred."""


class CountDisplay(Progress):
    """What is done and the rate; and a bar and the time left, once it is known how many there are.

    Args:
        work: what is shown before the first step.
        skips: hears of every skipped photo.
    """

    def __init__(self, work: str, skips: SkipList | None = None) -> None:
        self._work = work
        self._done: float = 0
        self._whole: float | None = None
        self._skips = skips
        columns, console = _columns(ending=False), Console(stderr=True)
        super().__init__(*columns, console=console, transient=True, speed_estimate_period=_RECENT_SECONDS)
        self.add_task("", total=None, rate="")

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """It is only noted here: there may be thousands a second, and ten displays of them."""
        self._work, self._done, self._whole = work, done, total

    def skipped(self, skipped: Skipped) -> None:
        """Pass it on."""
        if self._skips is not None:
            self._skips.skipped(skipped)

    def get_renderables(self) -> Iterable[RenderableType]:
        """What rich shows, each time it does."""
        for task in self.tasks:  # one; none yet while rich makes its display ready
            if self._whole is not None and task.total is None:
                self.columns = _columns(ending=True)
            self.update(task.id, description=self._work, total=self._whole, completed=self._done)
            self.update(task.id, rate=f"{task.speed:,.0f}/s" if task.speed else "")
        return super().get_renderables()


class BarsDisplay(Progress):
    """A bar for each kind of work."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=Console(stderr=True), transient=True)
        self._bars: dict[str, TaskID] = {}

    def step(self, work: str, done: float, total: float | None = None) -> None:
        """Move its bar."""
        if work not in self._bars:
            self._bars[work] = self.add_task(work)
        self.update(self._bars[work], completed=done, total=total)

    def skipped(self, skipped: Skipped) -> None:
        """There is no list for it."""


def _columns(*, ending: bool) -> tuple[ProgressColumn, ...]:
    """Of a count that goes on and on, or of one whose end is known."""
    rate = TextColumn("{task.fields[rate]}")
    if not ending:
        return SpinnerColumn(), TextColumn("{task.completed:,} {task.description}"), rate, TimeElapsedColumn()
    done = TextColumn("{task.completed:,} of {task.total:,} {task.description}")
    return SpinnerColumn(), done, BarColumn(), rate, TimeRemainingColumn(), TextColumn("left")
