"""``imgmatch demo``."""

from __future__ import annotations

from pathlib import Path

import click

from imgmatch.cli import options
from imgmatch.cli.progress import counts


@click.command(short_help="Draw a small world and find its rings.")
@click.argument("folder", metavar="[DIR]", default=Path("demo-world"), type=click.Path(file_okay=False, path_type=Path))
@options.workers_option
@options.quiet_option
def demo(folder: Path, *, workers: int, quiet: bool) -> int:
    """Draw accounts with planted rings into DIR (default: demo-world), scan them, show the rings, check one photo."""
    from imgmatch.actions.demo import demo as run_demo
    from imgmatch.formats.table import check_table, rings_table

    options.note(f"drawing accounts and their photos into {folder} (about ten seconds) ...", quiet=quiet)
    with counts("photos", quiet=quiet) as progress:
        report = run_demo(folder, workers=workers, progress=progress)
    width, scanned, planted = options.terminal_width(), report.scanned, report.world.rings
    options.write(rings_table(report.rings, width))
    options.write(f"\nOne suspicious photo, {report.world.suspect}, is mirrored and greyed:\n\n")
    options.write(check_table(report.suspect, width))
    options.write(
        f"\n{scanned.photos_per_second:,.0f} photos/s; {scanned.skipped} photos skipped (damaged, empty or flat). "
        f"{report.rings_found} of {len(planted)} planted rings found exactly.\n"
        f"Look around:\n"
        f"  imgmatch status --index {report.index}\n"
        f"  imgmatch rings --index {report.index} --format jsonl\n"
        f"  imgmatch check {report.world.suspect} --index {report.index} --account {report.world.suspect_account}\n"
    )
    return 0 if report.rings_found == len(planted) else 1
