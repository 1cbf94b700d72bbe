"""``imgmatch audit``: what was done, and whether the log of it is whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch.homes import Home

_DIGEST = re.compile("[0-9a-f]{64}")


@click.group(short_help="What was done, and proof that the log is whole.")
def audit() -> None:
    """Show what was done (logins, decisions, exports, erasures), and prove that the log of it is whole.

    An entry names no account and no photo: an erasure leaves the log as it is.
    """


@audit.command("list", short_help="List what was done.")
@options.index_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="So many at the most.")
@click.option("--before", type=click.IntRange(1), metavar="NUMBER", help="Only entries of a lower number.")
@click.option("--action", metavar="ACTION", help="Only entries of this kind, such as decide.")
@options.format_option
def list_(*, index_path: Home, limit: int, before: int | None, action: str | None, form: str) -> int:
    """List what was done, the latest first."""
    from imgmatch import Index
    from imgmatch.formats.records import audit_record

    with Index.open(index_path) as index:
        entries = index.people.audit(limit=limit, before=before, action=action)
    options.write_records([audit_record(one) for one in entries], form)
    return 0


@audit.command("verify", short_help="Prove that the log is whole.")
@options.index_option
@click.option("--head", metavar="DIGEST", help="A digest that was noted earlier: an entry of it must still be there.")
@options.format_option
def verify(*, index_path: Home, head: str | None, form: str) -> int:
    """Go through the log and look whether each entry follows from those before; exit code 1 if not.

    The head is the digest of the last entry. Noted elsewhere, it shows later that nothing was cut off the end.
    """
    from imgmatch import Index
    from imgmatch.formats.records import proof_record

    if head is not None and not _DIGEST.fullmatch(head):
        raise click.UsageError("a head is a whole digest: 64 hexadecimal digits")
    with Index.open(index_path) as index:
        proof = index.people.verify_audit(head)
    options.write_record(proof_record(proof), form)
    if proof.holds_head is False:
        options.note("this head is not in the log: entries were cut off, or it is the head of another log", quiet=False)
    return 0 if proof.is_whole else 1
