"""``imgmatch rebuild``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.erasures import tell_erasures
from imgmatch.cli.progress import bars

if TYPE_CHECKING:
    from imgmatch.homes import Home


@click.command(short_help="Make the engine file anew.")
@options.index_option
@options.format_option
@options.quiet_option
def rebuild(*, index_path: Home, form: str, quiet: bool) -> int:
    """Make the engine file anew from the catalog alone; the photos are not needed."""
    from imgmatch import Index
    from imgmatch.formats.records import status_record

    with Index.open(index_path) as index, bars(quiet=quiet) as progress:
        tell_erasures(index, quiet=quiet)
        status = index.rebuild(progress=progress)
    options.write_record(status_record(status), form)
    return 0
