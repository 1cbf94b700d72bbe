"""``imgmatch shards``: the engines of an index in shards on a Ray cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch.homes import Home


@click.group(short_help="Hold what is searched in shards on a Ray cluster.")
def shards() -> None:
    """Hold what is searched in shards on a Ray cluster, for every machine that opens the index.

    The index is in a database, which every node of the cluster reaches. imgmatch status shows how shards are.
    """


@shards.command("start", short_help="Start shards, or change how many there are.")
@options.index_option
@click.option("--shards", "count", type=click.IntRange(1, 256), required=True, help="How many share the index.")
@click.option(
    "--replicas", type=click.IntRange(1, 16), default=1, show_default=True, help="How many actors hold each shard."
)
@click.option(
    "--at", required=True, metavar="CLUSTER", help="The Ray cluster: ray://HOST:10001, ray:HOST:6379 or ray:auto."
)
@click.option(
    "--deadline",
    type=options.FiniteRange(0, 600, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds in which a check has the answers of shards; one that is late is missing, and named.",
)
@click.option(
    "--snapshots",
    metavar="PLACE",
    help="Where shards save what they hold, to be made from when they are started anew: a folder that all nodes share,"
    " s3://BUCKET/FOLDER or gs://BUCKET/FOLDER.",
)
@options.format_option
def start(
    *, index_path: Home, count: int, replicas: int, at: str, deadline: float, snapshots: str | None, form: str
) -> int:
    """Start shards and wait until they have read the index; from then on every machine asks them.

    Shards that are there already go on: one more takes over its share of each.
    """
    from imgmatch import Index

    with Index.open(index_path) as index:
        found = index.start_shards(count, at=at, replicas=replicas, deadline=deadline, snapshots=snapshots)
    options.write_records([asdict(shard) for shard in found], form)
    return 0


@shards.command("stop", short_help="End all shards.")
@options.index_option
@options.quiet_option
def stop(*, index_path: Home, quiet: bool) -> int:
    """End all shards: from now on each machine that opens the index has engine files of its own."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        index.stop_shards()
    options.note("there are no shards any more", quiet=quiet)
    return 0
