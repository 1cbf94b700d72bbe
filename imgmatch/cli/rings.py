"""``imgmatch rings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import log, options
from imgmatch.cli.erasures import tell_erasures
from imgmatch.cli.metrics import check_metrics, metrics_option, write_metrics
from imgmatch.cli.pages import rings_pages
from imgmatch.cli.progress import bars

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from imgmatch.homes import Home
    from imgmatch.model import RingsReport


@click.command(short_help="Groups of copies, and the accounts they tie.")
@options.index_option
@click.option("--new", is_flag=True, help="Only what has changed since the last --new; the next one goes on from here.")
@click.option("--min-accounts", type=click.IntRange(2), default=2, show_default=True, help="Leave out smaller rings.")
@click.option(
    "--common-accounts",
    type=click.IntRange(2),
    help="A picture on so many accounts that come over a long time (a default avatar) ties nobody.  [default: 15]",
)
@click.option(
    "--common-days",
    type=options.FiniteRange(0),
    help="The time is long if the middle half of them come over so many days.  [default: 120]",
)
@options.max_distance_option
@click.option(
    "--min-score",
    type=options.FiniteRange(0, 1),
    help="What a pair by local features scores at least.  [default: the pair model's own for so many pictures]",
)
@click.option(
    "--false-rings",
    type=options.FiniteRange(0, min_open=True),
    help="Take the score from which so many wrong ties are to be expected in this index, at least 0.5, in place of"
    " --min-score.",
)
@click.option("--no-search", is_flag=True, help="Do not look for copies of new photos first; nothing is written.")
@options.workers_option
@options.runner_option
@click.option("--out", type=options.NewFile(), default="-", help="Write here instead.")
@options.share_option
@metrics_option
@options.page_option
@options.quiet_option
def rings(
    *,
    index_path: Home,
    new: bool,
    min_accounts: int,
    common_accounts: int | None,
    common_days: float | None,
    max_distance: int | None,
    min_score: float | None,
    false_rings: float | None,
    no_search: bool,
    workers: int,
    runner: str | None,
    out: TextIO,
    share_with_group: bool,
    metrics_file: Path | None,
    form: str,
    quiet: bool,
) -> int:
    """Show accounts tied together by photos they share, the largest ring first, and who had a photo first.

    New photos are first looked up among all by their local features; what is found is kept, so that each run looks up
    only what is new.
    """
    from imgmatch import Index

    if new and no_search:
        raise click.UsageError("--new writes the report down; --no-search writes nothing")
    if min_score is not None and false_rings is not None:
        raise click.UsageError("--false-rings chooses the score that --min-score gives: give one of them")
    check_metrics(metrics_file)
    with Index.open(index_path, workers=workers, runner=runner) as index:
        tell_erasures(index, quiet=quiet)
        with bars(quiet=quiet) as progress:
            report = index.rings(
                max_distance=max_distance,
                min_score=min_score,
                false_rings=false_rings,
                search=not no_search,
                common_accounts=common_accounts,
                common_days=common_days,
                progress=progress,
            )
        shown = (report.changed() if new else report).of_size(min_accounts)
        if form == "html":
            with bars(quiet=quiet) as progress:
                out.writelines(rings_pages(index, index_path, shown, progress))
        else:
            out.write(_text(shown, form, new=new))
        out.flush()  # what cannot be written is an error here, not lost when the file is closed
        quarantined = [bank for bank in index.bank_lists.all() if bank.quarantined]
        if new:  # only now: a report that nobody could read is not the last one
            index.keep_report(report)
    shared = options.is_shared(index_path=index_path, share_with_group=share_with_group)
    _report_figures(report, metrics_file, shared=shared)
    _note_what_is_not_shown(shown, form, quiet=quiet)
    for bank in quarantined:
        options.note(
            f"bank {bank.name}: {bank.quarantined:,} entries are in quarantine, because they suddenly hit very many"
            f" photos; see imgmatch bank show {bank.name}",
            quiet=quiet,
        )
    return 0


def _report_figures(report: RingsReport, metrics_file: Path | None, *, shared: bool) -> None:
    """What a run came to in numbers, for programs."""
    values = _values(report)
    write_metrics(metrics_file, "rings", values, shared=shared)
    log.event("rings", **values)


def _values(report: RingsReport) -> dict[str, float | dict[str, float]]:
    from imgmatch.model import Change

    changed: dict[str, float] = {str(change): sum(change in ring.changes for ring in report.rings) for change in Change}
    return {
        "rings": len(report.rings),
        "accounts": sum(len(ring.accounts) for ring in report.rings),
        "known_stolen": sum(ring.bank is not None for ring in report.rings),
        "changed": changed | {str(Change.GONE): len(report.gone)},
        "common_pictures": len(report.common),
        "expected_false": report.expected_false,
        "expected_false_low": report.expected_false_between[0],
        "expected_false_high": report.expected_false_between[1],
        "pictures_searched": report.searched.pictures,
        "pictures_unreadable": report.searched.unreadable,
    }


def _text(report: RingsReport, form: str, *, new: bool) -> str:
    from imgmatch.formats.records import RING_COLUMNS, gone_record, ring_record, ring_rows
    from imgmatch.formats.table import rings_table
    from imgmatch.formats.text import as_csv, as_json, as_json_line

    records = [ring_record(ring) for ring in report.rings] + [gone_record(ring) for ring in report.gone if new]
    match form:
        case "json":
            return as_json(records)
        case "jsonl":
            return "".join(map(as_json_line, records))
        case "csv":
            return "".join(as_csv((row for ring in report.rings for row in ring_rows(ring)), RING_COLUMNS))
        case _:
            return rings_table(report, options.terminal_width(), new=new)


def _note_what_is_not_shown(report: RingsReport, form: str, *, quiet: bool) -> None:
    searched = report.searched
    if searched.unreadable:
        options.note(
            f"{searched.unreadable:,} large photo{'s' * (searched.unreadable != 1)} could not be read again:"
            " parts of them were not looked for",
            quiet=quiet,
        )
    if form != "table":
        if report.common:
            options.note(f"{len(report.common):,} common pictures tie nobody", quiet=quiet)
        for ring in report.gone:
            options.note(f"ring {ring.ring} is gone", quiet=quiet)
