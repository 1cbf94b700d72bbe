"""What an index in a database is made of, and the folders of engine files that belong to it: for PostgreSQL alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.postgresql_schema import places, settings
from imgmatch.catalog.row_counts import IN_ENGINES
from imgmatch.catalog.times import from_microseconds
from imgmatch.errors import IndexDamagedError
from imgmatch.model import EnginePlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from imgmatch.catalog.session import Session

SHARDS = "shards"
"""What stands in place of a machine where what is noted are the shards of the index, wherever they are."""

_DAY_US = 24 * 60 * 60 * 1_000_000


def has_settings(session: Session) -> bool:
    """Whether it is said what the index is made of, which makes tables an index."""
    return session.sql.execute(select(settings.c.name).limit(1)).first() is not None


def write_settings(session: Session, hashers: Sequence[str], engine: str, codebook: str) -> None:
    """Say what the index is made of, for good."""
    values = {"hashers": list(hashers), "engine": engine, "codebook": codebook}
    rows = [{"name": name, "value": json.dumps(value)} for name, value in values.items()]
    session.sql.execute(insert(settings), rows)


def read_settings(session: Session) -> tuple[tuple[str, ...], str, str]:
    """The names of the hashers, of the engine of fingerprints and of the codebook.

    Raises:
        IndexDamagedError: it does not say so.
    """
    rows = session.sql.execute(select(settings.c.name, settings.c.value)).all()
    try:
        said = {name: json.loads(value) for name, value in rows}
    except (ValueError, RecursionError):
        said = {}
    match said:
        case {"hashers": [str(), *_] as hashers, "engine": str(engine), "codebook": str(codebook)} if all(
            isinstance(name, str) for name in hashers
        ):
            return tuple(hashers), engine, codebook
    raise IndexDamagedError("its catalog does not say what the index is made of")


def note_place(session: Session, place: str, machine: str) -> None:
    """Note that this folder of engine files is in use: what is removed is kept in mind for it from now on."""
    at = session.now()
    row = session.sql.execute(select(places.c.opened_at).where(places.c.place == place)).first()
    if row is None:
        session.sql.execute(insert(places).values(place=place, machine=machine, opened_at=at))
    else:
        changed = update(places).where(places.c.place == place)
        session.sql.execute(changed.values(machine=machine, opened_at=at))


def is_noted(session: Session, place: str) -> bool:
    """Whether it was noted within the last day."""
    opened = session.sql.scalar(select(places.c.opened_at).where(places.c.place == place))
    return opened is not None and session.now() - opened < _DAY_US


def note_files(session: Session, place: str, through: Mapping[str, int | None]) -> None:
    """Note up to which rows of ``fingerprints`` and ``features`` the engine files of a place reach; ``None``: none."""
    session.sql.execute(update(places).where(places.c.place == place).values(dict(through)))


def read_places(session: Session, here: str | None, last: Mapping[str, int]) -> list[EnginePlace]:
    """Every folder of engine files, by its machine.

    Args:
        session: of the catalog.
        here: the one of this process.
        last: the highest row id of each table, as of :class:`imgmatch.catalog.extent.SearchExtent`.
    """
    gone: Counter[str] = Counter()
    kept = schema.tombstones.c
    for kind, number in session.sql.execute(select(kept.kind, func.count()).group_by(kept.kind)):
        gone[kind.rpartition("/")[2]] += number
    query = select(places).where(places.c.machine != SHARDS).order_by(places.c.machine, places.c.place)
    return [
        EnginePlace(
            row.machine,
            from_microseconds(row.opened_at),
            _behind([(last[name], getattr(row, name)) for name in IN_ENGINES]),
            gone[row.place],
            row.place == here,
        )
        for row in session.sql.execute(query)
    ]


def _behind(tables: Iterable[tuple[int, int | None]]) -> int | None:
    """Rows between the last one and the last one in a file, of the table that has most; none where one has no file."""
    between = [None if through is None else max(last - through, 0) for last, through in tables]
    return None if None in between else max(one for one in between if one is not None)


def places_behind(session: Session, place: str) -> list[str]:
    """The machines of other places whose engine files may hold rows that are gone; shards are asked themselves."""
    kept = schema.tombstones.c
    others = (places.c.place != place) & (places.c.machine != SHARDS)
    rows = session.sql.execute(select(places.c.place, places.c.machine).where(others)).all()
    return sorted(
        {
            machine
            for name, machine in rows
            if session.sql.execute(select(kept.row).where(kept.kind.endswith(f"/{name}")).limit(1)).first() is not None
        }
    )


def drop_old_places(session: Session, days: int) -> None:
    """Forget those that nobody opened for so long: one that comes back makes its engine files anew."""
    old = places.c.opened_at < session.now() - days * _DAY_US
    for place in list(session.sql.scalars(select(places.c.place).where(old))):
        drop_place(session, place)


def drop_place(session: Session, place: str) -> None:
    """Forget one, and what was kept in mind for it."""
    session.sql.execute(delete(schema.tombstones).where(schema.tombstones.c.kind.endswith(f"/{place}")))
    session.sql.execute(delete(schema.tokens).where(schema.tokens.c.kind.endswith(f"/{place}")))
    session.sql.execute(delete(places).where(places.c.place == place))
