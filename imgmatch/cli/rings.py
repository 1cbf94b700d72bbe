"""``imgmatch rings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from imgmatch.actions.rings import RingsReport

COLUMNS = ("ring", "group", "account", "name", "photo", "photo_id", "seen_at", "first")


@click.command(short_help="Groups of copies, and the accounts they tie.")
@options.index_option
@click.option("--min-accounts", type=click.IntRange(2), default=2, show_default=True, help="Leave out smaller rings.")
@click.option(
    "--common-accounts",
    type=click.IntRange(1),
    help="A picture on more accounts than this (a default avatar) ties nobody.  [default: 50]",
)
@options.max_distance_option
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", help="Write here instead.")
@options.format_option
@options.quiet_option
def rings(
    *,
    index_path: Path,
    min_accounts: int,
    common_accounts: int | None,
    max_distance: int | None,
    out: TextIO,
    form: str,
    quiet: bool,
) -> int:
    """Show accounts tied together by photos they share, the largest ring first, and who had a photo first."""
    from imgmatch.actions.rings import COMMON_ACCOUNTS, find_rings
    from imgmatch.index import Index

    with Index.open(index_path) as index:
        report = find_rings(
            index,
            min_accounts=min_accounts,
            max_distance=max_distance,
            common_accounts=COMMON_ACCOUNTS if common_accounts is None else common_accounts,
        )
    out.write(_text(report, form))
    out.flush()  # what cannot be written is told, not lost when the file is closed
    if report.common and form != "table":
        options.note(f"{len(report.common):,} common pictures tie nobody", quiet=quiet)
    return 0


def _text(report: RingsReport, form: str) -> str:
    from imgmatch.formats.records import ring_record, ring_rows
    from imgmatch.formats.table import rings_table
    from imgmatch.formats.text import as_csv, as_json, as_json_line

    match form:
        case "json":
            return as_json([ring_record(ring) for ring in report.rings])
        case "jsonl":
            return "".join(as_json_line(ring_record(ring)) for ring in report.rings)
        case "csv":
            return "".join(as_csv((row for ring in report.rings for row in ring_rows(ring)), COLUMNS))
        case _:
            return rings_table(report, options.terminal_width())
