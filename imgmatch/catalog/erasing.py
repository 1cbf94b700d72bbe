"""What an erasure must leave no trace of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from imgmatch.catalog import schema
from imgmatch.catalog.banks import forget_bank_origins
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.decisions import forget_decided_photos
from imgmatch.catalog.kept_rings import rings_naming
from imgmatch.catalog.reports import forget_reported
from imgmatch.catalog.scans import skips_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Select

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class Erased:
    """What is to be erased: one of these.

    Attributes:
        account: all photos of this account.
        photo_id: this photo.
        before: all photos first seen before this moment, in microseconds since 1970, UTC.
        at_once: of these so many at the most, of all that are there; ``None`` takes all.
    """

    account: str | None = None
    photo_id: str | None = None
    before: int | None = None
    at_once: int | None = None

    def __str__(self) -> str:
        if self.before is not None:
            return "what was first seen long ago"
        return f"photo {self.photo_id!r}" if self.account is None else f"account {self.account!r}"

    def rows(self) -> Select[tuple[int]]:
        """Row ids of its photos."""
        photos = schema.photos.c
        return self._all().order_by(photos.id).limit(self.at_once) if self.at_once is not None else self._all()

    def _all(self) -> Select[tuple[int]]:
        photos, accounts = schema.photos.c, schema.accounts.c
        query = select(photos.id).join(schema.accounts, accounts.id == photos.account_id)
        if self.before is not None:
            return query.where(photos.seen_at < self.before)
        return query.where(
            accounts.account == self.account if self.account is not None else photos.photo_id == self.photo_id
        )


def remove_erased(session: Session, erased: Erased) -> int:
    """Remove its photos, and take them out of decisions, banks and the last report; returns how many there were.

    A picture in a bank stays known, without a word of where it came from: it was put there by a decision of its own.
    """
    photos = schema.photos
    ids = list(session.sql.scalars(select(photos.c.photo_id).where(photos.c.id.in_(erased.rows()))))
    if erased.account is not None:
        forget_decided_photos(session, account=erased.account, photo_id=None)
        forget_bank_origins(session, account=erased.account)
        forget_reported(session, erased.account)
    named = [erased.photo_id] if erased.photo_id is not None else ids
    forget_bank_origins(session, photo_ids=named)
    for photo_id in named:
        forget_decided_photos(session, account=None, photo_id=photo_id)
    return session.sql.execute(delete(photos).where(photos.c.id.in_(erased.rows()))).rowcount


@dataclass(frozen=True, slots=True)
class ErasedPhoto:
    """A photo that is to be erased: all by which it could be known again, but for what was computed from its pixels."""

    photo_id: str
    account: str
    name: str | None
    attributes: dict[str, str] | None
    label: str
    path: str
    sha256: bytes


def erased_photos(session: Session, erased: Erased) -> list[ErasedPhoto]:
    """Its photos."""
    photos, accounts = schema.photos, schema.accounts
    of_photo = (photos.c.label, photos.c.path, photos.c.sha256)
    of_account = (accounts.c.account, accounts.c.name, accounts.c.attributes)
    query = select(photos.c.photo_id, *of_account, *of_photo).join(accounts, accounts.c.id == photos.c.account_id)
    return [ErasedPhoto(*row) for row in session.sql.execute(query.where(photos.c.id.in_(erased.rows())))]


def pixels_of(session: Session, erased: Erased) -> set[bytes]:
    """The digests of the pictures of its photos."""
    table = schema.photo_pictures.c
    return set(session.sql.scalars(select(table.pixels).where(table.photo_id.in_(erased.rows()))))


def accounts_in_use(session: Session, accounts: Collection[str]) -> set[str]:
    """Which of these some photo still has."""
    table = schema.accounts.c
    query = select(table.account).join(schema.photos, schema.photos.c.account_id == table.id).distinct()
    return {one for chunk in chunks(accounts) for one in session.sql.scalars(query.where(table.account.in_(chunk)))}


def fingerprints_of(session: Session, erased: Erased) -> set[bytes]:
    """The fingerprints of its photos, by every hasher."""
    links, prints = schema.photo_fingerprints, schema.fingerprints
    bits = select(prints.c.bits).join(links, links.c.fingerprint_id == prints.c.id)
    return set(session.sql.scalars(bits.where(links.c.photo_id.in_(erased.rows()))))


def digests_in_use(session: Session, digests: Collection[bytes]) -> set[bytes]:
    """Which of these some photo still has, or a decision on another photo, or a bank."""
    photos, pictures, prints = schema.photos.c, schema.photo_pictures.c, schema.fingerprints.c
    used: set[bytes] = set()
    decided, banked, said = schema.decision_photos.c, schema.bank_entries.c, schema.bank_opinions.c
    hashers = list(
        session.sql.scalars(select(schema.row_counts.c.part).where(schema.row_counts.c.kind == "fingerprints"))
    )
    for chunk in chunks(digests):
        for column in (photos.sha256, pictures.pixels, decided.bits, banked.pixels, banked.pdq, said.key):
            used.update(session.sql.scalars(select(column).where(column.in_(chunk))))
        # By hasher, as they are indexed.
        used.update(session.sql.scalars(select(prints.bits).where(prints.hasher.in_(hashers), prints.bits.in_(chunk))))
    return used


def features_of(session: Session, erased: Erased) -> dict[int, tuple[bytes, bytes]]:
    """Record and thumbnail (``b""`` where none is kept) by row id, of the features of its photos."""
    pictures, table = schema.photo_pictures.c, schema.features.c
    shown = select(pictures.pixels).where(pictures.photo_id.in_(erased.rows()))
    rows = session.sql.execute(select(table.id, table.record, table.thumbnail).where(table.pixels.in_(shown)))
    return {row: (record, thumbnail or b"") for row, record, thumbnail in rows}


def came_back(session: Session, erased: Erased) -> int:
    """How many photos of it there are, those that were skipped among them: after an erasure, those added since."""
    photos = session.sql.scalar(select(func.count()).select_from(erased.rows().subquery())) or 0
    if erased.before is not None:
        return photos
    return photos + len(skips_of(session, account=erased.account, photo_id=erased.photo_id))


def mentions(session: Session, erased: Erased) -> int:
    """How many rows, of photos, accounts, skipped photos, decisions, banks, reports, groups and rings, name it."""
    tables = (schema.skipped, schema.decision_photos, schema.bank_entries)
    if erased.before is not None:
        return session.sql.scalar(select(func.count()).select_from(erased.rows().subquery())) or 0
    if erased.account is not None:
        kept = (schema.report_members.c.account, schema.ring_accounts.c.account)
        columns = [schema.accounts.c.account, *kept, *(each.c.account for each in tables)]
    else:
        columns = [schema.photos.c.photo_id, schema.groups.c.name, *(each.c.photo_id for each in tables)]
    name = erased.account if erased.account is not None else erased.photo_id
    counted = (select(func.count()).select_from(column.table).where(column == name) for column in columns)
    naming = 0 if erased.account is None else len(rings_naming(session, erased.account))
    return naming + sum(session.sql.scalar(query) or 0 for query in counted)
