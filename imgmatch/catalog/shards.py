"""Where an index in a database has its engines held in shards: said there, for every machine that opens it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from imgmatch.catalog.places import SHARDS, drop_place
from imgmatch.catalog.postgresql_schema import places, settings
from imgmatch.catalog.tokens import is_token
from imgmatch.errors import IndexDamagedError

if TYPE_CHECKING:
    from sqlalchemy import Select

    from imgmatch.catalog.session import Session

_NAME = "shards"


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """Who holds the engines.

    Attributes:
        address: of the Ray cluster, as ``--runner`` takes it: ``ray://head:10001``.
        shards: how many share the rows.
        replicas: how many hold each shard.
        version: rises by one with each change.
        place: what tombstones that shards have not heard of yet are filed under.
        deadline: seconds in which a look-up has its answers.
        snapshots: where shards save what they hold; ``None`` where they do not.
    """

    address: str
    shards: int
    replicas: int
    version: int
    place: str
    deadline: float
    snapshots: str | None = None


def read_shards(session: Session) -> ShardRecord | None:
    """What is said; ``None`` where every machine has engines of its own. For PostgreSQL alone.

    Raises:
        IndexDamagedError: what is said cannot be.
    """
    return parsed_record(session.sql.scalar(record_query()))


def record_query() -> Select[Any]:
    """What asks for what is said, as :func:`parsed_record` takes it. For PostgreSQL alone."""
    return select(settings.c.value).where(settings.c.name == _NAME)


def parsed_record(value: str | None) -> ShardRecord | None:
    """What is said; ``None`` where nothing is.

    Raises:
        IndexDamagedError: what is said cannot be.
    """
    if value is None:
        return None
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {
            "address": str(address),
            "shards": int(shards),
            "replicas": int(replicas),
            "version": int(version),
            "place": str(place),
            "deadline": float(deadline),
        } if shards > 0 and replicas > 0 and deadline > 0 and is_token(place):
            snapshots = said.get("snapshots")  # an earlier imgmatch says nothing of them
            if snapshots is None or isinstance(snapshots, str):
                return ShardRecord(address, shards, replicas, version, place, deadline, snapshots)
    raise IndexDamagedError("its catalog does not say where its shards are")


def write_shards(session: Session, record: ShardRecord) -> None:
    """Say who holds the engines from now on; what is removed is kept in mind for them."""
    _forget_record(session)
    session.sql.execute(insert(settings).values(name=_NAME, value=json.dumps(asdict(record))))
    note_shards(session, record.place)


def note_shards(session: Session, place: str) -> None:
    """Note that shards are in use, so that what is removed is kept in mind for them."""
    session.sql.execute(delete(places).where(places.c.place == place))
    session.sql.execute(insert(places).values(place=place, machine=SHARDS, opened_at=session.now()))


def drop_shards(session: Session) -> None:
    """Nobody holds the engines any more: each machine has its own."""
    record = read_shards(session)
    _forget_record(session)
    if record is not None:
        drop_place(session, record.place)


def _forget_record(session: Session) -> None:
    session.sql.execute(delete(settings).where(settings.c.name == _NAME))
