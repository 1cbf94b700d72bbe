"""What a person sees while work is under way, on standard error."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from imgmatch.cli import log
from imgmatch.errors import SkipReason
from imgmatch.formats.text import as_csv, clean
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from imgmatch.model import Skipped
    from imgmatch.progress import Progress

SHOWN_SKIPS = 10
"""More skipped photos than this are only counted on the terminal; ``--skipped`` lists them all."""

SKIP_COLUMNS = ("photo", "account", "line", "reason", "detail")


@contextmanager
def counts(work: str, *, quiet: bool, skips: SkipList | None = None) -> Iterator[Progress]:
    """On a terminal items done and their rate, and a bar and the time left once their total is known.

    Args:
        work: what is shown before the first step.
        quiet: show nothing.
        skips: hears of every skipped photo, whatever is shown.
    """
    if not is_shown(quiet=quiet):
        yield _Unseen(skips)
        return
    from imgmatch.cli.bars import CountDisplay

    with CountDisplay(work, skips) as display:
        yield display


@contextmanager
def bars(*, quiet: bool) -> Iterator[Progress]:
    """Bars on a terminal, one for each kind of work."""
    if not is_shown(quiet=quiet):
        yield SILENT
        return
    from imgmatch.cli.bars import BarsDisplay

    with BarsDisplay() as display:
        yield display


def is_shown(*, quiet: bool) -> bool:
    """Whether anybody sees progress."""
    return not quiet and sys.stderr.isatty() and not log.is_json()


class _Unseen:
    """Shows nothing, but keeps the list of skipped photos."""

    def __init__(self, skips: SkipList | None) -> None:
        self._skips = skips

    def step(self, work: str, done: float, total: float | None = None) -> None:
        pass

    def skipped(self, skipped: Skipped) -> None:
        if self._skips is not None:
            self._skips.skipped(skipped)


class SkipList:
    """Skipped photos: counted by reason, the first ones named, all of them written to a file if one is wanted."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._reasons: Counter[str] = Counter()
        self._first: list[Skipped] = []
        if file is not None:
            file.writelines(as_csv((), SKIP_COLUMNS))

    def skipped(self, skipped: Skipped) -> None:
        """Note one; what was passed over is listed, and no more."""
        row = {name: getattr(skipped, name) for name in SKIP_COLUMNS} | {"reason": str(skipped.reason)}
        if self._file is not None:
            self._file.writelines(list(as_csv((row,), SKIP_COLUMNS))[1:])
        if skipped.reason is SkipReason.PASSED_OVER:
            return
        self._reasons[str(skipped.reason)] += 1
        log.event("photo skipped", **row)
        if len(self._first) < SHOWN_SKIPS:
            self._first.append(skipped)

    def finish(self, *, quiet: bool) -> None:
        """See that the file is written, and say what was skipped and why; a bug is told of however quiet it is."""
        if self._file is not None:
            self._file.flush()
        if not quiet and not log.is_json():  # then each was logged as it came
            self._summarize()
        if self._reasons[SkipReason.INTERNAL]:
            log.ask_for_report()

    def _summarize(self) -> None:
        for skipped in self._first:
            line = f" (line {skipped.line})" if skipped.line is not None else ""
            click.echo(clean(f"skipped {skipped.photo}{line}: {skipped.reason}: {skipped.detail}"), err=True)
        rest = self._reasons.total() - len(self._first)
        if rest > 0:
            counts = ", ".join(f"{count:,} {reason}" for reason, count in self._reasons.most_common())
            click.echo(f"... and {rest:,} more; in all {counts}; --skipped FILE lists them", err=True)
