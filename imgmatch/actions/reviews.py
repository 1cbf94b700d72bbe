"""The queue of rings: what waits for a decision, and who has which ring open."""

from __future__ import annotations

import base64
import json
import math
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from imgmatch.catalog import reviews as rows
from imgmatch.catalog.banks import own_first
from imgmatch.catalog.decisions import (
    latest_decisions,
    photo_counts,
    photos_of_decision,
    read_decision,
    read_decisions,
    undone_by,
)
from imgmatch.catalog.kept_rings import ring_row, rings_by_account, rings_of_group
from imgmatch.catalog.ring_summaries import read_ring_rows
from imgmatch.catalog.times import from_microseconds
from imgmatch.clustering.report import kept_ring
from imgmatch.errors import NotFoundError
from imgmatch.matching.stored_hits import stored_hits, with_hits
from imgmatch.model import (
    Change,
    Decision,
    DecisionKind,
    ModeratorFigures,
    QueueOrder,
    QueueState,
    RingQueue,
    RingSummary,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from imgmatch.catalog.decisions import DecisionRow
    from imgmatch.catalog.ring_summaries import RingRow
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.model import Review, Ring

REVIEW_MINUTES = 10
"""A ring that somebody has open is his or hers for so long without a sign of life."""

SKIP_HOURS = 12
"""A ring that somebody has put aside comes back to him or her after so long."""

_NAMES_SHOWN = 3
_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US


class Reviews:
    """Who reviews which ring, and how that goes; ``Index.reviews`` has it."""

    def __init__(self, parts: Parts) -> None:
        """Those of the index that is made of these parts."""
        self._parts = parts

    def next_ring(self, reviewer: str, *, order: QueueOrder = QueueOrder.NEW, without: str | None = None) -> str | None:
        """The ring that this reviewer should look at next; ``None`` where there is none.

        It is the first that waits, that he or she has not put aside, and that nobody else has open.

        Args:
            reviewer: who.
            order: what comes first.
            without: not this one.
        """
        with self._parts.catalog.read() as session:
            waiting = [one for row in read_ring_rows(session) if (one := _summary(row)).waiting]
            taken = {name for name, review in rows.reviews(session).items() if review.reviewer != reviewer}
            aside = rows.skipped_by(session, reviewer) | taken | {without}
        return next((one.ring for one in sorted(waiting, key=_RANKS[order]) if one.ring not in aside), None)

    def open_review(self, name: str, reviewer: str) -> Review:
        """Note that somebody has a ring open, or still has it; says who has it: another one, if that one came first.

        Raises:
            NotFoundError: there is no such ring.
        """
        with self._parts.catalog.write() as session:
            _refuse_unknown(session, self._parts, name)
            rows.unskip_rings(session, reviewer, name)
            return rows.open_review(session, name, reviewer, session.now() + REVIEW_MINUTES * _MINUTE_US)

    def close_review(self, name: str, reviewer: str) -> None:
        """He or she has it open no more."""
        with self._parts.catalog.write() as session:
            rows.close_review(session, name, reviewer)

    def skip(self, name: str, reviewer: str) -> None:
        """Put a ring aside for a while, for this reviewer alone.

        Raises:
            NotFoundError: there is no such ring.
        """
        with self._parts.catalog.write() as session:
            _refuse_unknown(session, self._parts, name)
            rows.close_review(session, name, reviewer)
            rows.skip_ring(session, name, reviewer, session.now() + SKIP_HOURS * 60 * _MINUTE_US)

    def take_up(self, reviewer: str, name: str | None = None) -> None:
        """Take up again a ring that this reviewer has put aside, or all."""
        with self._parts.catalog.write() as session:
            rows.unskip_rings(session, reviewer, name)

    def skipped(self, reviewer: str) -> set[str]:
        """The rings that this reviewer has put aside for now."""
        with self._parts.catalog.read() as session:
            return rows.skipped_by(session, reviewer)

    def ring_of_groups(self, groups: Sequence[str]) -> str | None:
        """The ring that the first of these groups ties that ties one; ``None`` where none does."""
        with self._parts.catalog.read() as session:
            return next((min(tied) for name in groups if (tied := rings_of_group(session, name))), None)

    def who_reviews(self) -> dict[str, Review]:
        """Every ring that somebody has open now."""
        with self._parts.catalog.read() as session:
            return rows.reviews(session)

    def decision(self, number: int) -> tuple[Decision, tuple[str, ...]]:
        """One decision, and the accounts it is about, in order; those that were erased are not among them.

        Of one that takes another back, those that the other is about.

        Raises:
            NotFoundError: there is no such decision.
        """
        with self._parts.catalog.read() as session:
            row = read_decision(session, number)
            if row is None:
                raise NotFoundError(f"index {self._parts.name} has no decision {number}")
            [found] = as_decisions(session, [row])
            return found, tuple(sorted({photo.account for photo in photos_of_decision(session, row.about)}))

    def moderator_figures(self) -> list[ModeratorFigures]:
        """How many decisions each person has made, how many were overturned, and how long they took; by name."""
        with self._parts.catalog.read() as session:
            every = read_decisions(session)
        made = [row for row in every if row.verdict != Verdict.UNDO]
        overturned = {row.undoes for row in every} | set(_contradicted(made))
        by: dict[str, list[DecisionRow]] = defaultdict(list)
        for row in made:
            by[row.by].append(row)
        return [
            ModeratorFigures(name, len(some), sum(row.id in overturned for row in some), _median_seconds(some))
            for name, some in sorted(by.items())
        ]


def ring(parts: Parts, name: str) -> Ring:
    """One ring as the last run, and what was decided since, have left it.

    Raises:
        NotFoundError: there is no such ring.
    """
    with parts.catalog.read() as session:
        found = kept_ring(session, name)
        if found is None:
            raise NotFoundError(f"index {parts.name} has no ring {name!r}")
        accounts = {member.account for member in found.accounts}
        return with_hits(found, stored_hits(session, parts.hasher_name, accounts=accounts))


def queue(
    parts: Parts,
    *,
    state: QueueState = QueueState.WAITING,
    order: QueueOrder = QueueOrder.NEW,
    search: str = "",
    change: Change | None = None,
    limit: int = 50,
    after: str | None = None,
) -> RingQueue:
    """A part of the queue of rings.

    Args:
        parts: of the index.
        state: which rings.
        order: in which order; of equal ones the larger first.
        search: only those in which every one of these words is in an account, a name or the ring's id.
        change: only those of which this has become since the last report.
        limit: so many at the most.
        after: ``next`` of the part before.

    Raises:
        ValueError: ``after`` is not what a part had as ``next``.
    """
    place = None if after is None else _place_of(after)
    with parts.catalog.read() as session:
        every = [(_summary(row), _text(row)) for row in read_ring_rows(session)]
    waiting = [one.opened_at for one, _ in every if one.waiting]
    words = search.casefold().split()
    fitting = [
        one
        for one, text in every
        if (state is QueueState.ALL or one.waiting == (state is QueueState.WAITING))
        and (change is None or change in one.changes)
        and all(word in text for word in words)
    ]
    ranked = sorted(((_RANKS[order](one), one) for one in fitting), key=lambda pair: pair[0])
    rest = [pair for pair in ranked if place is None or pair[0] > place]
    shown = rest[:limit]
    more = _cursor(shown[-1][0]) if len(rest) > limit else None
    return RingQueue(tuple(one for _, one in shown), len(fitting), len(waiting), min(waiting, default=None), more)


def rings_of(parts: Parts, accounts: Collection[str]) -> dict[str, str]:
    """The rings that these accounts are in, by account."""
    with parts.catalog.read() as session:
        return rings_by_account(session, accounts)


def decisions(parts: Parts, *, limit: int, before: int | None = None, by: str | None = None) -> list[Decision]:
    """What was decided, the latest first.

    Args:
        parts: of the index.
        limit: so many at the most.
        before: only those of a lower number.
        by: only those of one person.
    """
    with parts.catalog.read() as session:
        return as_decisions(session, latest_decisions(session, before=before, limit=limit, by=by))


def as_decisions(session: Session, found: Sequence[DecisionRow]) -> list[Decision]:
    """Rows as the library shows them."""
    numbers = [row.id for row in found]
    undoing = undone_by(session, numbers)
    counts = photo_counts(session, [row.about for row in found])
    return [
        Decision(
            number=row.id,
            decided_at=from_microseconds(row.decided_at),
            verdict=Verdict(row.verdict),
            kind=DecisionKind(row.kind),
            subject=row.subject,
            by=row.by,
            reason=row.reason,
            photos=counts.get(row.about, 0),
            undone_by=undoing.get(row.id),
        )
        for row in found
    ]


def _contradicted(made: Iterable[DecisionRow]) -> Iterable[int]:
    """Decisions after which another verdict was given on the same subject."""
    last: dict[tuple[str, str], DecisionRow] = {}
    for row in made:
        if row.subject is None:
            continue
        before = last.get((row.kind, row.subject))
        if before is not None and before.verdict != row.verdict:
            yield before.id
        last[row.kind, row.subject] = row


def _median_seconds(made: Iterable[DecisionRow]) -> float | None:
    took = [(row.decided_at - row.opened_at) / 1e6 for row in made if row.opened_at is not None]
    return round(statistics.median(took), 1) if took else None


def _refuse_unknown(session: Session, parts: Parts, name: str) -> None:
    if ring_row(session, name) is None:
        raise NotFoundError(f"index {parts.name} has no ring {name!r}")


def _summary(row: RingRow) -> RingSummary:
    first: dict[str, tuple[int, str | None]] = {}
    for seen_at, account, name in sorted((one for some in row.carried for one in some), key=lambda one: one[:2]):
        first.setdefault(account, (seen_at, name))
    accounts = list(first)
    times = [seen_at for seen_at, _ in first.values()]
    said = [one for one in row.said if one is not None]
    names = dict.fromkeys(name for _, name in first.values() if name)
    days = (times[-1] - times[1]) / _DAY_US if len(times) > 1 else 0.0
    return RingSummary(
        ring=row.ring,
        accounts=len(accounts),
        pictures=row.pictures,
        first_account=accounts[0],
        first_name=first[accounts[0]][1],
        names=tuple(names)[:_NAMES_SHOWN],
        opened_at=from_microseconds(min(some[min(1, len(some) - 1)][0] for some in row.carried)),
        last_seen=from_microseconds(times[-1]),
        accounts_per_day=round((len(times) - 1) / max(days, 1.0), 2),
        new=row.new,
        changes=tuple(Change(change) for change in row.changes),
        bank=min(row.banks, key=own_first, default=None),
        decision=max(said)[1] if said else None,
        waiting=None in row.said,
        decided=len(said),
    )


def _text(row: RingRow) -> str:
    """All that a search looks in."""
    words = [row.ring, *(f"{account}\n{name or ''}" for some in row.carried for _, account, name in some)]
    return "\n".join(words).casefold()


_RANKS: dict[QueueOrder, Callable[[RingSummary], tuple[float, float, str]]] = {
    QueueOrder.NEW: lambda one: (-(2 * bool(one.new) + bool(one.changes)), -one.opened_at.timestamp(), one.ring),
    QueueOrder.LARGEST: lambda one: (-one.accounts, -one.pictures, one.ring),
    QueueOrder.LATEST: lambda one: (-one.last_seen.timestamp(), -one.accounts, one.ring),
    QueueOrder.OLDEST: lambda one: (one.opened_at.timestamp(), -one.accounts, one.ring),
    QueueOrder.FASTEST: lambda one: (-one.accounts_per_day, -one.accounts, one.ring),
}


def _cursor(rank: tuple[float, float, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(rank).encode()).decode().rstrip("=")


def _place_of(cursor: str) -> tuple[float, float, str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        first, second, name = found
        if type(name) is str and math.isfinite(first) and math.isfinite(second):
            return float(first), float(second), name
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    raise ValueError("that is no place in a queue")
