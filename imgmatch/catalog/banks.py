"""Banks: named lists of known pictures, which stay known when no photo shows them any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.pictures import meant, shows
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from imgmatch.catalog.session import Session

KNOWN_STOLEN = "known-stolen"
"""Pictures a moderator has confirmed to be in the hands of a gang."""

KNOWN_COMMON = "known-common"
"""Pictures anybody may carry: default avatars, celebrities, memes."""


@dataclass(frozen=True, slots=True)
class BankPicture:
    """A known picture.

    Attributes:
        id: row id.
        bank: which list it is on.
        pixels: digest of the picture, 16 bytes.
        fingerprint_id: row id of its fingerprint by the hasher that is searched.
        label: the short name of the photo it was taken from.
        photo_id: that photo's id, ``None`` once it was erased.
        account: whose it was, ``None`` likewise.
        added_at: microseconds since 1970, UTC.
    """

    id: int
    bank: str
    pixels: bytes
    fingerprint_id: int
    label: str
    photo_id: str | None
    account: str | None
    added_at: int


_COLUMNS = tuple(schema.bank_pictures.c[name] for name in BankPicture.__slots__)


def add_to_bank(
    session: Session, bank: str, photo_ids: Sequence[str], hasher: str, fingerprints: Collection[int] | None = None
) -> int:
    """Put the pictures of these photos on a list, each once; returns how many were not there before.

    Args:
        session: one that may write.
        bank: which list.
        photo_ids: of the photos.
        hasher: whose fingerprints are searched.
        fingerprints: row ids of those of the pictures that are meant, see :func:`~imgmatch.catalog.pictures.meant`.
    """
    photos, links, pictures = schema.photos.c, schema.photo_fingerprints.c, schema.photo_pictures.c
    accounts, table = schema.accounts.c, schema.bank_pictures
    added: dict[bytes, dict[str, object]] = {}
    for chunk in chunks(photo_ids):
        query = (
            select(photos.photo_id, links.fingerprint_id, pictures.pixels, photos.label, accounts.account)
            .join(schema.accounts, accounts.id == photos.account_id)
            .join(schema.photo_fingerprints, links.photo_id == photos.id)
            .join(schema.photo_pictures, shows(links.photo_id, links.place))
            .join(schema.fingerprints, schema.fingerprints.c.id == links.fingerprint_id)
            .where(photos.photo_id.in_(chunk), by_hasher(hasher))
            .order_by(photos.seen_at, photos.photo_id, links.place)
        )
        rows = ((row[0], row[1], tuple(row[2:])) for row in session.sql.execute(query))
        for photo_id, fingerprint, (pixels, label, account) in meant(rows, fingerprints):
            values = {"bank": bank, "pixels": pixels, "fingerprint_id": fingerprint, "label": label}
            added.setdefault(pixels, values | {"photo_id": photo_id, "account": account, "added_at": now()})
    for digests in chunks(list(added)):
        known = select(table.c.pixels).where(table.c.bank == bank, table.c.pixels.in_(digests))
        for pixels in session.sql.scalars(known):
            del added[pixels]
    if added:
        session.sql.execute(insert(table), list(added.values()))
    return len(added)


def remove_from_bank(
    session: Session, bank: str, photo_ids: Collection[str], fingerprints: Collection[int] | None = None
) -> int:
    """Take pictures of these photos, as for :func:`add_to_bank`, off a list; returns how many were on it."""
    table, photos, pictures = schema.bank_pictures, schema.photos.c, schema.photo_pictures.c
    links = schema.photo_fingerprints.c
    removed = 0
    for chunk in chunks(photo_ids):
        query = (
            select(photos.photo_id, links.fingerprint_id, pictures.pixels)
            .join(schema.photo_pictures, pictures.photo_id == photos.id)
            .join(schema.photo_fingerprints, shows(links.photo_id, links.place))
            .where(photos.photo_id.in_(chunk))
            .order_by(photos.photo_id, links.place)
        )
        rows = ((row[0], row[1], row[2]) for row in session.sql.execute(query))
        for pixels in chunks({pixels for _, _, pixels in meant(rows, fingerprints)}):
            removing = delete(table).where(table.c.bank == bank, table.c.pixels.in_(pixels))
            removed += session.sql.execute(removing).rowcount
    return removed


def drop_from_banks(session: Session, banks: Collection[str], fingerprints: Collection[int]) -> int:
    """Take every picture with one of these fingerprints, by row id, off these lists; returns how many were on them."""
    table, removed = schema.bank_pictures, 0
    for chunk in chunks(sorted(fingerprints)):
        removing = delete(table).where(table.c.bank.in_(sorted(banks)), table.c.fingerprint_id.in_(chunk))
        removed += session.sql.execute(removing).rowcount
    return removed


def read_banks(session: Session, fingerprint_ids: Collection[int] | None = None) -> Iterator[BankPicture]:
    """Every known picture, or those with some fingerprints, in the order they were added."""
    query = select(*_COLUMNS).order_by(schema.bank_pictures.c.id)
    if fingerprint_ids is None:
        rows = list(session.sql.execute(query))
    else:
        named = schema.bank_pictures.c.fingerprint_id
        rows = [row for chunk in chunks(fingerprint_ids) for row in session.sql.execute(query.where(named.in_(chunk)))]
    yield from sorted((BankPicture(*row) for row in rows), key=lambda picture: picture.id)


def bank_counts(session: Session) -> dict[str, int]:
    """How many pictures are on each list."""
    table = schema.bank_pictures.c
    rows = session.sql.execute(select(table.bank, func.count()).group_by(table.bank).order_by(table.bank))
    return {bank: count for bank, count in rows}  # noqa: C416 -- rows, not pairs


def banks_of(session: Session, pixels: Collection[bytes]) -> dict[bytes, str]:
    """Which list these pictures are on; of several, the one that says stolen."""
    table = schema.bank_pictures.c
    found: dict[bytes, str] = {}
    for chunk in chunks(pixels):
        query = select(table.pixels, table.bank).where(table.pixels.in_(chunk)).order_by(table.id)
        for digest, bank in session.sql.execute(query):
            found[digest] = bank if bank == KNOWN_STOLEN else found.get(digest, bank)
    return found


def unshown_pictures(
    session: Session, fingerprint_ids: Collection[int], feature_ids: Collection[int]
) -> Iterator[tuple[int | None, int | None, BankPicture]]:
    """Known pictures that no photo shows any more: with one of these fingerprints or features, and with which."""
    table, pictures, features = schema.bank_pictures, schema.photo_pictures.c, schema.features.c
    shown = exists(select(pictures.photo_id).where(pictures.pixels == table.c.pixels))
    for chunk in chunks(fingerprint_ids):
        for row in session.sql.execute(select(*_COLUMNS).where(table.c.fingerprint_id.in_(chunk), ~shown)):
            picture = BankPicture(*row)
            yield picture.fingerprint_id, None, picture
    for chunk in chunks(feature_ids):
        query = select(features.id, *_COLUMNS).join(schema.features, features.pixels == table.c.pixels)
        for feature, *rest in session.sql.execute(query.where(features.id.in_(chunk), ~shown)):
            yield None, feature, BankPicture(*rest)


def bank_origins(session: Session, *, account: str | None, photo_id: str | None) -> list[tuple[str | None, str]]:
    """The id and the label of each photo of an account that a known picture was taken from, or of one photo."""
    table = schema.bank_pictures.c
    named = table.account == account if account is not None else table.photo_id == photo_id
    return [(row[0], row[1]) for row in session.sql.execute(select(table.photo_id, table.label).where(named))]


def forget_bank_origins(session: Session, *, account: str | None = None, photo_ids: Collection[str] = ()) -> None:
    """Take the account and photos that are to be erased off what is said of known pictures; the pictures stay known.

    Neither column has an index: each statement goes through all pictures, so it is for many photos.
    """
    table = schema.bank_pictures
    named = [table.c.photo_id.in_(chunk) for chunk in chunks(photo_ids)]
    for those in (*named, *([] if account is None else [table.c.account == account])):
        session.sql.execute(update(table).where(those).values(account=None, photo_id=None, label="erased"))
