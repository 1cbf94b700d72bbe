"""What the last report said: which rings there were, and who was in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from imgmatch.catalog import schema
from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.times import now

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from imgmatch.catalog.session import Session


@dataclass(frozen=True, slots=True)
class ReportedRing:
    """A ring as it was reported: its id, its accounts, and how many pictures they shared."""

    ring: str
    accounts: frozenset[str]
    pictures: int


@dataclass(frozen=True, slots=True)
class Report:
    """When a report was made, in microseconds since 1970, UTC, and its rings in order of their ids."""

    made_at: int
    rings: tuple[ReportedRing, ...]


def last_report(session: Session) -> Report | None:
    """The latest one; ``None`` where none was made."""
    reports, rings, members = schema.reports.c, schema.report_rings.c, schema.report_members.c
    row = session.sql.execute(select(reports.id, reports.made_at).order_by(reports.id.desc()).limit(1)).first()
    if row is None:
        return None
    accounts: dict[str, set[str]] = {}
    for ring, account in session.sql.execute(select(members.ring, members.account).where(members.report_id == row[0])):
        accounts.setdefault(ring, set()).add(account)
    found = session.sql.execute(
        select(rings.ring, rings.pictures).where(rings.report_id == row[0]).order_by(rings.ring)
    )
    return Report(row[1], tuple(ReportedRing(ring, frozenset(accounts.get(ring, ())), count) for ring, count in found))


def store_report(session: Session, rings: Iterable[ReportedRing]) -> None:
    """Keep this report in place of earlier ones; of those only their time stays."""
    report = session.sql.execute(
        insert(schema.reports).values(made_at=now()).returning(schema.reports.c.id)
    ).scalar_one()
    session.sql.execute(delete(schema.report_members))
    session.sql.execute(delete(schema.report_rings))
    kept = list(rings)
    if kept:
        values = [{"report_id": report, "ring": ring.ring, "pictures": ring.pictures} for ring in kept]
        session.sql.execute(insert(schema.report_rings), values)
    members = [
        {"report_id": report, "ring": ring.ring, "account": account}
        for ring in kept
        for account in sorted(ring.accounts)
    ]
    if members:
        session.sql.execute(insert(schema.report_members), members)


def forget_reported(session: Session, account: str) -> None:
    """Take an account that is to be erased out of the report."""
    session.sql.execute(delete(schema.report_members).where(schema.report_members.c.account == account))


def has_report(session: Session) -> int | None:
    """When the last report was made, in microseconds since 1970, UTC; ``None`` where none was."""
    return session.sql.scalar(select(schema.reports.c.made_at).order_by(schema.reports.c.id.desc()).limit(1))


def reported_rings(session: Session, accounts: Collection[str]) -> list[ReportedRing]:
    """The rings of the last report that some of these accounts were in, in order of their ids."""
    rings, members = schema.report_rings.c, schema.report_members.c
    names: set[str] = set()
    for chunk in chunks(accounts):
        names.update(session.sql.scalars(select(members.ring).where(members.account.in_(chunk)).distinct()))
    found: dict[str, int] = {}
    within: dict[str, set[str]] = {name: set() for name in names}
    for some in chunks(sorted(names)):
        found |= dict(session.sql.execute(select(rings.ring, rings.pictures).where(rings.ring.in_(some))).all())
        for ring, account in session.sql.execute(select(members.ring, members.account).where(members.ring.in_(some))):
            within[ring].add(account)
    return [ReportedRing(ring, frozenset(within[ring]), found[ring]) for ring in sorted(found)]


def is_reported(session: Session, ring: str) -> bool:
    """Whether a ring of the last report went by this id."""
    rings = schema.report_rings.c
    return session.sql.scalar(select(rings.ring).where(rings.ring == ring).limit(1)) is not None
