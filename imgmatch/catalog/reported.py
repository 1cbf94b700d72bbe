"""Rings that others' queues are told of: what each is to be told, was told, and how many accounts a ring had then.

Nothing here names an account: whom a report is about is put together when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, insert, or_, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.times import now
from imgmatch.model import DecisionKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.catalog.session import Session

_DECISION = "decision:"
_KINDS = (DecisionKind.RING.value, DecisionKind.GROUP.value)


@dataclass(frozen=True, slots=True)
class DueReport:
    """A ring that a sink is to be told of.

    Attributes:
        subject: what has led to it, ``decision:12`` or ``ring:r0123456789:1``; unique for a sink.
        decision: the number of the decision; ``None`` where a run has.
        ring: its id; ``None`` while that is not looked up yet.
        size: how many accounts it had; likewise.
        attempts: how often it was tried.
    """

    subject: str
    decision: int | None = None
    ring: str | None = None
    size: int | None = None
    attempts: int = 0

    @classmethod
    def of_decision(cls, number: int) -> DueReport:
        """What a decision has led to."""
        return cls(f"{_DECISION}{number}", decision=number)

    @classmethod
    def of_ring(cls, ring: str, size: int, earlier: int) -> DueReport:
        """What a run has led to: there were so many reports of this ring before."""
        return cls(f"ring:{ring}:{earlier + 1}", ring=ring, size=size)


@dataclass(frozen=True, slots=True)
class KnownRing:
    """What a sink has been told of a ring, or is to be.

    Attributes:
        reports: how many.
        size: the most accounts that one of them was of.
        waits: one of them is still to be told.
    """

    reports: int
    size: int
    waits: bool


def begin_reports(session: Session, sink: str, last_decision: int) -> None:
    """Decisions beyond this one are to be told of, unless that was said before."""
    table = schema.reported.c
    begun = select(table.subject).where(table.sink == sink, table.subject.startswith(_DECISION)).limit(1)
    if session.sql.scalar(begun) is None:
        values = {"sink": sink, "subject": f"{_DECISION}{last_decision}", "decision_id": last_decision or None}
        answer = "made before there was this queue"
        session.sql.execute(insert(schema.reported).values(**values, attempts=0, next_at=None, answer=answer))


def confirmed_since(session: Session, sink: str) -> list[DueReport]:
    """What the decisions lead to that confirm a ring or a picture and are not noted for this sink yet, in order."""
    table, decisions = schema.reported.c, schema.decisions.c
    last = session.sql.scalar(select(func.max(table.decision_id)).where(table.sink == sink)) or 0
    query = select(decisions.id).where(
        decisions.id > last, decisions.verdict == Verdict.CONFIRM.value, decisions.kind.in_(_KINDS)
    )
    return [DueReport.of_decision(number) for number in session.sql.scalars(query.order_by(decisions.id))]


def note_reports(session: Session, sink: str, reports: Sequence[DueReport]) -> None:
    """Note what is to be told; what is noted already stays as it is."""
    table = schema.reported
    there: set[str] = set()
    for some in chunks([one.subject for one in reports]):
        there |= set(
            session.sql.scalars(select(table.c.subject).where(table.c.sink == sink, table.c.subject.in_(some)))
        )
    rows = [
        {
            "sink": sink,
            "subject": one.subject,
            "decision_id": one.decision,
            "ring": one.ring,
            "size": one.size,
            "attempts": 0,
            "next_at": now(),
        }
        for one in reports
        if one.subject not in there
    ]
    if rows:
        session.sql.execute(insert(table), rows)


def due_reports(session: Session, sink: str, limit: int) -> list[DueReport]:
    """Those whose time has come, what has waited longest first, and decisions before what runs have found."""
    table = schema.reported.c
    query = select(table.subject, table.decision_id, table.ring, table.size, table.attempts)
    query = query.where(table.sink == sink, table.next_at <= now())
    ordered = query.order_by(table.next_at, table.decision_id.is_(None), table.decision_id, table.subject)
    return [DueReport(*row) for row in session.sql.execute(ordered.limit(limit))]


def note_report(
    session: Session, sink: str, report: DueReport, answer: str, next_at: int | None, *, delivered: bool
) -> None:
    """Note what came of one, of which ring it was and of how many accounts, and when it is tried again."""
    table = schema.reported
    values = {"attempts": report.attempts + 1, "answer": answer, "next_at": next_at}
    values |= {"ring": report.ring, "size": report.size}
    values |= {"delivered_at": now()} if delivered else {}
    where = (table.c.sink == sink, table.c.subject == report.subject)
    session.sql.execute(update(table).where(*where).values(values))


def known_rings(session: Session, sink: str) -> dict[str, KnownRing]:
    """The rings that a sink was told of, or is to be."""
    table = schema.reported.c
    waits = func.max(case((table.next_at.is_not(None), 1), else_=0))
    query = select(table.ring, func.count(), func.max(func.coalesce(table.size, 0)), waits)
    rows = session.sql.execute(query.where(table.sink == sink, table.ring.is_not(None)).group_by(table.ring))
    return {ring: KnownRing(count, size, bool(waiting)) for ring, count, size, waiting in rows}


def told_size(session: Session, sink: str, ring: str) -> int | None:
    """The most accounts that a sink has taken a report of this ring with; ``None`` where it has taken none."""
    table = schema.reported.c
    query = select(func.max(table.size)).where(table.sink == sink, table.ring == ring, table.delivered_at.is_not(None))
    found: int | None = session.sql.scalar(query)
    return found


ReportRow = tuple[str, str | None, int | None, int, int | None, int | None, str | None]
"""Subject, ring, size, attempts, when it is tried next, when it was delivered, and the last answer."""


def read_reports(session: Session, sink: str, limit: int) -> list[ReportRow]:
    """What became of those of a sink: what waits first, then the latest."""
    table = schema.reported.c
    query = select(
        table.subject, table.ring, table.size, table.attempts, table.next_at, table.delivered_at, table.answer
    )
    tried = or_(table.attempts > 0, table.next_at.is_not(None))
    ordered = query.where(table.sink == sink, tried).order_by(
        table.next_at.is_(None), table.delivered_at.is_(None), table.delivered_at.desc(), table.subject
    )
    return [
        (row[0], row[1], row[2], row[3], row[4], row[5], row[6]) for row in session.sql.execute(ordered.limit(limit))
    ]
