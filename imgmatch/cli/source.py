"""``imgmatch source``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch import Index
    from imgmatch.homes import Home

_PATHS = {"list": 0, "rename": 2, "drop": 1}
"""How many paths each needs."""


@click.command(short_help="List, rename or drop sources.")
@click.argument("what", type=click.Choice(list(_PATHS)))
@click.argument("paths", nargs=-1, metavar="[SOURCE] [NEW]")
@options.index_option
@click.option("--yes", is_flag=True, help="Drop without asking.")
@options.format_option
def source(what: str, paths: tuple[str, ...], *, index_path: Home, yes: bool, form: str) -> int:
    """List the sources that photos came from, or rename or drop one.

    list: each SOURCE with its kind, its photos and when it was scanned. rename SOURCE NEW: it has moved; its photos are
    filed under NEW, and keep their accounts, groups and decisions. drop SOURCE: it is gone; its photos are removed, as
    --prune removes photos. What is still there comes back with the next scan.

    A rename that was cut off is finished by the same command again, and by the next `scan`, `rings`, `calibrate`,
    `rebuild` or `erase`.
    """
    from imgmatch import Index
    from imgmatch.formats.records import source_change_record

    if len(paths) != _PATHS[what]:
        raise click.UsageError(f"{what} takes {_PATHS[what]} paths")
    if what == "drop" and not yes:
        _ask(paths[0])
    with Index.open(index_path) as index:
        if what == "list":
            _list(index, form)
            return 0
        change = index.rename_source(*paths) if what == "rename" else index.drop_source(*paths)
    options.write_record(source_change_record(change), form)
    return 0


def _list(index: Index, form: str) -> None:
    from imgmatch.formats.records import source_record

    options.write_records([source_record(known) for known in index.sources()], form)


def _ask(path: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("drop asks before it removes photos; without a terminal give --yes")
    click.confirm(f"Remove all photos that came from {path}?", abort=True, err=True)
