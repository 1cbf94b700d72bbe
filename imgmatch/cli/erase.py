"""``imgmatch erase``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch.model import ReportSearch


@click.command(short_help="Remove an account or photos, with proof.")
@options.index_option
@click.option("--account", help="Erase all photos of this account.")
@click.option("--photo-id", help="Erase this photo.")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Erase photos first seen so long ago.")
@click.option(
    "--reports",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Name the reports of rings here that still show what was erased: a file, or a folder with all in it; may be"
    " given several times.",
)
@options.format_option
def erase(
    *,
    index_path: Path,
    account: str | None,
    photo_id: str | None,
    older_than: float | None,
    paths: tuple[Path, ...],
    form: str,
) -> int:
    """Remove an account, a photo or old photos everywhere, then search every file for traces.

    What is still in its source comes back with the next scan, unless that scan has a retention period (--keep-days).

    Reports lie outside the index. With --reports those that still show an erased photo, or an account that has no photo
    left, are named and left as they are: deleting them is for you to decide.

    The exit code is 1 where traces were found, a report still shows what was erased, or one cannot be read.
    """
    from imgmatch import Index, search_reports
    from imgmatch.formats.records import erase_record
    from imgmatch.formats.reported import reader

    if sum(one is not None for one in (account, photo_id, older_than)) != 1:
        raise click.UsageError("give one of --account, --photo-id and --older-than")
    before = None if older_than is None else datetime.now(UTC) - timedelta(days=older_than)
    with Index.open(index_path) as index:
        erasure = index.erase(account=account, photo_id=photo_id, before=before)
    searched = None
    try:
        if paths:
            searched = search_reports(paths, erasure.gone_accounts, erasure.gone_photos, reader)
    finally:  # what is erased is erased, whatever becomes of the reports
        options.write_record(erase_record(erasure, searched), form)
    return 1 if erasure.traces or (searched is not None and _is_work_left(searched)) else 0


def _is_work_left(searched: ReportSearch) -> bool:
    """Say what is left to do, if anything is."""
    for path, why in searched.unclear:
        options.note(f"{path}: cannot tell what it shows: {why}", quiet=False)
    if searched.showing:
        count = len(searched.showing)
        said = f"{count:,} reports still show" if count > 1 else "1 report still shows"
        options.note(f"{said} what was erased; imgmatch deletes none: that is for you to decide", quiet=False)
    return bool(searched.unclear or searched.showing)
