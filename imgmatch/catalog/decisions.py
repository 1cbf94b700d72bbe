"""What people have decided: appended, never rewritten; and the photos each decision is about.

A decision that was undone does not count; that it was made, and that it was undone, stays on record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.fingerprints import by_hasher
from imgmatch.catalog.pictures import meant
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class DecidedPhoto:
    """A photo a decision is about.

    Attributes:
        photo_id: its id.
        account: whose it was.
        bits: the fingerprint it had, 32 bytes, by the hasher that is searched.
        picture: which of the decision's groups it belongs to; those of one group were held to be copies.
    """

    photo_id: str
    account: str
    bits: bytes
    picture: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision: its number, time in microseconds since 1970, and what was said of what, by whom and why.

    ``undoes`` is the number of the decision it takes back, if that is what it says; ``opened_at`` is when who decided
    had opened the ring, if that is known.
    """

    id: int
    decided_at: int
    verdict: str
    kind: str
    subject: str | None
    by: str
    reason: str | None
    undoes: int | None = None
    opened_at: int | None = None

    @property
    def about(self) -> int:
        """The decision whose photos it is about: itself, or the one it takes back."""
        return self.id if self.undoes is None else self.undoes


_UNDOING = schema.decisions.alias("undoing")
_COUNTS = ~exists(select(_UNDOING.c.id).where(_UNDOING.c.undoes == schema.decisions.c.id))
"""Nobody has undone it. What undoes is not undone itself."""


def append_decision(  # noqa: PLR0913 -- a decision has as many columns
    session: Session,
    *,
    verdict: str,
    kind: str,
    subject: str,
    by: str,
    reason: str | None,
    photos: Sequence[DecidedPhoto],
    undoes: int | None = None,
    opened_at: int | None = None,
) -> DecisionRow:
    """Write a decision down."""
    decided_at = now()
    statement = insert(schema.decisions).values(
        decided_at=decided_at,
        verdict=verdict,
        kind=kind,
        subject=subject,
        by=by,
        reason=reason,
        undoes=undoes,
        opened_at=opened_at,
    )
    row = session.sql.execute(statement.returning(schema.decisions.c.id)).scalar_one()
    rows = [
        {
            "decision_id": row,
            "picture": photo.picture,
            "photo_id": photo.photo_id,
            "account": photo.account,
            "bits": photo.bits,
        }
        for photo in photos
    ]
    if rows:
        session.sql.execute(insert(schema.decision_photos), rows)
    return DecisionRow(row, decided_at, verdict, kind, subject, by, reason, undoes, opened_at)


_DECISIONS = select(*(schema.decisions.c[name] for name in DecisionRow.__slots__))


def read_decisions(session: Session) -> list[DecisionRow]:
    """All of them, the oldest first."""
    return [DecisionRow(*row) for row in session.sql.execute(_DECISIONS.order_by(schema.decisions.c.id))]


def read_decision(session: Session, number: int) -> DecisionRow | None:
    """The decision of that number."""
    row = session.sql.execute(_DECISIONS.where(schema.decisions.c.id == number)).first()
    return None if row is None else DecisionRow(*row)


def latest_decisions(
    session: Session, *, before: int | None, limit: int, by: str | None = None, photo_ids: Collection[str] | None = None
) -> list[DecisionRow]:
    """Some of them, the latest first.

    Args:
        session: to read by.
        before: only those of a lower number.
        limit: so many at the most.
        by: only those of one person.
        photo_ids: only those on one of these photos.
    """
    table = schema.decisions.c
    query = _DECISIONS if before is None else _DECISIONS.where(table.id < before)
    query = query if by is None else query.where(table.by == by)
    query = query.order_by(table.id.desc()).limit(limit)
    if photo_ids is None:
        return [DecisionRow(*row) for row in session.sql.execute(query)]
    decided = schema.decision_photos.c
    found: dict[int, DecisionRow] = {}
    for chunk in chunks(sorted(photo_ids)):
        on = select(decided.decision_id).where(decided.photo_id.in_(chunk))
        found |= {row.id: DecisionRow(*row) for row in session.sql.execute(query.where(table.id.in_(on)))}
    return [found[number] for number in sorted(found, reverse=True)[:limit]]


def undone_by(session: Session, decisions: Collection[int]) -> dict[int, int]:
    """Those of these that were undone, each with the number of the decision that did it."""
    table = schema.decisions.c
    found: dict[int, int] = {}
    for chunk in chunks(sorted(decisions)):
        rows = session.sql.execute(select(table.undoes, table.id).where(table.undoes.in_(chunk)))
        found |= {undone: row for undone, row in rows}  # noqa: C416 -- rows, not pairs
    return found


def photo_counts(session: Session, decisions: Collection[int]) -> dict[int, int]:
    """How many photos each of these decisions is about."""
    table = schema.decision_photos.c
    found: dict[int, int] = {}
    for chunk in chunks(sorted(decisions)):
        query = select(table.decision_id, func.count(table.photo_id.distinct())).where(table.decision_id.in_(chunk))
        rows = session.sql.execute(query.group_by(table.decision_id))
        found |= {row: count for row, count in rows}  # noqa: C416 -- likewise
    return found


def photos_of_decision(session: Session, number: int) -> list[DecidedPhoto]:
    """The photos that one decision is about, group by group."""
    table = schema.decision_photos.c
    query = select(table.photo_id, table.account, table.bits, table.picture).where(table.decision_id == number)
    rows = session.sql.execute(query.order_by(table.picture, table.photo_id, table.bits))
    return [DecidedPhoto(*row) for row in rows]


def verdicts_of(session: Session, decisions: Collection[int]) -> dict[int, str]:
    """The verdicts of those of these decisions that count, by number."""
    table = schema.decisions.c
    found: dict[int, str] = {}
    for chunk in chunks(sorted(decisions)):
        rows = session.sql.execute(select(table.id, table.verdict).where(table.id.in_(chunk), _COUNTS))
        found |= {row: verdict for row, verdict in rows}  # noqa: C416 -- rows, not pairs
    return found


def decisions_on(session: Session, photo_ids: Collection[str]) -> dict[str, list[tuple[int, str, str, bytes]]]:
    """The decisions on each of these photos that count: number, verdict, kind and the fingerprint it had, in order."""
    table, decisions = schema.decision_photos.c, schema.decisions.c
    found: dict[str, dict[tuple[int, str, str, bytes], None]] = {}
    for chunk in chunks(photo_ids):
        query = select(table.photo_id, decisions.id, decisions.verdict, decisions.kind, table.bits).join(
            schema.decisions, decisions.id == table.decision_id
        )
        for photo_id, *said in session.sql.execute(
            query.where(table.photo_id.in_(chunk), _COUNTS).order_by(decisions.id)
        ):
            found.setdefault(photo_id, {})[tuple(said)] = None
    return {photo_id: list(said) for photo_id, said in found.items()}


def read_decided_photos(
    session: Session, fingerprints: Collection[bytes] | None = None
) -> Iterator[tuple[int, DecidedPhoto]]:
    """The number of a decision with each photo it is about, or each that had one of these fingerprints, in order."""
    table = schema.decision_photos.c
    query = select(table.decision_id, table.photo_id, table.account, table.bits, table.picture)
    query = query.order_by(table.decision_id, table.picture, table.photo_id, table.bits)
    if fingerprints is None:
        rows = list(session.sql.execute(query))
    else:
        rows = [
            row for chunk in chunks(fingerprints) for row in session.sql.execute(query.where(table.bits.in_(chunk)))
        ]
        rows.sort(key=lambda row: (row[0], row[4], row[1], row[3]))
    for decision, *photo in rows:
        yield decision, DecidedPhoto(*photo)


@dataclass(frozen=True, slots=True)
class DecidedGroup:
    """Photos that are decided on as copies of one picture.

    Attributes:
        photo_ids: their ids.
        fingerprints: row ids of those of the pictures that are meant; see :func:`~imgmatch.catalog.pictures.meant`.
    """

    photo_ids: Sequence[str]
    fingerprints: Collection[int] | None


def decided_photos(session: Session, hasher: str, groups: Sequence[DecidedGroup]) -> list[DecidedPhoto]:
    """Photos as a decision keeps them, group by group; those that are gone are left out.

    A photo is there once for each picture of it that is meant.
    """
    photos, links, prints = schema.photos.c, schema.photo_fingerprints.c, schema.fingerprints.c
    found = []
    for number, group in enumerate(groups):
        for chunk in chunks(sorted(set(group.photo_ids))):
            query = (
                select(photos.photo_id, links.fingerprint_id, schema.accounts.c.account, prints.bits)
                .join(schema.accounts, schema.accounts.c.id == photos.account_id)
                .join(schema.photo_fingerprints, links.photo_id == photos.id)
                .join(schema.fingerprints, prints.id == links.fingerprint_id)
                .where(photos.photo_id.in_(chunk), by_hasher(hasher))
                .order_by(photos.photo_id, links.place)
            )
            rows = ((row[0], row[1], (row[2], row[3])) for row in session.sql.execute(query))
            named = {(photo_id, *of): None for photo_id, _, of in meant(rows, group.fingerprints)}
            found += [DecidedPhoto(*photo, number) for photo in named]
    return found


def forget_decided_photos(session: Session, *, account: str | None, photo_id: str | None) -> None:
    """What is to be erased is erased from decisions as well: its photos, and the subject where that names it."""
    table, decisions = schema.decision_photos, schema.decisions
    named = table.c.account == account if account is not None else table.c.photo_id == photo_id
    query = select(decisions.c.id, decisions.c.subject, table.c.photo_id)
    rows = session.sql.execute(query.join(table, table.c.decision_id == decisions.c.id).where(named)).all()
    # Compared here: a database may take upper and lower case for the same.
    naming = {row for row, subject, photo in rows if subject is not None and _names(subject, photo)}
    for chunk in chunks(sorted(naming)):
        session.sql.execute(update(decisions).where(decisions.c.id.in_(chunk)).values(subject=None))
    session.sql.execute(delete(table).where(named))


def decided_of(session: Session, *, account: str | None, photo_id: str | None) -> list[tuple[str, bytes]]:
    """The id and the fingerprint of each photo of an account that a decision is about, or of one photo."""
    table = schema.decision_photos.c
    named = table.account == account if account is not None else table.photo_id == photo_id
    return [(row[0], row[1]) for row in session.sql.execute(select(table.photo_id, table.bits).where(named))]


def read_reasons(session: Session) -> list[tuple[int, str]]:
    """The number and the reason of each decision that has one, the oldest first."""
    table = schema.decisions.c
    rows = session.sql.execute(select(table.id, table.reason).where(table.reason.is_not(None)).order_by(table.id))
    return [(row[0], row[1]) for row in rows]


def change_reason(session: Session, decision: int, reason: str) -> None:
    """Say another reason: the one place where a decision is rewritten, since what it says was asked to be erased."""
    table = schema.decisions
    session.sql.execute(update(table).where(table.c.id == decision).values(reason=reason))


def _names(subject: str, photo_id: str) -> bool:
    """Whether this photo is the subject, or one of a pair."""
    return subject == photo_id or subject.startswith(f"{photo_id} ") or subject.endswith(f" {photo_id}")
