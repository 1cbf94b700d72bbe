"""``imgmatch demo``."""

from __future__ import annotations

from pathlib import Path

import click

from imgmatch import own_files
from imgmatch.cli import options
from imgmatch.cli.pages import rings_pages
from imgmatch.cli.progress import counts

PAGE = "rings.html"
"""The page on the rings, beside the manifest."""


@click.command(short_help="Draw a small world and find its rings.")
@click.argument("folder", metavar="[DIR]", default=Path("demo-world"), type=click.Path(file_okay=False, path_type=Path))
@options.workers_option
@options.share_option
@options.quiet_option
def demo(folder: Path, *, workers: int, share_with_group: bool, quiet: bool) -> int:
    """Draw accounts with planted rings into DIR (default: demo-world), scan them, show the rings, check one photo.

    The rings are also written as an HTML page, to be looked at in a browser.
    """
    from imgmatch import Index, draw_demo
    from imgmatch.formats.table import check_table, rings_table

    options.note(f"drawing accounts and their photos into {folder} (about ten seconds) ...", quiet=quiet)
    world = draw_demo(folder, share_with_group=share_with_group)
    with Index.open(world.index, create=True, workers=workers, share_with_group=share_with_group) as index:
        with counts("photos", quiet=quiet) as progress:
            scanned = index.scan([world.manifest], prune=True, progress=progress)
        report, suspect, page = index.rings(), index.check(world.suspect), folder / PAGE
        with options.open_new(page, shared=own_files.is_shared(folder)) as file:
            file.writelines(rings_pages(index, world.index, report))
    width, found = options.terminal_width(), world.found(report.rings)
    options.write(rings_table(report, width))
    options.write(f"\nOne suspicious photo, {world.suspect}, is mirrored and greyed:\n\n")
    options.write(check_table(suspect, width))
    options.write(
        f"\n{scanned.photos_per_second:,.0f} photos/s; {scanned.skipped} photos skipped (damaged, empty or flat). "
        f"{found} of {len(world.planted)} planted rings found exactly.\n"
        f"The rings as a page, with their photos: {page}\n"
        f"Look around:\n"
        f"  imgmatch status --index {world.index}\n"
        f"  imgmatch rings --index {world.index} --format jsonl\n"
        f"  imgmatch check {world.suspect} --index {world.index} --account {world.suspect_account}\n"
        f"  imgmatch serve --index {world.index}\n"
    )
    return 0 if found == len(world.planted) else 1
