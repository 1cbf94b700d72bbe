"""A display of items that are counted; it loads rich, so it is loaded only where a terminal shows it."""

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

    from imgmatch.sources.counting import Count

_RECENT_SECONDS = 15.0
"""The rate is that of so long: known photos go by at thousands a second, the new ones after them at a hundred."""


class CountDisplay(Progress):
    """What is done and the rate; and a bar and the time left, once it is known how many there are.

    Args:
        what: the items, in the plural.
        ahead: counts all of them meanwhile, if anybody does.
    """

    def __init__(self, what: str, ahead: Count | None) -> None:
        self._done = 0
        self._ahead = ahead
        columns, console = _columns(ending=False), Console(stderr=True)
        super().__init__(*columns, console=console, transient=True, speed_estimate_period=_RECENT_SECONDS)
        self.add_task(what, total=None, rate="")

    def tell(self) -> None:
        """One more is done. It is only counted here: there may be thousands a second, and ten displays of them."""
        self._done += 1

    def get_renderables(self) -> Iterable[RenderableType]:
        """What rich shows, each time it does."""
        total = None if self._ahead is None else self._ahead.total
        for task in self.tasks:  # one; none yet while rich makes its display ready
            if total is not None and task.total is None:
                self.columns = _columns(ending=True)
            self.update(task.id, total=total, completed=self._done)
            self.update(task.id, rate=f"{task.speed:,.0f}/s" if task.speed else "")
        return super().get_renderables()


def _columns(*, ending: bool) -> tuple[ProgressColumn, ...]:
    """Of a count that goes on and on, or of one whose end is known."""
    rate = TextColumn("{task.fields[rate]}")
    if not ending:
        return SpinnerColumn(), TextColumn("{task.completed:,} {task.description}"), rate, TimeElapsedColumn()
    done = TextColumn("{task.completed:,} of {task.total:,} {task.description}")
    return SpinnerColumn(), done, BarColumn(), rate, TimeRemainingColumn(), TextColumn("left")
