"""Fingerprints: each value is stored once and leads to many photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import LargeBinary, func, select, type_coerce

from imgmatch.catalog import schema
from imgmatch.catalog.bulk import insert_numbered
from imgmatch.catalog.checked import within
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.dialects import is_bytes, is_postgresql
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.slots import within_slots
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Select

    from imgmatch.catalog.session import Session


_READ_AT_ONCE = 100_000


def intern_fingerprints(session: Session, hasher: str, values: Collection[bytes]) -> dict[bytes, int]:
    """The row id of every value, added where it is new."""
    table = schema.fingerprints
    ids: dict[bytes, int] = {}
    for chunk in chunks(dict.fromkeys(values)):
        query = select(table.c.bits, table.c.id).where(table.c.hasher == hasher, table.c.bits.in_(chunk))
        ids |= {bits: row_id for bits, row_id in session.sql.execute(query)}  # noqa: C416 -- rows are not pairs
        new = [{"hasher": hasher, "bits": bits} for bits in chunk if bits not in ids]
        ids |= insert_numbered(session, table, new, "bits")
    return ids


def ids_of_bits(session: Session, hasher: str, values: Collection[bytes]) -> dict[bytes, int]:
    """The row ids of those of these values that are there."""
    table, found = schema.fingerprints.c, dict[bytes, int]()
    for chunk in chunks(sorted(values)):
        rows = session.sql.execute(select(table.bits, table.id).where(table.hasher == hasher, table.bits.in_(chunk)))
        found |= {bits: row_id for bits, row_id in rows}  # noqa: C416 -- rows are not pairs
    return found


def by_hasher(hasher: str) -> ColumnElement[bool]:
    """Whether a fingerprint is of this hasher, asked so that the database looks up no index of hashers for it.

    That would lead through all fingerprints of the hasher, where a few are known by other means already: millions of
    rows for one check.
    """
    return schema.fingerprints.c.hasher.concat("") == hasher


def last_fingerprint(session: Session) -> int:
    """The highest row id in use, 0 if there is none."""
    return session.sql.scalar(select(func.max(schema.fingerprints.c.id))) or 0


def count_fingerprints(session: Session, hasher: str) -> int:
    """How many distinct fingerprints of ``hasher`` there are."""
    return row_count(session, "fingerprints", hasher)


def count_fingerprints_after(session: Session, hasher: str, row: int) -> int:
    """How many of them have a row id above ``row``."""
    table = schema.fingerprints
    query = select(func.count()).select_from(table).where(table.c.id > row, by_hasher(hasher))
    return session.sql.scalar(query) or 0


def read_fingerprints(
    session: Session, hasher: str, after: int = 0, slots: Collection[int] | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Fingerprints with a row id above ``after``, in order: blocks of ids, shape (n,), and bits, shape (n, 32).

    Only those in some ``slots`` of :mod:`imgmatch.catalog.slots`, if these are given.
    """
    # PostgreSQL counts how many each hasher has. Of what it cannot count it expects so few that it reads and sorts all
    # that follow for each block.
    those = schema.fingerprints.c.hasher == hasher if is_postgresql(session.sql) else by_hasher(hasher)
    query = within_slots(_id_and_bits(those), schema.fingerprints.c.id, slots)
    while True:
        found = session.sql.execute(query.where(schema.fingerprints.c.id > after).limit(_READ_AT_ONCE)).all()
        if not found:
            return
        yield _as_arrays(found)
        after = found[-1][0]


def damaged_fingerprints(session: Session, hasher: str) -> list[int]:
    """Row ids of those whose bits are none: each look at one gives another stand-in."""
    table = schema.fingerprints.c
    sound = is_bytes(session.sql, table.bits) & (func.length(table.bits) == FINGERPRINT_BYTES)
    return list(session.sql.scalars(select(table.id).where(~sound, by_hasher(hasher)).order_by(table.id)))


def fingerprints_by_id(
    session: Session, hasher: str, ids: Collection[int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Those of ``hasher`` under these row ids, in order: blocks of ids, shape (n,), and bits, shape (n, 32)."""
    for chunk in chunks(sorted(ids)):
        known = _id_and_bits(by_hasher(hasher)).where(schema.fingerprints.c.id.in_(chunk))
        yield _as_arrays(session.sql.execute(known).all())


def _id_and_bits(those: ColumnElement[bool]) -> Select[tuple[int, Any]]:
    """Row ids and bits as the database gives them: of a million rows they are looked at together."""
    table = schema.fingerprints.c
    bits = type_coerce(within(table.bits, FINGERPRINT_BYTES), LargeBinary())
    return select(table.id, bits).where(those).order_by(table.id)


def _as_arrays(rows: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    try:
        joined = b"".join(row[1] for row in rows)
    except TypeError:
        joined = b""
    if len(joined) != FINGERPRINT_BYTES * len(rows):  # none is longer than it should be, so some are shorter
        joined = b"".join(schema.BITS.looked_at(row[1]) for row in rows)
    ids = np.fromiter((row[0] for row in rows), np.int64, count=len(rows))
    return ids, np.frombuffer(joined, np.uint8).reshape(-1, FINGERPRINT_BYTES)


def bits_by_id(session: Session, ids: Collection[int]) -> dict[int, bytes]:
    """The fingerprints under these row ids, 32 bytes each, where they are still there."""
    table = schema.fingerprints.c
    found: dict[int, bytes] = {}
    for chunk in chunks(sorted(set(ids))):
        rows = session.sql.execute(select(table.id, table.bits).where(table.id.in_(chunk)))
        found |= {row: bits for row, bits in rows}  # noqa: C416 -- rows are not pairs
    return found
