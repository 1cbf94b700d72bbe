"""The engines of an index in shards on a Ray cluster: have them held so, and have that end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog.shards import ShardRecord, drop_shards, read_shards, write_shards
from imgmatch.catalog.tokens import new_token
from imgmatch.engines.shards import tending
from imgmatch.engines.shards.division import MOST_SHARDS, Division
from imgmatch.engines.shards.saving import drop_snapshots, folder_of
from imgmatch.engines.shards.seats import seats_of
from imgmatch.engines.shards.stores import refuse_unless_writable
from imgmatch.errors import ConflictError, ImgmatchError, UnknownNameError

if TYPE_CHECKING:
    from imgmatch.engines.parts import Parts
    from imgmatch.model import ShardHealth

LEASE = "shards"
"""What is held while shards are started or stopped."""

DEADLINE_SECONDS, MOST_SECONDS = 5.0, 600.0
MOST_REPLICAS = 16

PLACE_SECONDS = 180.0


def start_shards(
    parts: Parts,
    shards: int,
    *,
    at: str,
    replicas: int = 1,
    deadline: float = DEADLINE_SECONDS,
    snapshots: str | None = None,
) -> tuple[ShardHealth, ...]:
    """Have shards hold the engines, on every machine that opens the index, from when they have read their rows.

    Where there are shards already at the same place, those go on: one more takes over its share of each.

    Args:
        parts: of the index, which is in a database.
        shards: how many share the rows.
        at: the Ray cluster, ``ray://head:10001``, ``ray:head:6379`` or ``ray:auto``.
        replicas: how many hold each shard.
        deadline: seconds in which a check has the answers of shards; what has not answered by then is missing.
        snapshots: where shards save what they hold, and are made from when they are started anew: a folder that all
            nodes share, or one in a bucket.

    Returns:
        how each shard is.

    Raises:
        ConflictError: the index is in a folder, which other machines do not see.
        UnknownNameError: ``at`` is no cluster, or ``snapshots`` no such place.
        ValueError: a number is out of its range.
        IndexLockedError: somebody else starts or stops its shards.
        ImgmatchError: the cluster cannot be reached, a node is refused, or a shard does not answer.
    """
    url = _url(parts)
    _refuse_odd(shards, replicas, deadline, at)
    if snapshots is not None:
        refuse_unless_writable(snapshots, folder_of(parts.header.catalog))
    with parts.catalog.lease(LEASE):
        known = parts.search.record()
        if known is not None and known.address != at:
            _end(parts, known)
            known = None
        record = ShardRecord(at, shards, replicas, 1, new_token(), float(deadline), snapshots)
        if known is not None:
            record = replace(record, version=known.version + 1, place=known.place)
        _change(parts, url, known, record)
    return tending.healths(parts.catalog, parts.search.holders, record)


def stop_shards(parts: Parts) -> None:
    """End all shards; from now on each machine has engines of its own. Nothing where there are none.

    Raises:
        ConflictError: the index is in a folder.
        IndexLockedError: somebody else starts or stops its shards.
        ImgmatchError: the cluster cannot be reached: nobody asks its shards any more, but they may be there still.
    """
    _url(parts)
    with parts.catalog.lease(LEASE):
        known = parts.search.record()
        if known is not None:
            _end(parts, known)


def _url(parts: Parts) -> str:
    if parts.url is None:
        raise ConflictError(
            f"index {parts.name} is in a folder: only one in a database, which every node reaches, can be held in"
            " shards (imgmatch copy brings it there)"
        )
    return parts.url


def _refuse_odd(shards: int, replicas: int, deadline: float, at: str) -> None:
    if not 1 <= shards <= MOST_SHARDS:
        raise ValueError(f"there are from 1 to {MOST_SHARDS} shards")
    if not 1 <= replicas <= MOST_REPLICAS:
        raise ValueError(f"from 1 to {MOST_REPLICAS} hold each shard")
    if not 0 < deadline <= MOST_SECONDS:
        raise ValueError(f"the deadline is above 0 and at most {MOST_SECONDS:g} seconds")
    kind, _, where = at.partition(":")
    if kind not in registry.SHARD_LINKS or not where:
        raise UnknownNameError(f"{at!r} is no Ray cluster: ray://HOST:10001, ray:HOST:6379 or ray:auto")


def _change(parts: Parts, url: str, known: ShardRecord | None, record: ShardRecord) -> None:
    """Go from those who hold shards now to others; until these are ready, those answer."""
    holders, every = parts.search.holders, seats_of(record.shards, record.replicas)
    link, before = holders.link(record.address), [] if known is None else seats_of(known.shards, known.replicas)
    try:
        link.place(url, record.shards, record.replicas, keep_others=True, seconds=PLACE_SECONDS)
        tending.make_ready(parts.catalog, holders, record, [seat for seat in every if seat not in before])
    except ImgmatchError:
        shards, replicas = (0, 0) if known is None else (known.shards, known.replicas)
        if not link.is_lost:
            link.place(url, shards, replicas, keep_others=False, seconds=PLACE_SECONDS)
        raise
    with parts.catalog.write() as session:
        write_shards(session, record)
    link.place(url, record.shards, record.replicas, keep_others=False, seconds=PLACE_SECONDS)
    tending.make_ready(parts.catalog, holders, record, every)
    if known is not None and known.snapshots is not None:
        same = known.snapshots == record.snapshots
        division = Division(record.shards, record.version) if same else None
        drop_snapshots(known.snapshots, parts.header.catalog, division)
    tending.save_snapshots(parts.catalog, holders, record)


def _end(parts: Parts, known: ShardRecord) -> None:
    with parts.catalog.write() as session:
        if read_shards(session) == known:
            drop_shards(session)
    parts.search.holders.link(known.address).place("", 0, 0, keep_others=False, seconds=PLACE_SECONDS)
    if known.snapshots is not None:
        drop_snapshots(known.snapshots, parts.header.catalog)
