"""``imgmatch scan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.progress import SkipList, counting
from imgmatch.model import Depth

if TYPE_CHECKING:
    from typing import TextIO


@click.command(short_help="Add or update photos.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(path_type=Path))
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
@click.option(
    "--skipped", "skipped_file", type=click.File("w", encoding="utf-8"), help="List skipped photos here, as CSV."
)
@options.root_option
@options.format_option
@options.quiet_option
def scan(
    sources: tuple[Path, ...],
    *,
    index_path: Path,
    workers: int,
    depth: str,
    no_thumbnails: bool,
    prune: bool,
    skipped_file: TextIO | None,
    root: Path | None,
    form: str,
    quiet: bool,
) -> int:
    """Add or update the photos of every SOURCE: a folder with a sub-folder per account, a manifest, or a photo.

    A manifest is a .csv, .jsonl or .parquet file with columns account and photo, and optionally name, seen_at and
    photo_id. Unchanged photos are not decoded again; an interrupted scan goes on where it stopped.
    """
    from imgmatch.actions.scan import open_sources
    from imgmatch.actions.scan import scan as scan_sources
    from imgmatch.formats.records import scan_record
    from imgmatch.index import Index
    from imgmatch.intake import Watcher

    open_sources(sources, root=root)  # a mistyped source must not leave an empty index behind
    skips = SkipList(skipped_file)
    opened = Index.open(index_path, create=True, workers=workers, depth=Depth(depth), thumbnails=not no_thumbnails)
    with counting("photos", quiet=quiet) as tell, opened as index:
        watcher = Watcher(tell, skips.add)
        result = scan_sources(index, sources, root=root, prune=prune, watcher=watcher)
    skips.finish(quiet=quiet)
    options.write_record(scan_record(result), form)
    return options.EXIT_SOME_SKIPPED if result.skipped else 0
