"""Looking after those who hold shards: until they are ready, how they are, and that they let go of what was removed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from imgmatch.catalog.row_counts import forget_tombstones, tombstones
from imgmatch.engines.header import filed_as
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.shards.division import shard_name
from imgmatch.engines.shards.seats import seats_of
from imgmatch.errors import ShardsMissingError
from imgmatch.model import ShardHealth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.shards import ShardRecord
    from imgmatch.engines.shards.holding import ShardHolders
    from imgmatch.engines.shards.seats import Seat

READY_SECONDS = 1_800.0
"""In which one has read its rows: it reads some ten thousand pictures in a second."""

START_SECONDS = 60.0
"""So long one that cannot be asked, or fails, may be about to start."""

LOOK_SECONDS = 5.0
"""In which one says how it is."""

FORGET_SECONDS = 60.0
"""In which one has let go of what was removed."""

SAVE_SECONDS = 1_800.0
"""In which one has saved what it holds."""

_LOGGER = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_NAMED = 5
_ALL = (1 << 63) - 1


def make_ready(
    catalog: Catalog, holders: ShardHolders, record: ShardRecord, seats: Sequence[Seat], *, anew: bool = False
) -> None:
    """Wait until these have read their rows; one that is just being started is asked again.

    Args:
        catalog: of the index.
        holders: those who hold its shards.
        record: how many they are, and where.
        seats: who is waited for.
        anew: what they hold is made anew.

    Raises:
        ShardsMissingError: some did not become ready; they are named.
    """
    began, left = time.monotonic(), list(seats)
    while left:
        head = _head("ready", catalog, record)
        said = holders.ask_each(record, head | {"anew": anew}, READY_SECONDS, left)
        left = sorted(seat for seat, answer in said.items() if isinstance(answer, str) or "ready" not in answer)
        if left and time.monotonic() - began > START_SECONDS:
            why = "; ".join(f"{shard_name(seat.shard, record.shards)}: {_why(said[seat])}" for seat in left[:_NAMED])
            raise ShardsMissingError(f"shards at {record.address} are not ready: {why}")
        time.sleep(_PAUSE_SECONDS if left else 0)


def healths(catalog: Catalog, holders: ShardHolders, record: ShardRecord) -> tuple[ShardHealth, ...]:
    """How each shard is."""
    said = holders.ask_each(record, {"verb": "held"}, LOOK_SECONDS)
    with catalog.read() as session:
        last = [rows.last(session) for rows in ENGINES]
    return tuple(_health(record, shard, said, last) for shard in range(record.shards))


def forget_removed(catalog: Catalog, holders: ShardHolders, record: ShardRecord) -> tuple[str, ...]:
    """Have all let go of what the catalog has lost; names of the shards of which somebody has not done so."""
    with catalog.read() as session:
        kinds = [filed_as(rows.table, record.place) for rows in ENGINES]
        gone = {kind: rows for kind in kinds if (rows := tombstones(session, kind, None, _ALL))}
    if not gone:
        return ()
    said = holders.ask_each(record, {"verb": "forget", "place": record.place}, FORGET_SECONDS)
    behind = {seat.shard for seat, answer in said.items() if isinstance(answer, str) or "forgotten" not in answer}
    if not behind:
        with catalog.write() as session:
            for kind, rows in gone.items():
                forget_tombstones(session, kind, rows)
    return tuple(shard_name(shard, record.shards) for shard in sorted(behind))


def _head(verb: str, catalog: Catalog, record: ShardRecord) -> dict[str, Any]:
    """What shards are told so that they hold all that there is now."""
    with catalog.read() as session:
        through = [rows.last(session) for rows in ENGINES]
    about = {"shards": record.shards, "version": record.version, "snapshots": record.snapshots}
    return {"verb": verb, "through": through, **about}


def save_snapshots(catalog: Catalog, holders: ShardHolders, record: ShardRecord) -> None:
    """Have one of each shard read what is new, and save what it holds where that is worth it.

    Of one that cannot the log says so.
    """
    if record.snapshots is None:
        return
    head = _head("save", catalog, record)
    said = holders.ask_each(record, head, SAVE_SECONDS, seats_of(record.shards, 1))
    for seat, answer in sorted(said.items()):
        if isinstance(answer, str) or "saved" not in answer:
            name = shard_name(seat.shard, record.shards)
            _LOGGER.warning("%s has not saved its snapshot: %s", name, _why(answer))


def rebuild(catalog: Catalog, holders: ShardHolders, record: ShardRecord) -> None:
    """Have all make what they hold anew.

    Raises:
        ShardsMissingError: some did not; they are named.
    """
    make_ready(catalog, holders, record, seats_of(record.shards, record.replicas), anew=True)
    save_snapshots(catalog, holders, record)


def _why(answer: Mapping[str, object] | str) -> str:
    return answer if isinstance(answer, str) else "no reply"


def _health(
    record: ShardRecord, shard: int, said: Mapping[Seat, Mapping[str, object] | str], last: Sequence[int]
) -> ShardHealth:
    """How one shard is, by what those who hold it have said."""
    own = [answer for seat, answer in said.items() if seat.shard == shard]
    held = [found for answer in own if (found := _held(answer)) is not None]
    problems = [_why(answer) for answer in own if _held(answer) is None]
    return ShardHealth(
        shard_name(shard, record.shards),
        record.replicas,
        len(held),
        max((found[0] for found in held), default=0),
        max((found[2] for found in held), default=0),
        max((max(last[0] - found[1], last[1] - found[3], 0) for found in held), default=0),
        problems[0] if problems else None,
        next((text for answer in own if (text := _of_snapshot(answer)) is not None), None),
    )


def _of_snapshot(answer: Mapping[str, object] | str) -> str | None:
    match answer:
        case {"snapshot": str(said)}:
            return said
    return None


def _held(answer: Mapping[str, object] | str) -> list[int] | None:
    match answer:
        case {"held": [int(), int(), int(), int()] as held}:
            return [int(each) for each in held]
    return None
