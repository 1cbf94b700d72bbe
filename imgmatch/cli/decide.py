"""``imgmatch decide``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from imgmatch.homes import Home


@click.command(short_help="Confirm, dismiss, mark as common, or undo.")
@click.argument("verdict", type=click.Choice([str(one) for one in Verdict]))
@options.index_option
@click.option("--ring", metavar="RING", help="Decide on this ring: on all its groups.")
@click.option("--group", metavar="GROUP", help="Decide on this group.")
@click.option("--pair", nargs=2, metavar="PHOTO_ID PHOTO_ID", help="Decide on these two photos.")
@click.option("--decision", type=click.IntRange(1), metavar="NUMBER", help="Of undo: the decision to take back.")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", metavar="TEXT", help="Why.")
@options.format_option
def decide(
    verdict: str,
    *,
    index_path: Home,
    ring: str | None,
    group: str | None,
    pair: tuple[str, str] | None,
    decision: int | None,
    by: str,
    reason: str | None,
    form: str,
) -> int:
    """Decide on a ring, a group or a pair of photos that `imgmatch rings` shows.

    confirm: copies in the hands of a gang. Their pictures become known-stolen: whoever carries one is shown, be it one
    account alone. dismiss: no copies, or rightly there. They never stand in one group again. common: a picture anybody
    may carry. It ties nobody.

    Decisions are kept for good. A later one on the same photos counts instead. undo takes one back, by its number:
    what was decided before it counts again.
    """
    from imgmatch import Index, Verdict
    from imgmatch.formats.records import decision_record

    named = sum(one is not None for one in (ring, group, pair))
    undoing = verdict == Verdict.UNDO
    if undoing != (decision is not None) or named != (not undoing):
        raise click.UsageError("give --decision to undo one, else one of --ring, --group and --pair")
    with Index.open(index_path) as index:
        if decision is not None:
            made = index.undo(decision, by=by, reason=reason)
        else:
            made = index.decide(Verdict(verdict), ring=ring, group=group, pair=pair, by=by, reason=reason)
    options.write_record(decision_record(made), form)
    return 0
