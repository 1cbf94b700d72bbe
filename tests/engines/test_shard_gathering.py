"""Asking shards that answer late, twice, garbage or not at all; they are threads of this process here."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imgmatch.engines.base import Hits
from imgmatch.engines.flat import FlatEngine
from imgmatch.engines.shards.division import Division
from imgmatch.engines.shards.gathering import Gathered, Gatherer
from imgmatch.engines.shards.questions import Asked, NearFingerprints, found_message
from imgmatch.engines.shards.seats import Seat
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from imgmatch.engines.shards.questions import Message

SHARDS = 4
DIVISION = Division(SHARDS, 3)
RNG = np.random.default_rng(3)
IDS, CODES = np.arange(500, dtype=np.int64), RNG.integers(0, 256, (500, 32), np.uint8)
ASKED = Asked(NearFingerprints(CODES[:3], 120), DIVISION, (499, 0))
WHOLE = FlatEngine.empty().appended((IDS, CODES), 499).search(CODES[:3], 120)
LONG = 60.0
"""Seconds: a deadline that no test reaches."""


def own_part(seat: Seat) -> Message:
    held = DIVISION.holds(seat.shard, IDS)
    return found_message(FlatEngine.empty().appended((IDS[held], CODES[held]), 499).search(CODES[:3], 120))


class Threads:
    """A way to shards that are threads of this process; ``odd`` says what some of them do instead of answering."""

    def __init__(self, odd: Mapping[Seat, Callable[[], Message]]) -> None:
        self.asked: list[Seat] = []
        self.is_lost = False
        self._odd = odd

    def ask(self, seats: Sequence[Seat], message: Message) -> dict[Seat, Future[Message]]:
        assert message[0]["version"] == DIVISION.version
        futures: dict[Seat, Future[Message]] = {seat: Future() for seat in seats}
        for seat, future in futures.items():
            self.asked.append(seat)
            threading.Thread(target=self._answer, args=(seat, future), daemon=True).start()
        return futures

    def _answer(self, seat: Seat, future: Future[Message]) -> None:
        try:
            answer = self._odd[seat]() if seat in self._odd else own_part(seat)
        except ImgmatchError as error:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(answer)

    def place(self, home: str, shards: int, replicas: int, *, keep_others: bool, seconds: float) -> None:
        raise AssertionError((home, shards, replicas, keep_others, seconds))

    def close(self) -> None:
        self.is_lost = True


def never() -> Message:
    threading.Event().wait()  # longer than the tests, however long these take
    raise AssertionError


def dead() -> Message:
    raise ImgmatchError("the actor died")


def every_replica(shard: int, does: Callable[[], Message]) -> dict[Seat, Callable[[], Message]]:
    return {Seat(shard, replica): does for replica in range(2)}


def assert_whole(found: Gathered[Hits]) -> None:
    assert (found.missing, found.is_outdated) == ({}, False)
    merged = Hits.merged(list(found.parts.values()))
    assert merged.ids.tolist() == WHOLE.ids.tolist()
    assert merged.distances.tolist() == WHOLE.distances.tolist()
    assert merged.queries.tolist() == WHOLE.queries.tolist()


def test_what_all_shards_answer_is_the_whole_and_one_of_each_is_asked() -> None:
    link = Threads({})
    assert_whole(Gatherer().gather(link, ASKED, 2, LONG))
    assert sorted(seat.shard for seat in link.asked) == [0, 1, 2, 3]


OTHERS = found_message(WHOLE)
ODD: dict[str, Callable[[], Message]] = {
    "dead": dead,
    "an error": lambda: ({"error": "no database"}, b""),
    "another version": lambda: ({"strange": "node x has imgmatch 9"}, b""),
    "nothing": lambda: ({}, b""),
    "rows of others": lambda: OTHERS,
    "cut off": lambda: (OTHERS[0], OTHERS[1][:-1]),
    "no numbers": lambda: ({"found": "many"}, b"\0" * 20),
}


@pytest.mark.parametrize("does", ODD.values(), ids=ODD)
def test_where_one_fails_another_one_that_holds_the_shard_is_asked_at_once(does: Callable[[], Message]) -> None:
    gatherer = Gatherer()
    for failing in (1, 0, 1):  # whichever is asked first
        assert_whole(gatherer.gather(Threads({Seat(2, failing): does}), ASKED, 2, LONG))
    assert gatherer.counts["answered"] >= 2 * SHARDS
    assert gatherer.counts["garbage"] + gatherer.counts["failed"] >= 1


@pytest.mark.slow
def test_one_that_takes_long_is_not_waited_for_where_another_one_answers() -> None:
    for slow in range(2):
        link = Threads({Seat(1, slow): never})
        assert_whole(Gatherer().gather(link, ASKED, 2, 8.0))


@pytest.mark.slow
@pytest.mark.parametrize("does", [*ODD.values(), never], ids=[*ODD, "no answer"])
def test_a_shard_that_nobody_answers_for_is_missing_at_the_deadline_and_said_to_be(does: Callable[[], Message]) -> None:
    gatherer = Gatherer()
    found = gatherer.gather(Threads(every_replica(1, does)), ASKED, 2, 1.5)
    assert found.missing.keys() == {1}
    assert found.missing[1]
    assert found.parts.keys() == {0, 2, 3}
    held = DIVISION.holds(1, WHOLE.ids)
    assert Hits.merged(list(found.parts.values())).ids.tolist() == WHOLE.ids[~held].tolist()
    assert gatherer.counts["late"] + gatherer.counts["garbage"] + gatherer.counts["failed"] >= 2


def test_one_that_is_started_anew_within_the_deadline_is_not_missing() -> None:
    begun = time.monotonic()

    def back() -> Message:
        if time.monotonic() - begun < 0.5:
            raise ImgmatchError("the actor is being started")
        return own_part(Seat(1, 0))

    assert_whole(Gatherer().gather(Threads(every_replica(1, back)), ASKED, 2, LONG))


def test_one_that_has_failed_is_asked_after_the_others_for_a_while() -> None:
    gatherer, odd = Gatherer(), {Seat(1, 0): dead}
    for _ in range(2):
        gatherer.gather(Threads(odd), ASKED, 2, LONG)
    for _ in range(4):
        link = Threads(odd)
        assert_whole(gatherer.gather(link, ASKED, 2, LONG))
        assert Seat(1, 0) not in link.asked


def test_a_shard_that_is_left_out_is_not_asked() -> None:
    link = Threads({})
    assert Gatherer().gather(link, ASKED, 1, LONG, but=[2]).parts.keys() == {0, 1, 3}
    assert {seat.shard for seat in link.asked} == {0, 1, 3}


def test_a_shard_of_a_later_division_ends_the_question_at_once() -> None:
    found = Gatherer().gather(Threads({Seat(1, 0): lambda: ({"outdated": 4}, b"")}), ASKED, 1, LONG)
    assert found.is_outdated


def test_where_nobody_can_be_reached_all_are_missing() -> None:
    class Nowhere(Threads):
        def ask(self, seats: Sequence[Seat], message: Message) -> dict[Seat, Future[Message]]:
            raise ImgmatchError(f"no cluster for {len(seats)} of {message[0]['shards']}")

    found = Gatherer().gather(Nowhere({}), ASKED, 2, 0.5)
    assert found.missing.keys() == {0, 1, 2, 3}
