"""``imgmatch erase``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.erasures import tell_erasures, tell_what_is_left

if TYPE_CHECKING:
    from imgmatch.homes import Home
    from imgmatch.model import ReportSearch


@click.command(short_help="Remove an account or photos, with proof.")
@options.index_option
@click.option("--account", help="Erase all photos of this account.")
@click.option("--photo-id", help="Erase this photo.")
@click.option("--older-than", type=options.FiniteRange(0), metavar="DAYS", help="Erase photos first seen so long ago.")
@click.option(
    "--reports",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Name the reports of rings here that still show what was erased: a file, or a folder with all in it; may be"
    " given several times.",
)
@click.option(
    "--mask-reasons", is_flag=True, help="Where the reason of a decision speaks of what is erased, put … in its place."
)
@options.format_option
def erase(
    *,
    index_path: Home,
    account: str | None,
    photo_id: str | None,
    older_than: float | None,
    paths: tuple[Path, ...],
    mask_reasons: bool,
    form: str,
) -> int:
    """Remove an account, a photo or old photos everywhere, then search every file for traces.

    What is still in its source comes back with the next scan, unless that scan has a retention period (--keep-days). An
    erasure that was cut off is finished by the same command again, and by the next `scan`, `rings`, `calibrate`,
    `rebuild` or other `erase`.

    Reasons of decisions are what a moderator said, and stay. Those that name what was erased (by an id, a name or a
    file name of at least four characters, as whole words) are listed; --mask-reasons masks the names in them.

    Reports lie outside the index. With --reports those that still show an erased photo, or an account that has no photo
    left, are named and left as they are: deleting them is for you to decide.

    The exit code is 1 where traces were found, the erasure could not be finished, a scan has added again what was
    erased, a reason or a report still shows it, or a report cannot be read.
    """
    from imgmatch import Index, search_reports
    from imgmatch.formats.records import erase_record
    from imgmatch.formats.reported import reader

    if sum(one is not None for one in (account, photo_id, older_than)) != 1:
        raise click.UsageError("give one of --account, --photo-id and --older-than")
    before = None if older_than is None else datetime.now(UTC) - timedelta(days=older_than)
    with Index.open(index_path) as index:
        tell_erasures(index)
        erasure = index.erase(account=account, photo_id=photo_id, before=before, mask_reasons=mask_reasons)
    searched = None
    try:
        if paths:
            searched = search_reports(paths, erasure.gone_accounts, erasure.gone_photos, reader)
    finally:  # what is erased is erased, whatever becomes of the reports
        options.write_record(erase_record(erasure, searched), form)
    left = tell_what_is_left(erasure)
    return 1 if (searched is not None and _is_work_left(searched)) or left else 0


def _is_work_left(searched: ReportSearch) -> bool:
    """Say what is left to do, if anything is."""
    for path, why in searched.unclear:
        options.note(f"{path}: cannot tell what it shows: {why}", quiet=False)
    if searched.showing:
        count = len(searched.showing)
        said = f"{count:,} reports still show" if count > 1 else "1 report still shows"
        options.note(f"{said} what was erased; imgmatch deletes none: that is for you to decide", quiet=False)
    return bool(searched.unclear or searched.showing)
