"""``imgmatch erase``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Remove an account or photos, with proof.")
@options.index_option
@click.option("--account", help="Erase all photos of this account.")
@click.option("--photo-id", help="Erase this photo.")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Erase photos first seen so long ago.")
@options.format_option
def erase(*, index_path: Path, account: str | None, photo_id: str | None, older_than: float | None, form: str) -> int:
    """Remove an account, a photo or old photos everywhere, then search every file for traces.

    What is still in its source comes back with the next scan, unless that is told how long to keep (--keep-days).
    """
    from imgmatch.actions.erase import erase as erase_everywhere
    from imgmatch.formats.records import erase_record
    from imgmatch.index import Index

    if sum(one is not None for one in (account, photo_id, older_than)) != 1:
        raise click.UsageError("give one of --account, --photo-id and --older-than")
    before = None if older_than is None else datetime.now(UTC) - timedelta(days=older_than)
    with Index.open(index_path) as index:
        erasure = erase_everywhere(index, account=account, photo_id=photo_id, before=before)
    options.write_record(erase_record(erasure), form)
    return 1 if erasure.traces else 0
