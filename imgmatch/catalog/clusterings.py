"""What the last clustering run has done, and with what options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session

_ONLY = 1
"""The one row of ``clusterings``."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """How far the kept groups are.

    Attributes:
        joined_watermark: row id up to which fingerprints were joined with all before them.
        joined_distance: bits within which their near pairs are kept.
        options: what the groups are made with, as JSON holds it.
        finished_at: when the last run was done, in microseconds since 1970, UTC; ``None`` until the first is.
    """

    joined_watermark: int
    joined_distance: int
    options: Mapping[str, Any]
    finished_at: int | None


def read_clustering(session: Session) -> Clustering | None:
    """The state; ``None`` where no run has begun, or where it is not known any more with what options."""
    table = schema.clusterings.c
    query = select(table.joined_watermark, table.joined_distance, table.options, table.finished_at)
    row = session.sql.execute(query.where(table.id == _ONLY)).first()
    return None if row is None or not row.options else Clustering(*row)


def begin_clustering(session: Session, joined_distance: int, options: Mapping[str, Any]) -> None:
    """Begin to keep near pairs and groups: nothing is joined yet."""
    values = {"joined_watermark": 0, "joined_distance": joined_distance, "options": dict(options)}
    session.sql.execute(delete(schema.clusterings))
    session.sql.execute(insert(schema.clusterings).values(id=_ONLY, **values))


def note_joined(session: Session, through: int) -> None:
    """Near pairs of all fingerprints up to this row are kept."""
    _set(session, joined_watermark=through)


def note_options(session: Session, joined_distance: int, options: Mapping[str, Any]) -> None:
    """From now on groups are made with these; nothing counts as joined where pairs farther apart are wanted."""
    known = read_clustering(session)
    if known is not None and joined_distance > known.joined_distance:
        _set(session, joined_watermark=0, joined_distance=joined_distance)
    _set(session, options=dict(options))


def note_finished(session: Session) -> None:
    """A run is done."""
    _set(session, finished_at=now())


def _set(session: Session, **values: object) -> None:
    session.sql.execute(update(schema.clusterings).where(schema.clusterings.c.id == _ONLY).values(**values))
