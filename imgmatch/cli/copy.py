"""``imgmatch copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.progress import bars
from imgmatch.registry import CODEBOOKS

if TYPE_CHECKING:
    from imgmatch.homes import Home


@click.command(short_help="Copy the index to a database, or back.")
@click.argument("target", metavar="HOME", type=options.HOME)
@options.index_option
@click.option(
    "--codebook",
    type=click.Choice(sorted(CODEBOOKS)),
    show_default="that of the index",
    help="Write the local features of the copy for this codebook; the photos are not needed.",
)
@options.format_option
@options.quiet_option
def copy(target: Home, *, index_path: Home, codebook: str | None, form: str, quiet: bool) -> int:
    """Copy the index to HOME: a new or empty folder, or the URL of a database with an empty schema.

    All of it goes along: photos, decisions, banks, users, groups and rings. The index itself stays as it is. A copy
    that was cut off goes on when the same command is given again, and every row of both is compared before HOME is an
    index: while this runs nobody should write to the index, for what comes in meanwhile is not in the copy.
    """
    from imgmatch import Index
    from imgmatch.formats.records import copied_record

    with Index.open(index_path) as index, bars(quiet=quiet) as progress:
        done = index.copy(target, codebook=codebook, progress=progress)
        with Index.open(target) as copied:
            copied.rebuild(progress=progress)
    options.write_record(copied_record(done), form)
    return 0
