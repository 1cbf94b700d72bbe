"""Telling others' queues of rings: which, what there is to tell, and what is noted of each attempt.

A queue is told of a ring once, and again once it has more accounts than it was ever told of with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imgmatch.actions.deliveries import AT_ONCE, LEASE, next_attempt, shown_time, taking_turn
from imgmatch.catalog import reported as rows
from imgmatch.catalog.clusterings import read_clustering
from imgmatch.catalog.decisions import latest_decisions, photos_of_decision, read_decision, undone_by
from imgmatch.catalog.deliveries import last_decision
from imgmatch.catalog.kept_rings import rings_by_account
from imgmatch.catalog.reported import DueReport
from imgmatch.catalog.ring_summaries import read_ring_rows
from imgmatch.clustering.report import kept_ring
from imgmatch.clustering.rings import ring_of
from imgmatch.model import Ring, Verdict

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from imgmatch.catalog.ring_summaries import RingRow
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts

_FEWEST = 2
"""Accounts: one alone shares with nobody, and may be the owner of what it shows."""

_LOOKED_AT = 50
"""Decisions on a ring, the latest first, among which the confirming one is looked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is to tell of a ring.

    Attributes:
        ring: as it is now.
        part: of it what is told: the accounts and pictures that are confirmed; all, while nobody has decided on any.
        by: who has confirmed it; ``None`` where nobody has decided.
        before: with how many accounts it was told of before; ``None`` where it was not.
    """

    ring: Ring
    part: Ring
    by: str | None
    before: int | None


class RingReports:
    """Rings that one sink is to be told of."""

    def __init__(self, parts: Parts, sink: str, *, confirmed: bool, found: bool) -> None:
        """Those of the index that is made of these parts.

        Args:
            parts: of the index.
            sink: what it goes by in the catalog.
            confirmed: it is told of rings that are confirmed, as a whole or picture by picture,
            found: and of those that a run has found and nobody has decided on, and those that have grown.
        """
        self._parts = parts
        self._sink = sink
        self._confirmed = confirmed
        self._found = found
        self._looked_at: int | None = None  # when the run was done whose rings were looked through

    def turn(self) -> AbstractContextManager[bool]:
        """Be the one that tells of them while the block lasts; false where another process is."""
        return taking_turn(self._parts, f"{LEASE} {self._sink}")

    def begin(self) -> None:
        """From now on decisions are to be told of: those from before are not, unless they were to be already."""
        if self._confirmed:
            with self._parts.catalog.write() as session:
                rows.begin_reports(session, self._sink, last_decision(session))

    def due(self) -> list[DueReport]:
        """Those whose time has come, with what was decided and found since it was last asked."""
        with self._parts.catalog.read() as session:
            new = rows.confirmed_since(session, self._sink) if self._confirmed else []
            finished_at = self._run_since(session)
            new += self._worth_telling(session) if finished_at is not None else []
        if new:
            with self._parts.catalog.write() as session:
                rows.note_reports(session, self._sink, new)
        self._looked_at = finished_at or self._looked_at
        with self._parts.catalog.read() as session:
            return rows.due_reports(session, self._sink, AT_ONCE)

    def finding(self, report: DueReport) -> Finding | str:
        """What there is to tell now, which may not be what there was; or why there is nothing any more."""
        with self._parts.catalog.read() as session:
            by, name = None, report.ring
            if report.decision is not None:
                if undone_by(session, [report.decision]):
                    return "taken back before it was told"
                row = read_decision(session, report.decision)
                by, name = None if row is None else row.by, _ring_of(session, report.decision)
            ring = None if name is None else kept_ring(session, name)
            if ring is None:
                return "no ring any more"
            part = _part(ring)
            if part is None or (report.decision is not None and ring.decision is None):
                return "decided otherwise since"
            if len(part.accounts) < _FEWEST:
                return "one account alone"
            before = rows.told_size(session, self._sink, ring.ring)
            if before is not None and len(part.accounts) <= before:
                return "told of already"
            return Finding(ring, part, by or _confirmed_by(session, part), before)

    def skip(self, report: DueReport, why: str) -> None:
        """There is nothing to tell, and it is not tried again; the ring does not count as told of by this."""
        with self._parts.catalog.write() as session:
            rows.note_report(session, self._sink, replace(report, size=0), why, None, delivered=False)

    def note(self, report: DueReport, finding: Finding, answer: str, *, delivered: bool) -> None:
        """What came of an attempt; what was not taken is tried again, later and later, until it is given up."""
        told = replace(report, ring=finding.ring.ring, size=len(finding.part.accounts))
        again = None if delivered else next_attempt(report.attempts)
        with self._parts.catalog.write() as session:
            rows.note_report(session, self._sink, told, answer, again, delivered=delivered)

    def log(self, limit: int) -> list[dict[str, Any]]:
        """What became of them, as records: first those that wait, then the latest."""
        with self._parts.catalog.read() as session:
            found = rows.read_reports(session, self._sink, limit)
        return [
            {
                "subject": subject,
                "ring": ring,
                "accounts": size,
                "attempts": attempts,
                "next_at": shown_time(next_at),
                "delivered_at": shown_time(delivered_at),
                "answer": answer,
            }
            for subject, ring, size, attempts, next_at, delivered_at, answer in found
        ]

    def _run_since(self, session: Session) -> int | None:
        """When the last run was done, where its rings are to be told of and were not looked through yet."""
        state = read_clustering(session) if self._found else None
        finished_at = None if state is None else state.finished_at
        return None if finished_at == self._looked_at else finished_at

    def _worth_telling(self, session: Session) -> list[DueReport]:
        """Rings that nobody has decided on and nobody was told of, and those that have grown since."""
        known = rows.known_rings(session, self._sink)
        found = []
        for row in read_ring_rows(session):
            size, told = _size(row), known.get(row.ring)
            # What waits is told as it is when it is told.
            is_due = not any(row.said) if told is None else size > told.size and not told.waits
            if size >= _FEWEST and is_due:
                found.append(DueReport.of_ring(row.ring, size, 0 if told is None else told.reports))
        return found


def _size(row: RingRow) -> int:
    """How many accounts would be told: see :func:`_part`."""
    confirmed = [said is not None and said[1] == Verdict.CONFIRM for said in row.said]
    whole = not any(row.said)
    carried = (some for some, is_confirmed in zip(row.carried, confirmed, strict=True) if whole or is_confirmed)
    return len({account for some in carried for _, account, _ in some})


def _part(ring: Ring) -> Ring | None:
    """The confirmed pictures of a ring, with who shows them; all where nobody has decided on any."""
    if all(group.decision is None for group in ring.groups):
        return ring
    groups = [group for group in ring.groups if group.decision == Verdict.CONFIRM]
    if not groups:
        return None
    return replace(ring_of(groups, [None] * len(groups)), ring=ring.ring, decision=Verdict.CONFIRM.value)


def _ring_of(session: Session, decision: int) -> str | None:
    """The ring that the accounts are in now that a decision was about; where they are in several, most of them."""
    accounts = {photo.account for photo in photos_of_decision(session, decision)}
    found = Counter(rings_by_account(session, accounts).values())
    return min(found, key=lambda ring: (-found[ring], ring)) if found else None


def _confirmed_by(session: Session, part: Ring) -> str | None:
    """Who has confirmed one of these pictures last."""
    if part.decision is None:
        return None
    photo_ids = {photo.photo_id for group in part.groups for photo in group.photos}
    last = latest_decisions(session, before=None, limit=_LOOKED_AT, photo_ids=photo_ids)
    return next((row.by for row in last if row.verdict == Verdict.CONFIRM), None)
