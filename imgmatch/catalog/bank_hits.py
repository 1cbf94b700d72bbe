"""Which stored photos are near to which bare PDQ value on a bank: kept, so that a night compares what is new alone.

What is kept is of fingerprints. A photo of a quality too low for PDQ has one as well, which others may share: it hits
nothing, and is left out wherever photos are told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.bank_entries import HitEntry, hit_entries
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.lookups import PHOTO_COLUMNS
from imgmatch.catalog.pair_scores import PairScore
from imgmatch.catalog.pictures import shows
from imgmatch.catalog.rows import StoredPhoto
from imgmatch.model import PDQ_QUALITY, Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement

    from imgmatch.catalog.session import Session

Hit = tuple[int, int, int, int]
"""Row ids of entry and fingerprint, distance in bits, place of the orientation."""


def join_watermarks(session: Session) -> tuple[int, int]:
    """Up to which fingerprint and which entry photos and entries have been compared."""
    table = schema.bank_joins.c
    row = session.sql.execute(select(table.fingerprints, table.entries).order_by(table.id)).first()
    return (0, 0) if row is None else (row[0], row[1])


def note_compared(session: Session, fingerprints: int, entries: int) -> None:
    """Photos and entries have been compared up to these row ids."""
    table = schema.bank_joins
    changed = session.sql.execute(update(table).values(fingerprints=fingerprints, entries=entries)).rowcount
    if not changed:
        session.sql.execute(insert(table).values(id=1, fingerprints=fingerprints, entries=entries))


def store_hits(session: Session, hits: Sequence[Hit]) -> None:
    """Keep hits whose entry and fingerprint are still there; those that are kept already stay as they are."""
    table = schema.bank_hits
    for chunk in chunks(hits):
        entries = _present(session, schema.bank_entries.c.id, {hit[0] for hit in chunk})
        prints = _present(session, schema.fingerprints.c.id, {hit[1] for hit in chunk})
        named = select(table.c.entry_id, table.c.fingerprint_id).where(table.c.entry_id.in_(entries))
        known = {(entry, row) for entry, row in session.sql.execute(named.where(table.c.fingerprint_id.in_(prints)))}
        new = [
            {"entry_id": entry, "fingerprint_id": row, "distance": distance, "orientation": orientation}
            for entry, row, distance, orientation in chunk
            if entry in entries and row in prints and (entry, row) not in known
        ]
        if new:
            session.sql.execute(insert(table), new)


def _present(session: Session, column: object, rows: set[int]) -> set[int]:
    return set(session.sql.scalars(select(column).where(column.in_(rows))))  # type: ignore[attr-defined,call-overload]  # a column


def _is_good() -> ColumnElement[bool]:
    """Whether PDQ values of a photo mean anything."""
    return schema.photos.c.quality >= PDQ_QUALITY


def hits_of_fingerprints(session: Session, rows: Collection[int]) -> dict[int, list[HitEntry]]:
    """For fingerprints of groups the entries that pictures with them hit and that count.

    Args:
        session: of the catalog.
        rows: row ids of fingerprints by the hasher that is searched.
    """
    hits, links, prints = schema.bank_hits.c, schema.photo_fingerprints.c, schema.fingerprints.c
    other = schema.photo_fingerprints.alias("other")
    named: set[tuple[int, int, bytes]] = set()
    for chunk in chunks(sorted(rows)):
        query = (
            select(links.fingerprint_id, hits.entry_id, prints.bits)
            .join(other, (other.c.photo_id == links.photo_id) & (other.c.place == links.place))
            .join(schema.photos, schema.photos.c.id == links.photo_id)
            .join(schema.bank_hits, hits.fingerprint_id == other.c.fingerprint_id)
            .join(schema.fingerprints, prints.id == hits.fingerprint_id)
            .where(links.fingerprint_id.in_(chunk), _is_good())
        )
        named.update((row, entry, bits) for row, entry, bits in session.sql.execute(query.distinct()))
    entries = hit_entries(session, {entry for _, entry, _ in named})
    found: dict[int, list[HitEntry]] = defaultdict(list)
    for row, entry, bits in sorted(named):
        if entry in entries and entries[entry].takes_part(bits):
            found[row].append(entries[entry])
    return found


def has_hits(session: Session) -> bool:
    """Whether any photo hits anything."""
    hits = schema.bank_hits.c
    return session.sql.execute(select(hits.entry_id).where(hits.entry_id > 0).limit(1)).first() is not None


def photo_hits(
    session: Session, accounts: Collection[str] | None = None
) -> Iterator[tuple[StoredPhoto, int, int, int, bytes]]:
    """Photos that hit an entry, with its row id, the distance, the place of the orientation and the PDQ value.

    All of them, or those of some accounts.
    """
    hits, links, prints = schema.bank_hits.c, schema.photo_fingerprints.c, schema.fingerprints.c
    photos, pictures, owners = schema.photos.c, schema.photo_pictures.c, schema.accounts.c
    query = (
        select(hits.entry_id, hits.distance, hits.orientation, prints.bits, *PHOTO_COLUMNS)
        .join(schema.fingerprints, prints.id == hits.fingerprint_id)
        .join(schema.photo_fingerprints, links.fingerprint_id == hits.fingerprint_id)
        .join(schema.photos, photos.id == links.photo_id)
        .join(schema.photo_pictures, (pictures.photo_id == links.photo_id) & (pictures.place == links.place))
        .join(schema.accounts, owners.id == photos.account_id)
        .where(_is_good())
        .order_by(photos.seen_at, photos.photo_id, hits.entry_id)
    )
    some = (
        [query] if accounts is None else [query.where(owners.account.in_(chunk)) for chunk in chunks(sorted(accounts))]
    )
    for each in some:
        for entry, distance, orientation, bits, *stored in session.sql.execute(each):
            yield StoredPhoto(*stored), entry, distance, orientation, bits


def flooded(session: Session, least: int) -> list[tuple[int, int, int]]:
    """Entries that photos of so many accounts or more hit, with their bank's row id and how many, most first.

    Not those of common banks, nor those that a moderator has confirmed.
    """
    hits, entries, said = schema.bank_hits.c, schema.bank_entries.c, schema.bank_opinions.c
    links, photos, banks = schema.photo_fingerprints.c, schema.photos.c, schema.banks.c
    count = func.count(photos.account_id.distinct())
    query = (
        select(hits.entry_id, entries.bank_id, count)
        .join(schema.bank_entries, entries.id == hits.entry_id)
        .join(schema.banks, banks.id == entries.bank_id)
        .join(schema.photo_fingerprints, links.fingerprint_id == hits.fingerprint_id)
        .join(schema.photos, photos.id == links.photo_id)
        .where(entries.quarantined_at.is_(None), banks.purpose != str(Purpose.COMMON), _is_good())
        .where(~exists(select(said.key).where(said.key == entries.pdq, said.opinion == str(Opinion.CONFIRMED))))
        .group_by(hits.entry_id, entries.bank_id)
        .having(count >= least)
        .order_by(count.desc(), hits.entry_id)
    )
    return [(row[0], row[1], row[2]) for row in session.sql.execute(query)]


def pictures_of_accounts(session: Session, hasher: str, accounts: Collection[str]) -> tuple[set[int], set[bytes]]:
    """Row ids of the fingerprints of some accounts' photos, and the digests of their pictures."""
    photos, owners, pictures = schema.photos.c, schema.accounts.c, schema.photo_pictures.c
    links, prints = schema.photo_fingerprints.c, schema.fingerprints.c
    query = (
        select(links.fingerprint_id, pictures.pixels)
        .join(schema.fingerprints, prints.id == links.fingerprint_id)
        .join(schema.photo_pictures, shows(links.photo_id, links.place))
        .join(schema.photos, photos.id == links.photo_id)
        .join(schema.accounts, owners.id == photos.account_id)
        .where(by_hasher(hasher))
    )
    some = (session.sql.execute(query.where(owners.account.in_(chunk))) for chunk in chunks(sorted(accounts)))
    rows = [row for each in some for row in each]
    return {row for row, _ in rows}, {pixels for _, pixels in rows}


def near_pictures(
    session: Session, fingerprints: Collection[int], max_distance: int
) -> Iterator[tuple[int, int, int, int, bool]]:
    """Near pairs of these fingerprints.

    Yields:
        which of them, the other, the distance, the place of the orientation that brings the lower to the higher, and
        whether the other is the higher of the pair.
    """
    table = schema.near_pairs.c
    columns = (table.low, table.high, table.distance, table.orientation)
    for chunk in chunks(sorted(fingerprints)):
        near = table.distance <= max_distance
        for low, high, distance, way in session.sql.execute(select(*columns).where(table.low.in_(chunk), near)):
            yield low, high, distance, way, True
        for low, high, distance, way in session.sql.execute(select(*columns).where(table.high.in_(chunk), near)):
            yield high, low, distance, way, False


def pixels_of_features(session: Session, rows: Collection[int]) -> dict[int, bytes]:
    """The digests of the pictures that these features, by their row ids, are of."""
    table, found = schema.features.c, dict[int, bytes]()
    for chunk in chunks(sorted(rows)):
        named = session.sql.execute(select(table.id, table.pixels).where(table.id.in_(chunk)))
        found |= {row: pixels for row, pixels in named}  # noqa: C416 -- rows, not pairs
    return found


def scored_pictures(session: Session, pixels: Collection[bytes]) -> Iterator[tuple[bytes, int, PairScore, bool]]:
    """Pairs that were judged of pictures with these digests.

    Yields:
        which of them, the row id of the other's features, the score, and whether the other is the higher of the pair.
    """
    features, scores = schema.features.c, schema.pair_scores.c
    for chunk in chunks(sorted(pixels)):
        rows = session.sql.execute(select(features.id, features.pixels).where(features.pixels.in_(chunk)))
        digests = {row: digest for row, digest in rows}  # noqa: C416 -- rows, not pairs
        columns = [scores[name] for name in PairScore.__slots__]
        for own, other in ((scores.low, "high"), (scores.high, "low")):
            for row in session.sql.execute(select(*columns).where(own.in_(list(digests)))):
                pair = PairScore(*row)
                yield digests[getattr(pair, own.name)], getattr(pair, other), pair, other == "high"
