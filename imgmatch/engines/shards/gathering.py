"""Asking all shards, of each one who holds it: another one where that takes long or fails, never past a deadline."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from imgmatch.engines.shards.questions import FoundT, NoReplyError
from imgmatch.engines.shards.seats import Seat
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from imgmatch.engines.shards.questions import Asked, Message
    from imgmatch.engines.shards.seats import ShardLink

SHARE = 0.25
"""Of the deadline: after so long another one who holds a shard is asked as well."""

_PAUSE_SECONDS = 0.1
"""Before all who hold a shard are asked again, after each of them has failed."""

_SHUNNED_SECONDS = 10.0
"""So long one that has failed is asked after the others."""


@dataclass(frozen=True, slots=True)
class Gathered(Generic[FoundT]):
    """What shards have answered.

    Attributes:
        parts: the answers, by shard.
        missing: of the shards that did not answer, why not.
        is_outdated: a shard is of another division by now: the catalog says of which.
    """

    parts: Mapping[int, FoundT]
    missing: Mapping[int, str]
    is_outdated: bool = False


@dataclass
class Gatherer:
    """Asks shards through a link. Safe to use from several threads.

    Attributes:
        counts: what became of replies: ``answered``, ``late``, ``garbage``, ``failed``.
    """

    counts: Counter[str] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _turn: int = 0
    _failed: dict[Seat, float] = field(default_factory=dict)

    def gather(
        self,
        link: ShardLink,
        asked: Asked[FoundT],
        replicas: int,
        deadline: float,
        *,
        but: Collection[int] = (),
    ) -> Gathered[FoundT]:
        """Ask every shard.

        Args:
            link: the way to them.
            asked: what is asked.
            replicas: how many hold each shard.
            deadline: in seconds; what has not come by then is missing.
            but: shards that are not asked.
        """
        shards = [shard for shard in range(asked.division.shards) if shard not in but]
        return _Round(self, link, asked, self._orders(shards, replicas), deadline).run()

    def _orders(self, shards: Sequence[int], replicas: int) -> dict[int, list[Seat]]:
        """Of each shard those who hold it, in the order in which they are asked."""
        now = time.monotonic()
        with self._guard:
            self._turn += 1
            turn, failed = self._turn, dict(self._failed)
        every = {shard: [Seat(shard, (turn + number) % replicas) for number in range(replicas)] for shard in shards}
        return {
            shard: sorted(seats, key=lambda seat: now - failed.get(seat, float("-inf")) < _SHUNNED_SECONDS)
            for shard, seats in every.items()
        }

    def note(self, seat: Seat, outcome: str) -> None:
        """What became of one reply."""
        with self._guard:
            self.counts[outcome] += 1
            if outcome == "answered":
                self._failed.pop(seat, None)
            else:
                self._failed[seat] = time.monotonic()


class _Round(Generic[FoundT]):
    """One question to all shards."""

    def __init__(
        self,
        gatherer: Gatherer,
        link: ShardLink,
        asked: Asked[FoundT],
        orders: dict[int, list[Seat]],
        deadline: float,
    ) -> None:
        self._gatherer, self._link, self._asked, self._orders = gatherer, link, asked, orders
        self._message = asked.message()
        self._begun = time.monotonic()
        self._deadline, self._second = self._begun + deadline, self._begun + deadline * SHARE
        self._waiting: dict[Future[Message], Seat] = {}
        self._next = dict.fromkeys(orders, 0)
        self._again: dict[int, float] = {}
        self._parts: dict[int, FoundT] = {}
        self._reasons: dict[int, str] = {}
        self._is_outdated = False

    def run(self) -> Gathered[FoundT]:
        self._ask(list(self._orders))
        while not self._is_outdated and len(self._parts) < len(self._orders):
            now = time.monotonic()
            if now >= self._deadline:
                break
            self._ask_again(now)
            done, _ = wait(self._waiting, self._until() - now, return_when=FIRST_COMPLETED)
            if not done and not self._waiting:
                time.sleep(max(min(self._until() - now, _PAUSE_SECONDS), 0))
            for future in done:
                self._take(self._waiting.pop(future), future)
        for future, seat in self._waiting.items():
            if seat.shard not in self._parts:
                self._gatherer.note(seat, "late")
                self._reasons.setdefault(seat.shard, "no answer in time")
            future.cancel()
        missing = {shard: self._reasons.get(shard, "no answer") for shard in self._orders if shard not in self._parts}
        return Gathered(self._parts, missing, self._is_outdated)

    def _until(self) -> float:
        """When there is something to do again, whether an answer has come or not."""
        moments = [self._deadline, *self._again.values()]
        if self._second > time.monotonic():
            moments.append(self._second)
        return max(min(moments), time.monotonic())

    def _ask(self, shards: Sequence[int]) -> None:
        """Ask the next one who holds each of these shards."""
        seats = []
        for shard in shards:
            order = self._orders[shard]
            seats.append(order[self._next[shard] % len(order)])
            self._next[shard] += 1
        try:
            futures = self._link.ask(seats, self._message)
        except ImgmatchError as error:
            for shard in shards:
                self._fail(shard, str(error))
            return
        self._waiting |= {future: seat for seat, future in futures.items()}

    def _ask_again(self, now: float) -> None:
        """Ask others: where all have failed a while ago, and where the first one takes long."""
        due = [shard for shard, moment in self._again.items() if moment <= now]
        for shard in due:
            del self._again[shard]
        if self._second <= now:
            self._second = float("inf")
            slow = (seat.shard for seat in self._waiting.values())
            due += [one for one in slow if one not in due and self._next[one] < len(self._orders[one])]
        due = [shard for shard in dict.fromkeys(due) if shard not in self._parts]
        if due:
            self._ask(due)

    def _take(self, seat: Seat, future: Future[Message]) -> None:
        if seat.shard in self._parts:  # another one was faster
            return
        try:
            head, body = future.result()
            if "outdated" in head:
                self._is_outdated = True
                return
            said = head.get("error", head.get("strange"))
            if said is None:
                self._parts[seat.shard] = self._asked.parse(head, body, seat.shard)
        except NoReplyError as error:
            self._gatherer.note(seat, "garbage")
            self._fail(seat.shard, str(error))
        except (ImgmatchError, TypeError, AttributeError, ValueError) as error:
            self._gatherer.note(seat, "failed")
            self._fail(seat.shard, str(error))
        else:
            self._gatherer.note(seat, "answered" if said is None else "failed")
            if said is not None:
                self._fail(seat.shard, str(said))

    def _fail(self, shard: int, why: str) -> None:
        """Note that one who holds a shard has failed, and ask another one: at once, or all again after a pause."""
        self._reasons[shard] = why
        if any(seat.shard == shard for seat in self._waiting.values()):
            return
        untried = self._next[shard] < len(self._orders[shard])
        self._again[shard] = time.monotonic() + (0 if untried else _PAUSE_SECONDS)
