"""Rows of drawn photos, written into a catalog of either kind: the same rows, through its own triggers and indexes.

Fingerprints are drawn as in ``scale_index``, and their keys come in random order. At full depth each photo also has
features whose codes are taken from all over those of real photos, some digits altered, and the thumbnail of a real one.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from bench_depth import drawn as drawn_records
from common import say
from scale_index import ACCOUNT_PHOTOS, SEED, Block, drawn, mixing_of
from sqlalchemy import func, insert, select, text

from imgmatch.catalog import schema
from imgmatch.catalog.copying import store_rows
from imgmatch.catalog.dialects import is_postgresql
from imgmatch.features.record import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Table

    from imgmatch.catalog.session import Session
    from imgmatch.index import Index

    Row = tuple[Any, ...]

AT_ONCE, DEEP_AT_ONCE = 200_000, 20_000
"""Photos in a transaction."""

PIXEL_BYTES = 16
REAL_RECORDS = 1_500
NUMBERED = ("accounts", "photos", "fingerprints", "features")


def fill(index: Index, photos: int, *, deep: bool, told: bool = True) -> int:
    """Add so many drawn photos to an index that has real ones already; nobody else may write meanwhile.

    Returns:
        how many rows were written.
    """
    catalog = index.parts.catalog
    with catalog.write() as session:
        first = {name: _next(session, name) for name in NUMBERED}
        source = session.sql.scalar(select(func.min(schema.sources.c.id))) or 0
        ended: dict[str, Any] = {"source_id": source, "started_at": 1, "finished_at": 1, "counts": {}}
        scan = session.sql.scalars(insert(schema.scans).values(ended).returning(schema.scans.c.id)).one()
        real = _Real(session, index.parts.hasher_name, index.parts.codebook if deep else None)
    rng = np.random.default_rng([SEED, first["photos"]])
    rows, step = 0, DEEP_AT_ONCE if deep else AT_ONCE
    for done in range(0, photos, step):
        block = Block(first, done, min(step, photos - done), source, scan, rng)
        with catalog.write() as session:
            for table, some in _rows(block, real):
                rows += len(some)
                store_rows(session, table, some)
        if told and (done // step) % (25 if deep else 5) == 0:
            say(f"  {done + block.size:,} photos written")
    with catalog.write() as session:
        _pass_on_numbers(session)
    return rows


def _next(session: Session, table: str) -> int:
    return int(session.sql.scalar(select(func.max(schema.metadata.tables[table].c.id))) or 0) + 1


def _pass_on_numbers(session: Session) -> None:
    """Rows that come after these get ids of their own."""
    if is_postgresql(session.sql):
        for name in NUMBERED:
            last = {"name": f"{name}_id_seq", "last": _next(session, name)}
            session.sql.execute(text("SELECT setval(:name, :last)"), last)


class _Real:
    """What drawn rows are made like."""

    def __init__(self, session: Session, hasher: str, codebook: str | None) -> None:
        prints, features = schema.fingerprints.c, schema.features.c
        bits = session.sql.scalars(select(prints.bits).where(prints.hasher == hasher).order_by(prints.id).limit(1_900))
        self.mixing, self.levels = mixing_of(np.frombuffer(b"".join(bits), np.uint8).reshape(-1, 32))
        self.codebook = codebook
        kept = select(features.record, features.thumbnail).order_by(features.id).limit(REAL_RECORDS)
        found = session.sql.execute(kept).all() if codebook else []
        points = [unpack(record) for record, _ in found]
        self.thumbnails = [small for _, small in found]
        self.lists = np.concatenate([one.lists for one in points]) if points else np.zeros(0, np.uint16)
        self.codes = np.concatenate([one.codes for one in points]) if points else np.zeros((0, 16), np.uint8)


def _rows(block: Block, real: _Real) -> Iterator[tuple[Table, list[Row]]]:
    """Tables in the order in which rows lead to each other."""
    rng, size = block.rng, block.size
    names = [block.names[place // ACCOUNT_PHOTOS] for place in range(size)]
    labels = [f"{name}/{place % ACCOUNT_PHOTOS}.jpg" for place, name in enumerate(names)]
    pixels = _bytes(rng.integers(0, 256, (size, PIXEL_BYTES), dtype=np.uint8))
    yield _table("accounts", id=block.accounts, account=block.names, first_seen=repeat(1))
    yield _table(
        "photos",
        id=block.photos,
        photo_id=labels,
        account_id=(block.accounts[place // ACCOUNT_PHOTOS] for place in range(size)),
        source_id=repeat(block.source),
        scan_id=repeat(block.scan),
        label=labels,
        path=(f"/srv/photos/{label}" for label in labels),
        seen_at=repeat(1),
        file_bytes=repeat(50_000),
        file_mtime_ns=repeat(1_700_000_000_000_000_000),
        sha256=_bytes(rng.integers(0, 256, (size, 32), dtype=np.uint8)),
        width=repeat(640),
        height=repeat(480),
        format=repeat("JPEG"),
        quality=repeat(90),
    )
    yield _table("photo_pictures", photo_id=block.photos, place=repeat(0), pixels=pixels)
    if real.codebook:
        chosen = rng.integers(0, len(real.thumbnails), size).tolist()
        yield _table(
            "features",
            id=range(block.first["features"] + block.done, block.first["features"] + block.done + size),
            pixels=pixels,
            codebook=repeat(real.codebook),
            record=drawn_records(rng, real.lists, real.codes, size),
            thumbnail=(real.thumbnails[each] for each in chosen),
        )
    codes = {"phash": drawn(rng, real.mixing, real.levels, size), "pdq": rng.integers(0, 256, (size, 32), np.uint8)}
    for shift, (hasher, each) in enumerate(codes.items()):
        ids = range(block.prints + shift, block.prints + shift + 2 * size, 2)
        yield _table("fingerprints", id=ids, hasher=repeat(hasher), bits=_bytes(each))
        yield _table("photo_fingerprints", fingerprint_id=ids, photo_id=block.photos, place=repeat(0))


def _bytes(rows: NDArray[np.uint8]) -> Sequence[bytes]:
    return [row.tobytes() for row in rows]


def _table(name: str, **columns: Iterable[Any]) -> tuple[Table, list[Row]]:
    """Rows with all columns of a table; those that are not given are empty."""
    table = schema.metadata.tables[name]
    values = [columns.get(column.name, repeat(None)) for column in table.columns]
    return table, list(zip(*values, strict=False))  # some of them end
