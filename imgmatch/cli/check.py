"""``imgmatch check``."""

from __future__ import annotations

from itertools import tee
from typing import TYPE_CHECKING

import click

from imgmatch.cli import log, options
from imgmatch.cli.pages import write_page
from imgmatch.cli.streams import write_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imgmatch.homes import Home
    from imgmatch.model import CheckResult

CHECK_COLUMNS = (
    "query", "status", "reason", "query_damaged", "incomplete",
    "account", "name", "photo", "photo_id", "seen_at", "bank", "damaged",
    "kind", "score", "distance", "mirrored", "rotation", "overlap", "agreement", "negative",
    "frame", "query_frame", "purpose", "entry", "ref",
)  # fmt: skip


@click.command(short_help="Which accounts carry a photo.")
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@options.index_option
@click.option("--account", help="Leave out this account's own photos.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Accounts a photo at the most.")
@options.max_distance_option
@click.option(
    "--related",
    is_flag=True,
    help="Show other shots of the same moment, and other photos in the same template, too; they are no matches.",
)
@click.option(
    "--min-score", type=options.FiniteRange(0, 1), help="What a copy scores at least.  [default: as last calibrated]"
)
@click.option("--fail-on-match", is_flag=True, help=f"Exit with {options.EXIT_MATCH} if any photo matches.")
@options.workers_option
@options.root_option
@options.fetchers_option
@options.allow_private_option
@options.page_option
@options.quiet_option
def check(
    photos: tuple[str, ...],
    *,
    index_path: Home,
    account: str | None,
    limit: int,
    max_distance: int | None,
    related: bool,
    min_score: float | None,
    fail_on_match: bool,
    workers: int,
    root: Path | None,
    fetchers: int,
    allow_private: bool,
    form: str,
    quiet: bool,
) -> int:
    """Which accounts carry each PHOTO: a file, a folder, manifest or archive of photos, or - for standard input.

    A PHOTO may be an https, s3 or gs URL, as for scan, or a .txt file that lists paths and URLs, one a line. Standard
    input holds a photo, or such a list.
    """
    from imgmatch import Index, RemoteOptions, named_photos
    from imgmatch.formats.records import check_record, check_rows
    from imgmatch.formats.table import check_table

    seen, width = _Seen(), options.terminal_width()
    remote = RemoteOptions(allow_private=allow_private, fetchers=fetchers)
    asked, shown = tee(named_photos(options.photo_arguments(photos), root=root, remote=remote))
    with Index.open(index_path, workers=workers) as index:
        found = index.check_many(
            asked, account=account, limit=limit, max_distance=max_distance, related=related, min_score=min_score
        )
        if form == "html":
            write_page(index, zip(shown, seen.watched(found), strict=False))
        else:
            del shown  # or it would be held in memory
            results = seen.watched(found)
            write_stream(
                results, form, check_record, check_rows, CHECK_COLUMNS, lambda result: check_table(result, width)
            )
    if seen.unreadable:
        options.note(f"{seen.unreadable:,} of {seen.photos:,} photos could not be read", quiet=quiet)
    if seen.incomplete:
        said = f"{seen.incomplete:,} of {seen.photos:,} answers are incomplete: not all shards answered in time"
        options.note(said, quiet=quiet)
    if seen.bugs:
        log.ask_for_report()
    return seen.exit_code(fail_on_match=fail_on_match)


class _Seen:
    """What the exit code depends on."""

    def __init__(self) -> None:
        self.photos = self.unreadable = self.matching = self.bugs = self.incomplete = 0

    def watched(self, results: Iterable[CheckResult]) -> Iterator[CheckResult]:
        """Pass results on, counting them."""
        for result in results:
            self.photos += 1
            self.unreadable += result.status == "unreadable"
            self.matching += result.status == "match"
            self.incomplete += bool(result.incomplete)
            self.bugs += options.is_bug(result.reason)
            yield result

    def exit_code(self, *, fail_on_match: bool) -> int:
        """A match comes first, then that there may be more; a run in which nothing could be read has failed."""
        if fail_on_match and self.matching:
            return options.EXIT_MATCH
        if self.incomplete:
            return options.EXIT_INCOMPLETE
        if self.unreadable:
            return options.EXIT_SOME_SKIPPED if self.unreadable < self.photos else 1
        return 0
