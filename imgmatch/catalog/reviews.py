"""Who has a ring open, and who has put one aside: so that two moderators do not decide on one ring at once.

It keeps nobody from deciding: who comes by a link is told who has the ring open, and warned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, true, update

from imgmatch.catalog import schema
from imgmatch.catalog.times import from_microseconds
from imgmatch.model import Review

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement

    from imgmatch.catalog.session import Session


def open_review(session: Session, ring: str, reviewer: str, expires_at: int) -> Review:
    """Note that somebody has a ring open until then, in microseconds, unless another has: who has it comes back."""
    table = schema.ring_reviews
    held = review_of(session, ring)
    if held is not None and held.reviewer != reviewer:
        return held
    if held is not None:
        session.sql.execute(update(table).where(table.c.ring == ring).values(expires_at=expires_at))
        return Review(ring, reviewer, held.opened_at, from_microseconds(expires_at))
    opened = session.now()
    session.sql.execute(delete(table).where(table.c.ring == ring))
    session.sql.execute(insert(table).values(ring=ring, reviewer=reviewer, opened_at=opened, expires_at=expires_at))
    return Review(ring, reviewer, from_microseconds(opened), from_microseconds(expires_at))


def review_of(session: Session, ring: str) -> Review | None:
    """Who has this ring open now."""
    return next(_read(session, schema.ring_reviews.c.ring == ring), None)


def reviews(session: Session) -> dict[str, Review]:
    """Every ring that somebody has open now."""
    return {review.ring: review for review in _read(session, true())}


def _read(session: Session, wanted: ColumnElement[bool]) -> Iterator[Review]:
    table = schema.ring_reviews.c
    query = select(table.ring, table.reviewer, table.opened_at, table.expires_at)
    for ring, reviewer, opened, expires in session.sql.execute(query.where(wanted, table.expires_at > session.now())):
        yield Review(ring, reviewer, from_microseconds(opened), from_microseconds(expires))


def close_review(session: Session, ring: str, reviewer: str) -> int | None:
    """Somebody has it open no more; since when that was, in microseconds, if it was he or she who had it."""
    table = schema.ring_reviews
    mine = (table.c.ring == ring) & (table.c.reviewer == reviewer)
    opened = session.sql.scalar(select(table.c.opened_at).where(mine))
    session.sql.execute(delete(table).where(mine | (table.c.expires_at <= session.now())))
    return opened


def skip_ring(session: Session, ring: str, reviewer: str, expires_at: int) -> None:
    """Put a ring aside for one reviewer until then, in microseconds."""
    table = schema.skipped_rings
    named = (table.c.ring == ring) & (table.c.reviewer == reviewer)
    session.sql.execute(delete(table).where(named | (table.c.expires_at <= session.now())))
    session.sql.execute(insert(table).values(ring=ring, reviewer=reviewer, expires_at=expires_at))


def unskip_rings(session: Session, reviewer: str, ring: str | None = None) -> None:
    """Take one up again, or all."""
    table = schema.skipped_rings
    removing = delete(table).where(table.c.reviewer == reviewer)
    session.sql.execute(removing if ring is None else removing.where(table.c.ring == ring))


def skipped_by(session: Session, reviewer: str) -> set[str]:
    """The rings that this reviewer has put aside for now."""
    table = schema.skipped_rings.c
    query = select(table.ring).where(table.reviewer == reviewer, table.expires_at > session.now())
    return set(session.sql.scalars(query))
