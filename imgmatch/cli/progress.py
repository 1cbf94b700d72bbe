"""What a person sees while work is under way, on standard error."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from imgmatch.cli import log
from imgmatch.formats.text import as_csv, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from rich.progress import TaskID

    from imgmatch.model import Skipped
    from imgmatch.sources.counting import Count

SHOWN_SKIPS = 10
"""More skipped photos than this are only counted on the terminal; ``--skipped`` lists them all."""

SKIP_COLUMNS = ("photo", "account", "line", "reason", "detail")


@contextmanager
def counting(what: str, *, quiet: bool, ahead: Count | None = None) -> Iterator[Callable[[], None]]:
    """On a terminal what is done and the rate, and a bar and the time left once ``ahead`` has counted all there is.

    Args:
        what: the items, in the plural.
        quiet: show nothing.
        ahead: counts all items meanwhile; it starts only where there is a terminal to show it.

    Yields:
        what to call for each item.
    """
    if not _is_shown(quiet=quiet):
        yield lambda: None
        return
    from imgmatch.cli.bars import CountDisplay

    with ahead or nullcontext(), CountDisplay(what, ahead) as display:
        yield display.tell


@contextmanager
def shares(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Bars on a terminal, one for each kind of work; yields what to call with what is done and which share of it."""
    if not _is_shown(quiet=quiet):
        yield lambda what, share: None  # noqa: ARG005 -- told, and not shown
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(tasks[what], completed=share)

        yield tell


def _is_shown(*, quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty() and not log.is_json()


class SkipList:
    """Skipped photos: counted by reason, the first ones named, all of them written to a file if one is wanted."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._reasons: Counter[str] = Counter()
        self._first: list[Skipped] = []
        if file is not None:
            file.writelines(as_csv((), SKIP_COLUMNS))

    def add(self, skipped: Skipped) -> None:
        """Note one."""
        self._reasons[str(skipped.reason)] += 1
        row = {name: getattr(skipped, name) for name in SKIP_COLUMNS} | {"reason": str(skipped.reason)}
        log.event("photo skipped", **row)
        if len(self._first) < SHOWN_SKIPS:
            self._first.append(skipped)
        if self._file is not None:
            self._file.writelines(list(as_csv((row,), SKIP_COLUMNS))[1:])

    def finish(self, *, quiet: bool) -> None:
        """See that the file is written, and say what was skipped and why."""
        if self._file is not None:
            self._file.flush()
        if not quiet and not log.is_json():  # then each was told as it came
            self._tell()

    def _tell(self) -> None:
        for skipped in self._first:
            line = f" (line {skipped.line})" if skipped.line is not None else ""
            click.echo(clean(f"skipped {skipped.photo}{line}: {skipped.reason}: {skipped.detail}"), err=True)
        rest = self._reasons.total() - len(self._first)
        if rest > 0:
            counts = ", ".join(f"{count:,} {reason}" for reason, count in self._reasons.most_common())
            click.echo(f"... and {rest:,} more; in all {counts}; --skipped FILE lists them", err=True)
