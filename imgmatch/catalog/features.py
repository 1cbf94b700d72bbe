"""Local features: one row a picture, shared by all photos with the same pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, delete, func, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.bulk import insert_rows
from imgmatch.catalog.chunks import chunks, wanted
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.pictures import shows
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.slots import within_slots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from imgmatch.catalog.session import Session

_READ_AT_ONCE = 5_000
"""Rows of about 2.4 KB: 12 MB at a time."""


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The features of one picture.

    Attributes:
        pixels: digest of the picture, 16 bytes, as in ``photo_pictures.pixels``.
        codebook: name of the codebook its codes mean something in.
        record: points and codes, as ``features.record.pack`` writes them.
        thumbnail: a small grey JPEG; ``None`` where none is kept.
    """

    pixels: bytes
    codebook: str
    record: bytes
    thumbnail: bytes | None


def store_features(session: Session, rows: Sequence[FeatureRow]) -> None:
    """Add the features of new pictures; a thumbnail is added to a picture that has none yet."""
    table = schema.features
    for chunk in chunks({row.pixels: row for row in rows}.values()):
        query = select(table.c.pixels, table.c.id, table.c.codebook, table.c.thumbnail.is_not(None))
        found = session.sql.execute(query.where(table.c.pixels.in_([row.pixels for row in chunk])))
        known = {pixels: (row_id, codebook, bool(has)) for pixels, row_id, codebook, has in found}
        stale = [row for row in chunk if row.pixels in known and known[row.pixels][1] != row.codebook]
        for row in stale:  # its id stands for codes of another codebook in engine files: it gets a new one
            session.sql.execute(delete(table).where(table.c.id == known.pop(row.pixels)[0]))
        new = [row for row in chunk if row.pixels not in known]
        insert_rows(session, table, [_values(row) for row in new])
        bare = [row for row in chunk if row.thumbnail and row.pixels in known and not known[row.pixels][2]]
        if bare:
            statement = update(table).where(table.c.id == bindparam("row")).values(thumbnail=bindparam("small"))
            session.sql.execute(statement, [{"row": known[row.pixels][0], "small": row.thumbnail} for row in bare])


def _values(row: FeatureRow) -> dict[str, object]:
    return {"pixels": row.pixels, "codebook": row.codebook, "record": row.record, "thumbnail": row.thumbnail}


def last_features(session: Session) -> int:
    """The highest row id in use, 0 if there is none."""
    return session.sql.scalar(select(func.max(schema.features.c.id))) or 0


def count_features(session: Session, codebook: str) -> int:
    """How many pictures have features of this codebook."""
    return row_count(session, "features", codebook)


def count_features_after(session: Session, codebook: str, row: int) -> int:
    """How many of them have a row id above ``row``."""
    table = schema.features
    query = select(func.count()).select_from(table).where(table.c.id > row, table.c.codebook == codebook)
    return session.sql.scalar(query) or 0


def feature_ids_after(session: Session, codebook: str, row: int) -> list[int]:
    """Row ids above ``row`` of pictures that have features of this codebook, in order."""
    table = schema.features.c
    query = select(table.id).where(table.id > row, table.codebook == codebook)
    return list(session.sql.scalars(query.order_by(table.id)))


def read_records(
    session: Session, codebook: str, after: int = 0, slots: Collection[int] | None = None
) -> Iterator[list[tuple[int, bytes]]]:
    """Row ids above ``after`` with their records, in order, in blocks.

    Only those in some ``slots`` of :mod:`imgmatch.catalog.slots`, if these are given.
    """
    table = schema.features.c
    while True:
        query = select(table.id, table.record).where(table.codebook == codebook, table.id > after)
        query = within_slots(query, table.id, slots)
        rows = session.sql.execute(query.order_by(table.id).limit(_READ_AT_ONCE)).all()
        if not rows:
            return
        yield [(row[0], row[1]) for row in rows]
        after = rows[-1][0]


def existing_features(session: Session, ids: Collection[int]) -> set[int]:
    """Which of these row ids are still there."""
    table = schema.features.c
    return {
        row for chunk in chunks(sorted(ids)) for row in session.sql.scalars(select(table.id).where(table.id.in_(chunk)))
    }


def features_by_id(session: Session, ids: Collection[int]) -> dict[int, FeatureRow]:
    """The features under these row ids, where they are still there."""
    found: dict[int, FeatureRow] = {}
    for chunk in chunks(ids):
        rows = session.sql.execute(_rows_by_id(), {"wanted": chunk})
        found |= {row[0]: FeatureRow(*row[1:]) for row in rows}
    return found


@cache
def _rows_by_id() -> Select[Any]:
    table = schema.features.c
    query = select(table.id, table.pixels, table.codebook, table.record, table.thumbnail)
    return query.where(table.id.in_(wanted()))


def features_of_fingerprints(session: Session, fingerprint_ids: Collection[int]) -> dict[int, int]:
    """For each fingerprint the row id of the features of one picture that has it, where one is kept.

    A picture in a bank may be shown by no photo any more.
    """
    found: dict[int, int] = {}
    for chunk in chunks(fingerprint_ids):
        for query in _least_features():
            rows = session.sql.execute(query, {"wanted": chunk})
            found |= {fingerprint: row for fingerprint, row in rows}  # noqa: C416 -- rows, not pairs
    return found


@cache
def _least_features() -> tuple[Select[Any], Select[Any]]:
    """Of each fingerprint the first features of pictures in banks, and of photos."""
    links, pictures, table = schema.photo_fingerprints.c, schema.photo_pictures.c, schema.features.c
    banked = schema.bank_entries.c
    known = select(banked.fingerprint_id, func.min(table.id)).join(schema.features, table.pixels == banked.pixels)
    shown = (
        select(links.fingerprint_id, func.min(table.id))
        .join(schema.photo_pictures, shows(links.photo_id, links.place))
        .join(schema.features, table.pixels == pictures.pixels)
    )
    return (
        known.where(banked.fingerprint_id.in_(wanted())).group_by(banked.fingerprint_id),
        shown.where(links.fingerprint_id.in_(wanted())).group_by(links.fingerprint_id),
    )


def fingerprints_of_features(session: Session, hasher: str, ids: Collection[int]) -> dict[int, bytes]:
    """The fingerprint by ``hasher``, 32 bytes, of the pictures under these row ids, as the first photo to show it has.

    Pictures no photo shows any more have none, but for those in a bank.
    """
    found: dict[int, bytes] = {}
    for chunk in chunks(ids):
        banked, shown = _prints_in_banks(hasher), _first_photos()
        found |= {row: bits for row, bits in session.sql.execute(banked, {"wanted": chunk})}  # noqa: C416 -- rows, not pairs
        rows_of: dict[tuple[int, bytes], int] = {}
        for photo, row, pixels in session.sql.execute(shown, {"wanted": chunk}):
            rows_of[photo, pixels] = row
        for photo, pixels, bits in _bits_of_photos(session, hasher, {photo for photo, _ in rows_of}):
            if (photo, pixels) in rows_of:
                found[rows_of[photo, pixels]] = bits
    return found


@cache
def _prints_in_banks(hasher: str) -> Select[Any]:
    table, prints, banked = schema.features.c, schema.fingerprints.c, schema.bank_entries.c
    known = select(table.id, prints.bits).join(schema.bank_entries, banked.pixels == table.pixels)
    known = known.join(schema.fingerprints, prints.id == banked.fingerprint_id)
    return known.where(table.id.in_(wanted()), by_hasher(hasher))


@cache
def _first_photos() -> Select[Any]:
    pictures, table = schema.photo_pictures.c, schema.features.c
    first = select(func.min(pictures.photo_id), table.id, table.pixels)
    first = first.join(schema.photo_pictures, pictures.pixels == table.pixels).where(table.id.in_(wanted()))
    return first.group_by(table.id, table.pixels)


def _bits_of_photos(session: Session, hasher: str, photos: Collection[int]) -> Iterator[tuple[int, bytes, bytes]]:
    """Row id, digest and fingerprint of each picture of these photos.

    In steps: joined with more at once, SQLite goes through all fingerprints of the hasher.
    """
    for photo, pixels, of, bits in session.sql.execute(_bits_by_photo(), {"wanted": sorted(photos)}):
        if of == hasher:
            yield photo, pixels, bits


@cache
def _bits_by_photo() -> Select[Any]:
    links, pictures, prints = schema.photo_fingerprints.c, schema.photo_pictures.c, schema.fingerprints.c
    return (
        select(links.photo_id, pictures.pixels, prints.hasher, prints.bits)
        .join(schema.photo_pictures, shows(links.photo_id, links.place))
        .join(schema.fingerprints, prints.id == links.fingerprint_id)
        .where(links.photo_id.in_(wanted()))
    )


def pieces_in_use(session: Session, pieces: Collection[bytes]) -> set[bytes]:
    """Which of these pieces some record or thumbnail contains; reads them all unless there is nothing to look for."""
    table = schema.features.c
    left, after = set(pieces), 0
    while left:
        query = select(table.id, table.record, table.thumbnail).where(table.id > after)
        rows = session.sql.execute(query.order_by(table.id).limit(_READ_AT_ONCE)).all()
        if not rows:
            break
        for after, record, thumbnail in rows:  # noqa: B007 -- the last row is where the next block begins
            left -= {piece for piece in left if piece in record or piece in (thumbnail or b"")}
    return set(pieces) - left
