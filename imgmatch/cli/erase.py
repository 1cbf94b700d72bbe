"""``imgmatch erase``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Remove an account or a photo, with proof.")
@options.index_option
@click.option("--account", help="Erase all photos of this account.")
@click.option("--photo-id", help="Erase this photo.")
@options.format_option
def erase(*, index_path: Path, account: str | None, photo_id: str | None, form: str) -> int:
    """Remove an account or a photo from the catalog and the engine files, then search every file for traces.

    What is still in its source comes back with the next scan.
    """
    from imgmatch.actions.erase import erase as erase_everywhere
    from imgmatch.formats.records import erase_record
    from imgmatch.index import Index

    if (account is None) == (photo_id is None):
        raise click.UsageError("give --account or --photo-id")
    with Index.open(index_path) as index:
        erasure = erase_everywhere(index, account=account, photo_id=photo_id)
    options.write_record(erase_record(erasure), form)
    return 1 if erasure.traces else 0
