"""Pairs of fingerprints that are near: found once, when the later of the two comes in, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, union

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import PARAMETERS, chunks, pairs_table
from imgmatch.catalog.dialects import is_postgresql
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from imgmatch.catalog.session import Session

_READ_AT_ONCE = 20_000
_STORED_AT_ONCE = 10_000

# A fingerprint may have been erased since the pair was found.
_IN_SQLITE = (
    "INSERT INTO near_pairs (low, high, distance, orientation) SELECT ?1, ?2, ?3, ?4"
    " WHERE EXISTS (SELECT 1 FROM fingerprints WHERE id = ?1)"
    " AND EXISTS (SELECT 1 FROM fingerprints WHERE id = ?2)"
    " ON CONFLICT DO NOTHING"
)
_IN_POSTGRESQL = (
    "INSERT INTO near_pairs (low, high, distance, orientation)"
    " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS found (low, high, far, turned)"
    " WHERE EXISTS (SELECT 1 FROM fingerprints WHERE id = found.low)"
    " AND EXISTS (SELECT 1 FROM fingerprints WHERE id = found.high)"
    " ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class NearPairRows:
    """Pairs of fingerprints by their row ids: four arrays of shape (p,), sorted by ``low``, then ``high``.

    Attributes:
        low: the smaller row id, dtype int64.
        high: the other, dtype int64.
        distances: in bits, dtype int32, the least over the orientations.
        orientations: which one gave it, an index into ``model.WITH_NEGATIVES``, dtype int8: brought into it, ``low``
            shows ``high``.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    distances: NDArray[np.int32]
    orientations: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.low)


def store_near_pairs(session: Session, pairs: NearPairRows) -> None:
    """Keep these; a pair whose fingerprint is gone meanwhile is left out, one that is kept already stays as it is."""
    # A gang's copies make millions: naming the values of each would take as long as keeping them.
    columns = [column.tolist() for column in (pairs.low, pairs.high, pairs.distances, pairs.orientations)]
    if is_postgresql(session.sql):
        for first in range(0, len(pairs), _STORED_AT_ONCE):
            some = tuple(column[first : first + _STORED_AT_ONCE] for column in columns)
            session.sql.exec_driver_sql(_IN_POSTGRESQL, some)
    elif len(pairs):
        session.sql.exec_driver_sql(_IN_SQLITE, list(zip(*columns, strict=True)))


def near_pairs_among(session: Session, fingerprints: Collection[int], max_distance: int) -> NearPairRows:
    """The pairs within ``max_distance`` bits of which both fingerprints are among these."""
    table = schema.near_pairs.c
    query = select(table.low, table.high, table.distance, table.orientation).order_by(table.low, table.high)
    wanted = np.array(sorted(set(fingerprints)), np.int64)
    parts = [_columns(np.empty((0, 4), np.int64))]
    for chunk in chunks(wanted.tolist()):
        found = session.sql.execute(query.where(table.low.in_(chunk), table.distance <= max_distance))
        for rows in found.partitions(_READ_AT_ONCE):  # a gang's copies make millions
            part = np.fromiter(chain.from_iterable(rows), np.int64).reshape(-1, 4)
            parts.append(_columns(part[np.isin(part[:, 1], wanted) & (part[:, 2] <= max_distance)]))
    return NearPairRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _columns(rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    return rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].astype(np.int32), rows[:, 3].astype(np.int8)


def neighbours(session: Session, fingerprints: Collection[int], max_distance: int) -> set[int]:
    """Fingerprints that make a pair within ``max_distance`` bits with one of these."""
    table = schema.near_pairs.c
    found: set[int] = set()
    for chunk in chunks(fingerprints):
        near = table.distance <= max_distance
        above = select(table.high).where(table.low.in_(chunk), near)
        below = select(table.low).where(table.high.in_(chunk), near)
        found.update(session.sql.scalars(union(above, below)))
    return found


def are_near(session: Session, pairs: Collection[tuple[int, int]], max_distance: int) -> set[tuple[int, int]]:
    """Which of these pairs, the smaller row id first, are kept as near ones: as they are, not as negatives."""
    table = schema.near_pairs.c
    found: set[tuple[int, int]] = set()
    for chunk in chunks(sorted(set(pairs)), PARAMETERS // 2):
        wanted = pairs_table(chunk)
        same = (table.low == wanted.c.low) & (table.high == wanted.c.high)
        query = (
            select(table.low, table.high)
            .join(wanted, same)
            .where(table.distance <= max_distance, table.orientation < len(ORIENTATIONS))
        )
        found.update((low, high) for low, high in session.sql.execute(query))
    return found
