"""What stands on banks, one by one: read, looked up by what a search found, added, changed and removed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import LargeBinary, bindparam, delete, func, insert, select, type_coerce, update

from imgmatch.catalog import schema
from imgmatch.catalog.banks import active, change_bank
from imgmatch.catalog.checked import within
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.stale import note_stale
from imgmatch.catalog.times import from_microseconds, now
from imgmatch.model import FINGERPRINT_BYTES, BankEntry, Opinion, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from imgmatch.catalog.session import Session

_READ_AT_ONCE = 100_000
_KEY_BYTES = 16
_SHARE_BYTES = 8

LISTED = ("ref", "note", "category", "tags", "uri", "metadata")
"""Columns that hold what a list says of an entry."""


@dataclass(frozen=True, slots=True)
class HitEntry:
    """An entry that counts, and that a search has found.

    Attributes:
        id: row id.
        bank: the name of its bank.
        purpose: what that is for.
        ratio: the share of photos it takes part in the search for.
        ref: what its list calls it.
        pdq: 32 bytes.
        photo_id: the photo a picture was taken from.
    """

    id: int
    bank: str
    purpose: Purpose
    ratio: float
    ref: str | None
    pdq: bytes
    photo_id: str | None

    @property
    def ties(self) -> bool:
        """Whether groups heed it: a partner's entry only flags."""
        return self.purpose is not Purpose.PARTNER

    def takes_part(self, bits: bytes) -> bool:
        """Whether its bank takes part in the search for a picture of this fingerprint: always the same for one."""
        return takes_part(self.ratio, bits)


def takes_part(ratio: float, bits: bytes) -> bool:
    """Whether a bank with a share of traffic takes part in the search for a picture of this fingerprint.

    That hangs on the fingerprint alone, not on the bank: under another name it hits the same, and with a larger share
    what it hit before and more.
    """
    if ratio >= 1:
        return True
    drawn = hashlib.blake2b(bits, digest_size=_SHARE_BYTES).digest()
    return int.from_bytes(drawn, "big") < ratio * (1 << (8 * _SHARE_BYTES))


def entry_key(text: str | bytes) -> bytes:
    """What makes two bare entries of a bank one: the digest of the list's id of it, or of its PDQ value."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.blake2b(data, digest_size=_KEY_BYTES).digest()


def last_entry(session: Session) -> int:
    """The highest row id in use, 0 if there is none."""
    return session.sql.scalar(select(func.max(schema.bank_entries.c.id))) or 0


def read_hashes(
    session: Session, after: int = 0, *, bare: bool = False
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """PDQ values of entries above a row id, in order: blocks of ids, shape (n,), and bits, shape (n, 32).

    With ``bare`` only of those that are no pictures.
    """
    table = schema.bank_entries.c
    bits = type_coerce(within(table.pdq, FINGERPRINT_BYTES), LargeBinary())
    query = select(table.id, bits).where(table.pdq.is_not(None)).order_by(table.id).limit(_READ_AT_ONCE)
    query = query.where(table.fingerprint_id.is_(None)) if bare else query
    while True:
        rows = session.sql.execute(query.where(table.id > after)).all()
        if not rows:
            return
        after = rows[-1][0]
        sound = [row for row in rows if type(row[1]) is bytes and len(row[1]) == FINGERPRINT_BYTES]
        ids = np.fromiter((row[0] for row in sound), np.int64, count=len(sound))
        yield ids, np.frombuffer(b"".join(row[1] for row in sound), np.uint8).reshape(-1, FINGERPRINT_BYTES)


def hit_entries(session: Session, ids: Collection[int]) -> dict[int, HitEntry]:
    """Those of these entries that count now."""
    entries, banks = schema.bank_entries.c, schema.banks.c
    query = (
        select(entries.id, banks.name, banks.purpose, banks.ratio, entries.ref, entries.pdq, entries.photo_id)
        .join(schema.banks, banks.id == entries.bank_id)
        .where(active(), entries.pdq.is_not(None))
    )
    found: dict[int, HitEntry] = {}
    for chunk in chunks(sorted(ids)):
        for row in session.sql.execute(query.where(entries.id.in_(chunk))):
            found[row[0]] = HitEntry(row[0], row[1], Purpose(row[2]), *row[3:])
    return found


def read_entries(
    session: Session, bank: int, *, after: int = 0, limit: int | None = None, ids: Collection[int] | None = None
) -> list[BankEntry]:
    """Entries of a bank with row ids above ``after``, in order, so many at the most; or some of it."""
    entries, banks = schema.bank_entries.c, schema.banks.c
    query = (
        select(schema.bank_entries, banks.name)
        .join(schema.banks, banks.id == entries.bank_id)
        .where(entries.bank_id == bank, entries.id > after)
        .order_by(entries.id)
        .limit(limit)
    )
    rows = session.sql.execute(query if ids is None else query.where(entries.id.in_(ids))).all()
    said = _opinions(session, {_opinion_key(row) for row in rows})
    return [_entry(row, said.get(_opinion_key(row))) for row in rows]


def _opinion_key(row: Any) -> bytes:  # noqa: ANN401 -- a row of entries
    return bytes(row.pdq if row.pdq is not None else row.pixels or b"")


def _opinions(session: Session, keys: Collection[bytes]) -> dict[bytes, Any]:
    table = schema.bank_opinions.c
    query = select(table.key, table.opinion, table.by, table.reason)
    rows = (session.sql.execute(query.where(table.key.in_(chunk))) for chunk in chunks(sorted(keys)))
    return {row.key: row for some in rows for row in some}


def _entry(row: Any, said: Any) -> BankEntry:  # noqa: ANN401 -- rows of entries and opinions
    return BankEntry(
        entry=row.id,
        bank=row.name,
        pdq=None if row.pdq is None else row.pdq.hex(),
        is_picture=row.fingerprint_id is not None,
        ref=row.ref,
        added_at=from_microseconds(row.added_at),
        muted_until=None if row.muted_until is None else from_microseconds(row.muted_until),
        quarantined_at=None if row.quarantined_at is None else from_microseconds(row.quarantined_at),
        opinion=None if said is None else Opinion(said.opinion),
        opinion_by=None if said is None else said.by,
        opinion_reason=None if said is None else said.reason,
        note=row.note,
        category=row.category,
        tags=tuple(row.tags or ()),
        uri=row.uri,
        metadata=row._mapping[schema.bank_entries.c.metadata] or {},  # noqa: SLF001 -- its documented door
        label=row.label or "",
        modified=row.modified,
    )


def known_entries(session: Session, bank: int, keys: Collection[bytes]) -> dict[bytes, Any]:
    """Entries of a bank by their keys: id, what they hold, and what their list says of them."""
    table, found = schema.bank_entries, dict[bytes, Any]()
    names = ("key", "id", "pdq", "fingerprint_id", "modified", *LISTED)
    query = select(*(table.c[name] for name in names)).where(table.c.bank_id == bank)
    for chunk in chunks(keys):
        found |= {row[0]: row for row in session.sql.execute(query.where(table.c.key.in_(chunk)))}
    return found


def insert_entries(session: Session, bank: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Add entries that are not there; each row has a ``key`` and what else is known, under the same names."""
    if not rows:
        return
    used = [
        name for name in rows[0] if any(row[name] is not None for row in rows)
    ]  # most lists give nothing but values
    common = {"bank_id": bank, "added_at": now()}
    session.sql.execute(insert(schema.bank_entries), [common | {name: row[name] for name in used} for row in rows])


def insert_entry(session: Session, bank: int, row: Mapping[str, object]) -> int:
    """Add one; returns its row id."""
    statement = insert(schema.bank_entries).values(bank_id=bank, added_at=now(), **row)
    return int(session.sql.execute(statement.returning(schema.bank_entries.c.id)).scalar_one())


def change_entry(session: Session, bank: int, entry: int, **values: object) -> None:
    """Change columns of an entry; the groups it has a say in are made anew."""
    table = schema.bank_entries
    if values:
        session.sql.execute(update(table).where(table.c.id == entry).values(**values))
    change_bank(session, bank)
    note_stale(session, fingerprints_hit(session, [entry]))


def change_listed(session: Session, bank: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep what a list says of entries now: ``id``, ``modified`` and the columns of ``LISTED`` of each.

    None of it has a say in what is hit, nor in groups.
    """
    if not rows:
        return
    table = schema.bank_entries
    names = ("modified", *LISTED)
    changed = update(table).where(table.c.id == bindparam("row"))
    changed = changed.values({table.c[name]: bindparam(f"new_{name}") for name in names})
    session.sql.execute(changed, [{"row": row["id"]} | {f"new_{name}": row[name] for name in names} for row in rows])
    change_bank(session, bank)


def remove_entries(session: Session, bank: int, entries: Collection[int]) -> int:
    """Remove entries, and what photos hit of them; returns how many there were."""
    table, removed = schema.bank_entries, 0
    for chunk in chunks(sorted(entries)):
        statement = delete(table).where(table.c.bank_id == bank, table.c.id.in_(chunk))
        removed += session.sql.execute(statement).rowcount
    if removed:
        change_bank(session, bank)
    return removed


def fingerprints_hit(session: Session, entries: Collection[int]) -> set[int]:
    """Row ids of fingerprints of groups that these entries have a say in."""
    table, hits, links = schema.bank_entries.c, schema.bank_hits.c, schema.photo_fingerprints.c
    other = schema.photo_fingerprints.alias("other")
    found: set[int] = set()
    for chunk in chunks(sorted(entries)):
        own = select(table.fingerprint_id).where(table.id.in_(chunk), table.fingerprint_id > 0)
        found.update(session.sql.scalars(own))
        hit = (
            select(other.c.fingerprint_id)
            .join(schema.photo_fingerprints, (links.photo_id == other.c.photo_id) & (links.place == other.c.place))
            .join(schema.bank_hits, hits.fingerprint_id == links.fingerprint_id)
            .where(hits.entry_id.in_(chunk))
        )
        found.update(session.sql.scalars(hit.distinct()))
    return found


def entries_with_hits(session: Session, bank: int) -> list[int]:
    """Row ids of those entries of a bank that some photo hits, or that are pictures."""
    table, hits = schema.bank_entries.c, schema.bank_hits.c
    hit = select(table.id).join(schema.bank_hits, hits.entry_id == table.id).where(table.bank_id == bank)
    pictures = select(table.id).where(table.bank_id + 0 == bank, table.fingerprint_id > 0)  # by no index of keys
    return sorted({*session.sql.scalars(hit.distinct()), *session.sql.scalars(pictures)})


def give_opinion(session: Session, key: bytes, opinion: Opinion | None, by: str, reason: str | None) -> None:
    """Keep what a moderator says of a PDQ value, or of a picture without one; ``None`` takes it back."""
    table = schema.bank_opinions
    session.sql.execute(delete(table).where(table.c.key == key))
    if opinion is not None:
        values = {"key": key, "opinion": str(opinion), "by": by, "reason": reason, "given_at": now()}
        session.sql.execute(insert(table).values(**values))


def entries_of_value(session: Session, key: bytes) -> dict[int, int]:
    """Row ids of all entries with this PDQ value, or of this picture, each with its bank's."""
    table = schema.bank_entries.c
    rows = session.sql.execute(select(table.id, table.bank_id).where((table.pdq == key) | (table.pixels == key)))
    return {entry: bank for entry, bank in rows}  # noqa: C416 -- rows, not pairs


def has_ended_mutes(session: Session) -> bool:
    """Whether an entry was muted until a time that is over."""
    ended = select(schema.bank_entries.c.id).where(schema.bank_entries.c.muted_until <= now()).limit(1)
    return session.sql.execute(ended).first() is not None


def end_mutes(session: Session) -> None:
    """Entries that were muted until now count again, in groups as well."""
    table = schema.bank_entries
    over = session.sql.execute(select(table.c.id, table.c.bank_id).where(table.c.muted_until <= now())).all()
    for entry, bank in over:
        change_entry(session, bank, entry, muted_until=None)


def key_of(session: Session, entry: int) -> bytes:
    """By what opinions on an entry are kept: its PDQ value, or of a picture without one the digest of the picture."""
    table = schema.bank_entries.c
    pdq, pixels = session.sql.execute(select(table.pdq, table.pixels).where(table.id == entry)).one()
    return bytes(pixels if pdq is None else pdq)


def bank_of(session: Session, entry: int) -> int | None:
    """The row id of the bank an entry stands on."""
    found = session.sql.scalar(select(schema.bank_entries.c.bank_id).where(schema.bank_entries.c.id == entry))
    return None if found is None else int(found)


def numbers(session: Session, bank: int) -> NDArray[np.int64]:
    """The row ids of all entries of a bank, in order, shape (n,)."""
    table = schema.bank_entries.c
    found = session.sql.scalars(select(table.id).where(table.bank_id == bank).order_by(table.id))
    return np.fromiter(found, np.int64)


def shared_rows(session: Session, bank: int, *, after: int, limit: int) -> list[tuple[Any, tuple[str, bytes] | None]]:
    """Entries of a bank that count, in order of their row ids, each with codebook and record of its features."""
    entries, features = schema.bank_entries.c, schema.features.c
    columns = ("id", "pixels", "fingerprint_id", "pdq", "note", "category", "tags")
    query = (
        select(*(entries[name] for name in columns))
        .join(schema.banks, schema.banks.c.id == entries.bank_id)
        .where(entries.bank_id == bank, entries.id > after, active())
        .order_by(entries.id)
        .limit(limit)
    )
    rows = list(session.sql.execute(query).all())
    kept: dict[bytes, tuple[str, bytes]] = {}
    for chunk in chunks([row.pixels for row in rows if row.pixels is not None]):
        found = select(features.pixels, features.codebook, features.record).where(features.pixels.in_(chunk))
        kept |= {pixels: (codebook, record) for pixels, codebook, record in session.sql.execute(found)}
    return [(row, kept.get(row.pixels)) for row in rows]


def numbers_without(session: Session, bank: int, keys: Collection[bytes]) -> list[int]:
    """The row ids of a bank's entries but for those under these keys."""
    table = schema.bank_entries.c
    rows = session.sql.execute(select(table.id, table.key).where(table.bank_id == bank).order_by(table.id))
    return [row for row, key in rows if key not in keys]
