"""``imgmatch scan``."""

from __future__ import annotations

import shlex
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.erasures import tell_erasures
from imgmatch.cli.metrics import check_metrics, metrics_option, write_metrics
from imgmatch.cli.progress import SkipList, counts, is_shown
from imgmatch.model import Depth, SkipReason
from imgmatch.registry import CODEBOOKS, DEFAULT_CODEBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from imgmatch.homes import Home
    from imgmatch.model import ScanResult

_SHOWN_SETS = 3


@click.command(short_help="Add or update photos.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@options.index_option
@options.workers_option
@options.runner_option
@click.option(
    "--codebook",
    type=click.Choice(sorted(CODEBOOKS)),
    show_default=DEFAULT_CODEBOOK,
    help="Of a new index: what local features are coded by. The larger one is for tens of millions of photos.",
)
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
@click.option(
    "--prune",
    is_flag=True,
    help="Remove photos that are gone from their source, if no more than a tenth of its photos is.",
)
@click.option("--prune-all", is_flag=True, help="Remove them however many they are.")
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Do not pass over files and folders of this name or path, such as '@eaDir' or '*.pdf'; may be given several"
    " times.",
)
@click.option(
    "--skipped", "skipped_file", type=options.NewFile(), help="List here, as CSV, what was skipped or passed over."
)
@click.option(
    "--keep-days",
    type=options.FiniteRange(0),
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
    index_path: Home,
    workers: int,
    runner: str | None,
    codebook: str | None,
    depth: str,
    no_thumbnails: bool,
    prune: bool,
    prune_all: bool,
    include: tuple[str, ...],
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
    # Before the index is made: a mistyped path must leave no empty one behind.
    reading = open_sources(sources, root=root, remote=remote, include=include)
    with _telling_what_to_do(index_path, sources), reading as opened:
        found = Index.open(
            index_path,
            create=True,
            codebook=codebook or DEFAULT_CODEBOOK,
            workers=workers,
            runner=runner,
            depth=Depth(depth),
            thumbnails=not no_thumbnails,
            share_with_group=share_with_group,
        )
        if codebook not in {None, found.parts.codebook}:
            found.close()
            raise click.UsageError(f"the index is there already, and coded by {found.parts.codebook}")
        with counts("photos", quiet=quiet, skips=skips) as progress, found as index:
            tell_erasures(index, quiet=quiet)
            result = index.scan(
                opened,
                prune=prune,
                prune_all=prune_all,
                since=since,
                progress=progress,
                count_ahead=is_shown(quiet=quiet),
            )
            is_new = result.added and not result.updated + result.unchanged
            moved = index.seemingly_moved([source.key for source in opened]) if is_new else []
    _tell_moved(moved, quiet=quiet)
    skips.finish(quiet=quiet)
    _tell(result, quiet=quiet)
    record = scan_record(result)
    options.write_record(record, form)
    shared = options.is_shared(index_path=index_path, share_with_group=share_with_group)
    numbers = {name: value for name, value in record.items() if not isinstance(value, list)}
    write_metrics(metrics_file, "scan", numbers, shared=shared)
    return options.EXIT_SOME_SKIPPED if result.skipped else 0


@contextmanager
def _telling_what_to_do(index_path: Home, sources: Sequence[str]) -> Iterator[None]:
    """Where there is nothing at the path of a known source, say what can be done."""
    from imgmatch import SourceError

    try:
        yield
    except SourceError as error:
        if error.reason is SkipReason.MISSING:
            _tell_gone(index_path, sources)
        raise


def _tell_gone(index_path: Home, sources: Sequence[str]) -> None:
    from imgmatch import ImgmatchError, Index

    with suppress(ImgmatchError, OSError), Index.open(index_path) as index:
        known = {source.source: source.photos for source in index.sources()}
        for source in sources:
            path = str(Path(source).absolute())
            if path in known and not Path(source).exists():
                command, of = "imgmatch source", shlex.quote(source)
                what = f"if it has moved, {command} rename {of} NEW; if it is gone, {command} drop {of}"
                options.note(f"{known[path]:,} photos of {source} are kept: {what}", quiet=False)


def _tell_moved(moved: Sequence[tuple[str, str]], *, quiet: bool) -> None:
    """Suggest to rename a source that looks like one that is not there any more."""
    for old, new in moved:
        said = f"every photo of {new} came from {old} before, which is not there any more"
        command = shlex.join(("imgmatch", "source", "rename", old, new))
        options.note(f"{said}; if it has moved: {command}", quiet=quiet)


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
