"""``imgmatch calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.cli.erasures import tell_erasures

if TYPE_CHECKING:
    from imgmatch.homes import Home


@click.command(short_help="Fit scores to your own decisions.")
@click.argument("pairs", metavar="[PAIRS.csv]", required=False, type=click.Path(dir_okay=False, path_type=Path))
@options.index_option
@click.option("--decisions", is_flag=True, help="Fit to what was decided in this index as well.")
@click.option("--checks", type=click.IntRange(0), help="Checks a night.  [default: as many as there are photos]")
@click.option(
    "--false-per-1000",
    type=options.FiniteRange(0, min_open=True),
    help="Accept candidates from the score that lets so many false answers be expected in a thousand checks.",
)
@click.option(
    "--sample", type=click.IntRange(1), default=300, show_default=True, help="Photos checked for the forecast."
)
@options.workers_option
@options.format_option
def calibrate(
    pairs: Path | None,
    *,
    index_path: Home,
    decisions: bool,
    checks: int | None,
    false_per_1000: float | None,
    sample: int,
    workers: int,
    form: str,
) -> int:
    """Fit scores to PAIRS.csv, and say how many false answers a night to expect from this index.

    The file has columns query, stored (paths, relative to it) and copy (yes or no): pairs that people have decided.
    With neither it nor --decisions nothing is changed, unless --false-per-1000 is given.
    """
    from imgmatch import Index, read_pairs
    from imgmatch.formats.records import forecast_record

    labelled, problems = ([], []) if pairs is None else read_pairs(pairs)
    for problem in problems:
        options.note(problem, quiet=False)
    with Index.open(index_path, workers=workers) as index:
        tell_erasures(index)
        forecast = index.calibrate(
            labelled, decisions=decisions, checks=checks, false_per_1000=false_per_1000, sample=sample
        )
    options.write_record(forecast_record(forecast), form)
    return options.EXIT_SOME_SKIPPED if forecast.unusable or problems else 0
