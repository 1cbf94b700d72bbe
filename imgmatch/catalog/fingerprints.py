"""Fingerprints: each value is stored once and leads to many photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import func, insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.row_counts import row_count
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement

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
        if new:
            added = session.sql.execute(insert(table).returning(table.c.bits, table.c.id), new)
            ids |= {bits: row_id for bits, row_id in added}  # noqa: C416 -- rows are not pairs
    return ids


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
    session: Session, hasher: str, after: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Fingerprints with a row id above ``after``, in order: blocks of ids, shape (n,), and bits, shape (n, 32)."""
    table = schema.fingerprints.c
    while True:
        query = select(table.id, table.bits).where(by_hasher(hasher), table.id > after)
        rows = session.sql.execute(query.order_by(table.id).limit(_READ_AT_ONCE)).all()
        if not rows:
            return
        bits = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.uint8).reshape(-1, FINGERPRINT_BYTES)
        yield np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows)), bits
        after = rows[-1][0]


def fingerprints_by_id(
    session: Session, hasher: str, ids: Collection[int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Those of ``hasher`` under these row ids, in order: blocks of ids, shape (n,), and bits, shape (n, 32)."""
    table = schema.fingerprints.c
    for chunk in chunks(sorted(ids)):
        query = select(table.id, table.bits).where(by_hasher(hasher), table.id.in_(chunk)).order_by(table.id)
        rows = session.sql.execute(query).all()
        bits = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.uint8).reshape(-1, FINGERPRINT_BYTES)
        yield np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows)), bits


def bits_by_id(session: Session, ids: Collection[int]) -> dict[int, bytes]:
    """The fingerprints under these row ids, 32 bytes each, where they are still there."""
    table = schema.fingerprints.c
    found: dict[int, bytes] = {}
    for chunk in chunks(sorted(set(ids))):
        rows = session.sql.execute(select(table.id, table.bits).where(table.id.in_(chunk)))
        found |= {row: bits for row, bits in rows}  # noqa: C416 -- rows are not pairs
    return found
