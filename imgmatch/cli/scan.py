"""``imgmatch scan``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.erasures import tell_erasures
from imgmatch.cli.metrics import check_metrics, metrics_option, write_metrics
from imgmatch.cli.progress import SkipList, counts, is_shown
from imgmatch.model import Depth

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from imgmatch.model import ScanResult

_SHOWN_SETS = 3


@click.command(short_help="Add or update photos.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@options.index_option
@options.workers_option
@click.option(
    "--depth",
    type=click.Choice([depth.value for depth in Depth]),
    default=Depth.FULL.value,
    show_default=True,
    help="What to compute for each photo: fingerprints alone find copies of the whole picture, and take a third of the"
    " time.",
)
@click.option(
    "--no-thumbnails", is_flag=True, help="Keep no small picture of photos; crops are then found less surely."
)
@click.option("--prune", is_flag=True, help="Remove photos that are gone from their source.")
@click.option("--skipped", "skipped_file", type=options.NewFile(), help="List skipped photos here, as CSV.")
@click.option(
    "--keep-days",
    type=click.FloatRange(0),
    metavar="DAYS",
    help="Pass over photos first seen longer ago; with --prune those that are there are removed.",
)
@options.root_option
@options.fetchers_option
@options.allow_private_option
@options.share_option
@metrics_option
@options.format_option
@options.quiet_option
def scan(
    sources: tuple[str, ...],
    *,
    index_path: Path,
    workers: int,
    depth: str,
    no_thumbnails: bool,
    prune: bool,
    skipped_file: TextIO | None,
    keep_days: float | None,
    root: Path | None,
    fetchers: int,
    allow_private: bool,
    share_with_group: bool,
    metrics_file: Path | None,
    form: str,
    quiet: bool,
) -> int:
    """Add or update the photos of every SOURCE: a folder with a sub-folder per account, a manifest, or a photo.

    A manifest is a .csv, .jsonl or .parquet file with columns account and photo, and optionally name, seen_at and
    photo_id. A .zip or .tar file stands for the folder in it. A SOURCE, or a photo in a manifest, may be an https, s3
    or gs URL. Unchanged photos are not decoded again; an interrupted scan goes on where it stopped.
    """
    from imgmatch import Index, RemoteOptions, open_sources
    from imgmatch.formats.records import scan_record

    check_metrics(metrics_file)
    since = None if keep_days is None else datetime.now(UTC) - timedelta(days=keep_days)
    skips = SkipList(skipped_file)
    remote = RemoteOptions(allow_private=allow_private, fetchers=fetchers)
    with open_sources(sources, root=root, remote=remote) as opened:  # a mistyped one must leave no empty index behind
        found = Index.open(
            index_path,
            create=True,
            workers=workers,
            depth=Depth(depth),
            thumbnails=not no_thumbnails,
            share_with_group=share_with_group,
        )
        with counts("photos", quiet=quiet, skips=skips) as progress, found as index:
            tell_erasures(index, quiet=quiet)
            result = index.scan(opened, prune=prune, since=since, progress=progress, count_ahead=is_shown(quiet=quiet))
    skips.finish(quiet=quiet)
    _tell(result, quiet=quiet)
    record = scan_record(result)
    options.write_record(record, form)
    shared = options.is_shared(index_path=index_path, share_with_group=share_with_group)
    numbers = {name: value for name, value in record.items() if not isinstance(value, list)}
    write_metrics(metrics_file, "scan", numbers, shared=shared)
    return options.EXIT_SOME_SKIPPED if result.skipped else 0


def _tell(result: ScanResult, *, quiet: bool) -> None:
    """Say what an operator should know beside the numbers; ids that look alike are told with what tells them apart."""
    for hint in result.hints:
        options.note(hint, quiet=quiet)
    if result.respelt:
        options.note(
            f"{result.respelt:,} photos name their account with blanks or invisible characters at its ends, or not in"
            " NFC; all spellings are one account",
            quiet=quiet,
        )
    if result.lookalikes:
        shown = "; ".join(" and ".join(map(ascii, some)) for some in result.alike[:_SHOWN_SETS])
        sets = "1 set of accounts looks" if result.lookalikes == 1 else f"{result.lookalikes:,} sets of accounts look"
        options.note(f"{sets} alike and may be one account each: {shown}", quiet=quiet)
