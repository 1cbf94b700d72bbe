"""Telling a platform of decisions: what is told, and what is noted of each attempt."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from imgmatch.catalog import deliveries as rows
from imgmatch.catalog.times import from_microseconds, to_microseconds
from imgmatch.errors import IndexLockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from imgmatch.actions.ring_reports import RingReports
    from imgmatch.catalog.deliveries import Delivery
    from imgmatch.engines.parts import Parts

LEASE = "deliveries"
AT_ONCE = 20
"""How many are told of in one turn."""

_FIRST_PAUSE = timedelta(seconds=10)
GIVE_UP_AFTER = 12
"""Attempts, each after twice the pause of the one before: the last comes after some twelve hours."""


@contextmanager
def taking_turn(parts: Parts, lease: str) -> Iterator[bool]:
    """Be the one that tells while the block lasts; false where another process is."""
    try:
        with parts.catalog.lease(lease):
            yield True
    except IndexLockedError:
        yield False


def next_attempt(attempts: int) -> int | None:
    """When to try again after one more that failed, in microseconds; ``None`` where it is given up."""
    if attempts + 1 >= GIVE_UP_AFTER:
        return None
    return to_microseconds(datetime.now(UTC) + _FIRST_PAUSE * 2**attempts)


def shown_time(time: int | None) -> datetime | None:
    """A time of a row, if it has one."""
    return None if time is None else from_microseconds(time)


class Outbox:
    """Decisions that are still to be told of."""

    def __init__(self, parts: Parts) -> None:
        """Those of the index that is made of these parts."""
        self._parts = parts

    def turn(self) -> AbstractContextManager[bool]:
        """Be the one that tells of them while the block lasts; false where another process is."""
        return taking_turn(self._parts, LEASE)

    def begin(self) -> None:
        """From now on decisions are to be told of: those from before are not, unless they were to be already."""
        with self._parts.catalog.write() as session:
            if rows.last_noted(session) is None and (last := rows.last_decision(session)):
                rows.note_deliveries(session, last - 1)
                [first] = rows.due_deliveries(session, 1)
                rows.note_attempt(session, first, "made before there was a webhook", None, delivered=False)

    def due(self) -> list[Delivery]:
        """Those whose time has come, with decisions that were made since it was last asked."""
        with self._parts.catalog.read() as session:
            after = rows.last_noted(session) or 0
            new = rows.last_decision(session) > after
        if new:
            with self._parts.catalog.write() as session:
                rows.note_deliveries(session, after)
        with self._parts.catalog.read() as session:
            return rows.due_deliveries(session, AT_ONCE)

    def note(self, delivery: Delivery, answer: str, *, delivered: bool) -> None:
        """What came of an attempt; what was not taken is tried again, later and later, until it is given up."""
        again = None if delivered else next_attempt(delivery.attempts)
        with self._parts.catalog.write() as session:
            rows.note_attempt(session, delivery, answer, again, delivered=delivered)

    def reports(self, sink: str, *, confirmed: bool, found: bool) -> RingReports:
        """Rings that this sink is to be told of; see :class:`~imgmatch.actions.ring_reports.RingReports`."""
        from imgmatch.actions.ring_reports import RingReports  # noqa: PLC0415 -- it builds on what stands here

        return RingReports(self._parts, sink, confirmed=confirmed, found=found)

    def log(self, limit: int) -> list[dict[str, Any]]:
        """What became of the latest, as records."""
        with self._parts.catalog.read() as session:
            found = rows.read_deliveries(session, limit)
        return [
            {
                "decision": number,
                "attempts": attempts,
                "next_at": shown_time(next_at),
                "delivered_at": shown_time(delivered_at),
                "answer": answer,
            }
            for number, attempts, next_at, delivered_at, answer in found
        ]
