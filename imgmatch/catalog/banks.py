"""Banks: named lists of known pictures and hashes, and the pictures on them, which stay known without any photo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Row, and_, bindparam, delete, exists, func, insert, or_, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks, wanted
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.pictures import meant, shows
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.times import from_microseconds, now
from imgmatch.model import PDQ, Bank, Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from sqlalchemy import BindParameter, ColumnElement, Select

    from imgmatch.catalog.session import Session

KNOWN_STOLEN = "known-stolen"
"""Pictures a moderator has confirmed to be in the hands of a gang."""

KNOWN_COMMON = "known-common"
"""Pictures anybody may carry: default avatars, celebrities, memes."""

_AT = bindparam("at", type_=BigInteger)

OWN_BANKS = {KNOWN_STOLEN: Purpose.STOLEN, KNOWN_COMMON: Purpose.COMMON}
"""Banks that decisions fill."""


def own_first(bank: str) -> tuple[bool, str]:
    """By which of several banks one is named: those that decisions fill before others, then by name."""
    return bank not in OWN_BANKS, bank


@dataclass(frozen=True, slots=True)
class BankPicture:
    """A known picture.

    Attributes:
        id: row id.
        bank: which list it is on.
        purpose: what that is for.
        ratio: the share of photos it takes part in the search for.
        active: it counts: its bank takes part, and it is neither muted nor quarantined nor dismissed.
        pixels: digest of the picture, 16 bytes.
        fingerprint_id: row id of its fingerprint by the hasher that is searched.
        label: the short name of the photo it was taken from.
        photo_id: that photo's id, ``None`` once it was erased.
        account: whose it was, ``None`` likewise.
        ref: what its list calls it.
        added_at: microseconds since 1970, UTC.
    """

    id: int
    bank: str
    purpose: Purpose
    ratio: float
    active: bool
    pixels: bytes
    fingerprint_id: int
    label: str
    photo_id: str | None
    account: str | None
    ref: str | None
    added_at: int

    @property
    def ties(self) -> bool:
        """Whether groups heed it: a partner's picture only flags."""
        return self.active and self.purpose is not Purpose.PARTNER


def active(at: BindParameter[int] | None = None) -> ColumnElement[bool]:
    """Whether an entry, joined with its bank, may hit anything now, or ``at`` another time."""
    entries, banks, said = schema.bank_entries.c, schema.banks.c, schema.bank_opinions.c
    dismissed = exists(
        select(said.key)
        .where(said.key.in_([entries.pdq, entries.pixels]), said.opinion == str(Opinion.DISMISSED))
        .correlate_except(schema.bank_opinions)
    )
    return and_(
        banks.enabled == 1,
        entries.quarantined_at.is_(None),
        or_(entries.muted_until.is_(None), entries.muted_until <= (now() if at is None else at)),
        ~dismissed,
    )


def _pictures(at: BindParameter[int] | None = None) -> Any:  # noqa: ANN401 -- a select of these columns
    entries, banks = schema.bank_entries.c, schema.banks.c
    return (
        select(
            entries.id,
            banks.name,
            banks.purpose,
            banks.ratio,
            active(at),
            entries.pixels,
            entries.fingerprint_id,
            entries.label,
            entries.photo_id,
            entries.account,
            entries.ref,
            entries.added_at,
        )
        .join(schema.banks, banks.id == entries.bank_id)
        .where(entries.fingerprint_id > 0)
    )


def _picture(row: Sequence[Any]) -> BankPicture:
    number, bank, purpose, ratio, counts, pixels, fingerprint, label, photo_id, account, ref, added_at = row
    known = label or "", photo_id, account, ref, added_at
    return BankPicture(number, bank, Purpose(purpose), ratio, bool(counts), pixels, fingerprint, *known)


# -- lists ------------------------------------------------------------------------------------------------------


def bank_row(session: Session, name: str) -> Row[Any] | None:
    """The row of a bank."""
    return session.sql.execute(select(schema.banks).where(schema.banks.c.name == name)).first()


def ensure_bank(session: Session, name: str, purpose: Purpose, **values: object) -> int:
    """The row id of a bank, made if it is not there."""
    row = bank_row(session, name)
    if row is not None:
        return int(row.id)
    made = {"owner": None, "enabled": 1, "ratio": 1.0, "note": None} | values
    statement = insert(schema.banks).values(name=name, purpose=str(purpose), created_at=now(), changes=0, **made)
    return int(session.sql.execute(statement.returning(schema.banks.c.id)).scalar_one())


def change_bank(session: Session, bank: int, **values: object) -> None:
    """Change columns of a bank, and note that what lookups find may be another."""
    table = schema.banks
    session.sql.execute(update(table).where(table.c.id == bank).values(changes=table.c.changes + 1, **values))


def drop_bank(session: Session, bank: int) -> None:
    """Remove a bank and all that stands on it."""
    session.sql.execute(delete(schema.bank_entries).where(schema.bank_entries.c.bank_id == bank))
    session.sql.execute(delete(schema.banks).where(schema.banks.c.id == bank))


def read_bank_list(session: Session, name: str | None = None) -> list[Bank]:
    """All banks by name, or one."""
    table = schema.banks
    query = select(table).order_by(table.c.name)
    rows = session.sql.execute(query if name is None else query.where(table.c.name == name)).all()
    only = {row.id for row in rows} if name is not None else None
    pictures = _counted(session, schema.bank_entries.c.fingerprint_id > 0, only)
    quarantined = _counted(session, schema.bank_entries.c.quarantined_at > 0, only)
    return [
        Bank(
            name=row.name,
            purpose=Purpose(row.purpose),
            owner=row.owner,
            enabled=bool(row.enabled),
            ratio=row.ratio,
            note=row.note,
            created_at=from_microseconds(row.created_at),
            entries=row_count(session, "bank_entries", str(row.id)),
            pictures=pictures.get(row.id, 0),
            quarantined=quarantined.get(row.id, 0),
            checkpoint=row.checkpoint,
        )
        for row in rows
    ]


def _counted(session: Session, those: ColumnElement[bool], only: Collection[int] | None) -> dict[int, int]:
    """How many of those entries each bank has, or each of some.

    The bank is asked for in a way that no index answers: the one of banks and keys leads to the rows in the order of
    the keys, which is none, and a million of them are then read one here and one there.
    """
    bank = schema.bank_entries.c.bank_id + 0
    query = select(bank, func.count()).where(those).group_by(bank)
    rows = session.sql.execute(query if only is None else query.where(bank.in_(sorted(only))))
    return {number: count for number, count in rows}  # noqa: C416 -- rows, not pairs


def bank_counts(session: Session) -> dict[str, int]:
    """How many entries are on each list."""
    rows = session.sql.execute(select(schema.banks.c.id, schema.banks.c.name).order_by(schema.banks.c.name))
    counted = {name: row_count(session, "bank_entries", str(number)) for number, name in rows}
    return {name: count for name, count in counted.items() if count}


# -- pictures ---------------------------------------------------------------------------------------------------


def add_to_bank(
    session: Session, bank: str, photo_ids: Sequence[str], hasher: str, fingerprints: Collection[int] | None = None
) -> int:
    """Put the pictures of these photos on a list, each once; returns how many were not there before.

    Args:
        session: one that may write.
        bank: which list, one of ``OWN_BANKS``.
        photo_ids: of the photos.
        hasher: whose fingerprints are searched.
        fingerprints: row ids of those of the pictures that are meant, see :func:`~imgmatch.catalog.pictures.meant`.
    """
    photos, links, pictures = schema.photos.c, schema.photo_fingerprints.c, schema.photo_pictures.c
    accounts, table = schema.accounts.c, schema.bank_entries
    number = ensure_bank(session, bank, OWN_BANKS[bank])
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
            values = {"bank_id": number, "key": pixels, "pixels": pixels, "fingerprint_id": fingerprint, "label": label}
            added.setdefault(pixels, values | {"photo_id": photo_id, "account": account, "added_at": now()})
    for digests in chunks(list(added)):
        known = select(table.c.pixels).where(table.c.bank_id == number, table.c.key.in_(digests))
        for pixels in session.sql.scalars(known):
            del added[pixels]
    if added:
        values_of = pdq_of_pictures(session, added)
        rows_added = [{**values, "pdq": values_of.get(pixels)} for pixels, values in added.items()]
        session.sql.execute(insert(table), rows_added)
    return len(added)


def pdq_of_pictures(session: Session, pixels: Collection[bytes]) -> dict[bytes, bytes]:
    """The PDQ values, 32 bytes each, of pictures that some photo shows, where the index keeps them."""
    pictures, links, prints = schema.photo_pictures.c, schema.photo_fingerprints.c, schema.fingerprints.c
    found: dict[bytes, bytes] = {}
    for chunk in chunks(pixels):
        query = (
            select(pictures.pixels, prints.bits)
            .join(schema.photo_fingerprints, shows(links.photo_id, links.place))
            .join(schema.fingerprints, prints.id == links.fingerprint_id)
            .where(pictures.pixels.in_(chunk), by_hasher(PDQ))
            .order_by(prints.id.desc())
        )
        found |= {digest: bits for digest, bits in session.sql.execute(query)}  # noqa: C416 -- rows, not pairs
    return found


def remove_from_bank(
    session: Session, bank: str, photo_ids: Collection[str], fingerprints: Collection[int] | None = None
) -> int:
    """Take pictures of these photos, as for :func:`add_to_bank`, off a list; returns how many were on it."""
    table, photos, pictures = schema.bank_entries, schema.photos.c, schema.photo_pictures.c
    links = schema.photo_fingerprints.c
    row = bank_row(session, bank)
    removed = 0
    for chunk in chunks(() if row is None else photo_ids):
        query = (
            select(photos.photo_id, links.fingerprint_id, pictures.pixels)
            .join(schema.photo_pictures, pictures.photo_id == photos.id)
            .join(schema.photo_fingerprints, shows(links.photo_id, links.place))
            .where(photos.photo_id.in_(chunk))
            .order_by(photos.photo_id, links.place)
        )
        rows = ((row[0], row[1], row[2]) for row in session.sql.execute(query))
        for pixels in chunks({pixels for _, _, pixels in meant(rows, fingerprints)}):
            removing = delete(table).where(table.c.bank_id == _number(row), table.c.key.in_(pixels))
            removed += session.sql.execute(removing).rowcount
    return _removed(session, {_number(row)}, removed)


def drop_from_banks(session: Session, banks: Collection[str], fingerprints: Collection[int]) -> int:
    """Take every picture with one of these fingerprints, by row id, off these lists; returns how many were on them."""
    table, removed = schema.bank_entries, 0
    numbers = {_number(row) for name in banks if (row := bank_row(session, name)) is not None}
    for chunk in chunks(sorted(fingerprints)):
        removing = delete(table).where(table.c.bank_id.in_(sorted(numbers)), table.c.fingerprint_id.in_(chunk))
        removed += session.sql.execute(removing).rowcount
    return _removed(session, numbers, removed)


def _number(row: Row[Any] | None) -> int:
    return 0 if row is None else int(row.id)


def _removed(session: Session, banks: Collection[int], removed: int) -> int:
    if removed:
        for bank in banks:
            change_bank(session, bank)
    return removed


def read_banks(
    session: Session,
    fingerprint_ids: Collection[int] | None = None,
    *,
    pixels: Collection[bytes] = (),
    confirmed: bool = True,
) -> Iterator[BankPicture]:
    """Every known picture, or those with some fingerprints or of some digests, in the order they were added.

    Without ``confirmed`` not those that moderators have confirmed to be stolen.
    """
    query = _pictures().order_by(schema.bank_entries.c.id)
    query = query if confirmed else query.where(schema.banks.c.name != KNOWN_STOLEN)
    if fingerprint_ids is None:
        rows = list(session.sql.execute(query))
    else:
        by_print, by_pixels = schema.bank_entries.c.fingerprint_id, schema.bank_entries.c.pixels
        asked = [query.where(by_print.in_(chunk)) for chunk in chunks(fingerprint_ids)]
        asked += [query.where(by_pixels.in_(chunk)) for chunk in chunks(pixels)]
        rows = list({row.id: row for each in asked for row in session.sql.execute(each)}.values())
    yield from sorted(map(_picture, rows), key=lambda picture: picture.id)


def banks_of(session: Session, pixels: Collection[bytes]) -> dict[bytes, str]:
    """Which list these pictures are on; of several, one that says stolen."""
    found: dict[bytes, BankPicture] = {}
    for chunk in chunks(pixels):
        for picture in map(_picture, session.sql.execute(_of_pixels(), {"wanted": chunk, "at": now()})):
            known = found.get(picture.pixels)
            if picture.active and (known is None or picture.purpose is Purpose.STOLEN):
                found[picture.pixels] = picture
    return {digest: picture.bank for digest, picture in found.items()}


def bank_pictures_like(
    session: Session, fingerprint_ids: Collection[int], feature_ids: Collection[int]
) -> Iterator[tuple[int | None, int | None, bool, BankPicture]]:
    """Known pictures that count with one of these fingerprints or features: which, whether a photo shows it, itself."""
    by_fingerprint, by_features = _that_count()
    for chunk in chunks(fingerprint_ids):
        for row in session.sql.execute(by_fingerprint, {"wanted": chunk, "at": now()}):
            picture = _picture(row[:-1])
            yield picture.fingerprint_id, None, bool(row[-1]), picture
    for chunk in chunks(feature_ids):
        for row in session.sql.execute(by_features, {"wanted": chunk, "at": now()}):
            yield None, row[-1], bool(row[-2]), _picture(row[:-2])


@cache
def _of_pixels() -> Select[Any]:
    entries = schema.bank_entries.c
    query: Select[Any] = _pictures(_AT).where(entries.pixels.in_(wanted())).order_by(entries.id)
    return query


@cache
def _that_count() -> tuple[Select[Any], Select[Any]]:
    """Known pictures that count, and whether a photo shows them: by their fingerprints, and by their features."""
    table, pictures, features = schema.bank_entries, schema.photo_pictures.c, schema.features.c
    shown = exists(select(pictures.photo_id).where(pictures.pixels == table.c.pixels))
    query = _pictures(_AT).where(active(_AT)).add_columns(shown)
    joined = query.add_columns(features.id).join(schema.features, features.pixels == table.c.pixels)
    return query.where(table.c.fingerprint_id.in_(wanted())), joined.where(features.id.in_(wanted()))


def bank_origins(session: Session, *, account: str | None, photo_id: str | None) -> list[tuple[str | None, str]]:
    """The id and the label of each photo of an account that a known picture was taken from, or of one photo."""
    table = schema.bank_entries.c
    named = table.account == account if account is not None else table.photo_id == photo_id
    rows = session.sql.execute(select(table.photo_id, table.label).where(table.fingerprint_id > 0, named))
    return [(row[0], row[1] or "") for row in rows]


def forget_bank_origins(session: Session, *, account: str | None = None, photo_ids: Collection[str] = ()) -> None:
    """Take the account and photos that are to be erased off what is said of known pictures; the pictures stay known.

    Neither column has an index: each statement goes through all pictures, so it is for many photos.
    """
    table = schema.bank_entries
    named = [table.c.photo_id.in_(chunk) for chunk in chunks(photo_ids)]
    for those in (*named, *([] if account is None else [table.c.account == account])):
        changed = update(table).where(table.c.fingerprint_id > 0, those)
        session.sql.execute(changed.values(account=None, photo_id=None, label="erased"))


def note_checkpoint(session: Session, bank: int, checkpoint: str | None) -> None:
    """Note what an import has to go on from."""
    table = schema.banks
    session.sql.execute(update(table).where(table.c.id == bank).values(checkpoint=checkpoint))
