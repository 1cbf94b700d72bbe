"""Decisions that a platform is to be told of: noted with the decision, gone through until it has taken them.

What is told is put together when it is sent, so that what was erased meanwhile is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from imgmatch.catalog import schema
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class Delivery:
    """A decision to be told of, and how often that was tried."""

    decision: int
    attempts: int


def note_deliveries(session: Session, after: int) -> int:
    """Note each decision beyond this number that is not noted yet; returns how many."""
    table, decisions = schema.deliveries, schema.decisions.c
    noted = select(table.c.decision_id)
    wanted = select(decisions.id).where(decisions.id > after, decisions.id.not_in(noted)).order_by(decisions.id)
    rows = [{"decision_id": row, "attempts": 0, "next_at": now()} for row in session.sql.scalars(wanted)]
    if rows:
        session.sql.execute(insert(table), rows)
    return len(rows)


def last_noted(session: Session) -> int | None:
    """The number of the last decision that is noted; ``None`` where none is."""
    row = schema.deliveries.c.decision_id
    found: int | None = session.sql.scalar(select(row).order_by(row.desc()).limit(1))
    return found


def last_decision(session: Session) -> int:
    """The number of the last decision; 0 where there is none."""
    return session.sql.scalar(select(func.max(schema.decisions.c.id))) or 0


def due_deliveries(session: Session, limit: int) -> list[Delivery]:
    """Those whose time has come, in order."""
    table = schema.deliveries.c
    query = select(table.decision_id, table.attempts).where(table.next_at <= now()).order_by(table.decision_id)
    return [Delivery(*row) for row in session.sql.execute(query.limit(limit))]


def note_attempt(session: Session, delivery: Delivery, answer: str, next_at: int | None, *, delivered: bool) -> None:
    """Note what came of one, and when it is tried again, in microseconds; ``None`` where it is not."""
    table = schema.deliveries
    values = {"attempts": delivery.attempts + 1, "answer": answer, "next_at": next_at}
    values |= {"delivered_at": now()} if delivered else {}
    session.sql.execute(update(table).where(table.c.decision_id == delivery.decision).values(values))


def read_deliveries(session: Session, limit: int) -> list[tuple[int, int, int | None, int | None, str | None]]:
    """Decision, attempts, when it is tried next, when it was delivered, and the last answer; the latest first."""
    table = schema.deliveries.c
    query = select(table.decision_id, table.attempts, table.next_at, table.delivered_at, table.answer)
    rows = session.sql.execute(query.order_by(table.decision_id.desc()).limit(limit))
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]
