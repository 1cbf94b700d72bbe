"""``imgmatch decide``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Confirm, dismiss or mark as common.")
@click.argument("verdict", type=click.Choice(["confirm", "dismiss", "common"]))
@options.index_option
@click.option("--ring", metavar="RING", help="Decide on this ring: on all its groups.")
@click.option("--group", metavar="GROUP", help="Decide on this group.")
@click.option("--pair", nargs=2, metavar="PHOTO_ID PHOTO_ID", help="Decide on these two photos.")
@click.option("--by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", metavar="TEXT", help="Why.")
@options.format_option
def decide(
    verdict: str,
    *,
    index_path: Path,
    ring: str | None,
    group: str | None,
    pair: tuple[str, str] | None,
    by: str,
    reason: str | None,
    form: str,
) -> int:
    """Decide on a ring, a group or a pair of photos that `imgmatch rings` shows.

    confirm: copies in the hands of a gang. Their pictures become known-stolen: whoever carries one is shown, be it one
    account alone. dismiss: no copies, or rightly there. They never stand in one group again. common: a picture anybody
    may carry. It ties nobody.

    Decisions are kept for good. A later one on the same photos counts instead.
    """
    from imgmatch import Index, Verdict
    from imgmatch.formats.records import decision_record

    if sum(one is not None for one in (ring, group, pair)) != 1:
        raise click.UsageError("give one of --ring, --group and --pair")
    with Index.open(index_path) as index:
        decision = index.decide(Verdict(verdict), ring=ring, group=group, pair=pair, by=by, reason=reason)
    options.write_record(decision_record(decision), form)
    return 0
