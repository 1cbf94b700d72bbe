"""``imgmatch status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch.homes import Home


_TO_REBUILD = {"damaged": "is damaged", "different": "holds other rows than the catalog"}
"""What is said of an engine file that is found so."""


@click.command(short_help="Counts and health of an index.")
@options.index_option
@click.option(
    "--verify",
    is_flag=True,
    help="Compare the engine files with the catalog, read all of it, and name what is damaged.",
)
@options.format_option
def status(*, index_path: Home, verify: bool, form: str) -> int:
    """Show how much an index holds, what it is made of, and whether its engine files are there and complete."""
    from imgmatch import Index
    from imgmatch.formats.records import status_record

    with Index.open(index_path) as index:
        found = index.status(verify=verify)
    options.write_record(status_record(found), form)
    for what, health in (("fingerprints", found.snapshot), ("local features", found.features_snapshot)):
        if health in _TO_REBUILD:
            options.note(
                f"the engine file of {what} {_TO_REBUILD[health]}; imgmatch rebuild makes it anew", quiet=False
            )
    for shard in found.shards:
        if shard.problem is not None:
            options.note(f"{shard.shard}: {shard.answering} of {shard.replicas} answer ({shard.problem})", quiet=False)
    if found.access == "everyone":
        options.note(
            f"everyone on this machine may look into {index_path}: chmod -R go= it,"
            " or share it with a group alone (scan --share-with-group)",
            quiet=False,
        )
    if found.unfinished_erasures:
        said = f"erasures under way or unfinished: {found.unfinished_erasures:,}"
        options.note(f"{said}; what was to be erased may still be here", quiet=False)
    return 0
