"""What a person sees while work is under way, on standard error."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from imgmatch.formats.text import as_csv, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from imgmatch.model import Skipped

SHOWN_SKIPS = 10
"""More skipped photos than this are only counted on the terminal; ``--skipped`` lists them all."""

SKIP_COLUMNS = ("photo", "account", "line", "reason", "detail")


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A running count and rate on a terminal; yields what to call for each item."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda: progress.advance(task)


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
        if len(self._first) < SHOWN_SKIPS:
            self._first.append(skipped)
        if self._file is not None:
            row = {name: getattr(skipped, name) for name in SKIP_COLUMNS} | {"reason": str(skipped.reason)}
            self._file.writelines(list(as_csv((row,), SKIP_COLUMNS))[1:])

    def finish(self, *, quiet: bool) -> None:
        """See that the file is written, and say what was skipped and why."""
        if self._file is not None:
            self._file.flush()
        if not quiet:
            self._tell()

    def _tell(self) -> None:
        for skipped in self._first:
            line = f" (line {skipped.line})" if skipped.line is not None else ""
            click.echo(clean(f"skipped {skipped.photo}{line}: {skipped.reason}: {skipped.detail}"), err=True)
        rest = self._reasons.total() - len(self._first)
        if rest > 0:
            counts = ", ".join(f"{count:,} {reason}" for reason, count in self._reasons.most_common())
            click.echo(f"... and {rest:,} more; in all {counts}; --skipped FILE lists them", err=True)
