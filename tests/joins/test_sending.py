"""Joins that are cut into units, whoever answers them, in which order and how often."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hearing import Heard
from hypothesis import given, settings
from hypothesis import strategies as st
from joining import Triple, by_comparing_all, clustered, pairs_of

from imgmatch.arrays import pack_arrays
from imgmatch.describing.here import TasksHere
from imgmatch.errors import ImgmatchError
from imgmatch.joins import answering, sending
from imgmatch.joins.banded import banded_join
from imgmatch.joins.blocks import JoinOptions, words_of
from imgmatch.joins.plan import Band, Sizes, plan
from imgmatch.joins.sending import JoinSender
from imgmatch.joins.unit_messages import JoinUnit, UnitFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray


class Shuffled(TasksHere):
    """Answers only when somebody waits, the units that are out in another order than they came, and each twice."""

    slots = 3

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._order = np.random.default_rng(seed)
        self._out: list[tuple[LateAnswer, str, bytes, Sequence[int]]] = []
        self.given = 0

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        future = LateAnswer(self)
        self._out.append((future, kind, unit, kept))
        self.given += 1
        return future

    def answer_all(self) -> None:
        waiting, self._out = self._out, []
        for number in self._order.permutation(len(waiting)):
            future, kind, unit, kept = waiting[number]
            once, again = (super(Shuffled, self).submit(kind, unit, kept).result() for _ in range(2))
            assert once == again
            future.set_result(once)


class LateAnswer(Future[bytes]):
    def __init__(self, tasks: Shuffled) -> None:
        super().__init__()
        self._tasks = tasks

    def result(self, timeout: float | None = None) -> bytes:
        if not self.done():
            self._tasks.answer_all()
        return super().result(timeout)


@pytest.fixture(autouse=True)
def _small_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LEAST_PART_ROWS", 7)
    monkeypatch.setattr(sending, "BLOCK_ROWS", 50)


@pytest.fixture
def shuffled() -> Iterator[Callable[[], JoinSender]]:
    made: list[JoinSender] = []

    def make() -> JoinSender:
        made.append(JoinSender(Shuffled(len(made)), worth=0))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


def bands_for(count: int, radius: int) -> tuple[Band, ...]:
    return plan(Sizes(count, count, itself=False), radius, lambda cut: np.zeros((len(cut), 5)))


def joined(
    left: NDArray[np.uint8], right: NDArray[np.uint8], radius: int, sender: JoinSender, bands: Sequence[Band] | None
) -> set[Triple]:
    options = JoinOptions(64, threads=1, sender=sender)
    return pairs_of(banded_join(words_of(left), words_of(right), radius, options, bands), 64)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 260),
    split=st.integers(0, 260),
    radius=st.integers(0, 64),
    copies=st.sampled_from([0.0, 0.3, 1.0]),
    equal=st.sampled_from([0.0, 0.1, 0.9]),
    planned_for=st.sampled_from([10**3, 10**5, 10**6]),
    patience=st.sampled_from([1, 300, answering.PATIENCE]),
)
def test_units_in_any_order_and_answered_twice_find_what_comparing_all_finds(  # noqa: PLR0913 -- hypothesis chooses them
    *, seed: int, count: int, split: int, radius: int, copies: float, equal: float, planned_for: int, patience: int
) -> None:
    codes = clustered(seed, count, flips=radius, copies=copies, equal=equal)
    sender = JoinSender(Shuffled(seed), worth=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "PATIENCE", patience)
        patch.setattr(sending, "BLOCK_ROWS", 90)
        patch.setattr(sending, "LEAST_PART_ROWS", 11)
        found = joined(codes[:split], codes[split:], radius, sender, bands_for(planned_for, radius))
    assert found == by_comparing_all(codes[:split], codes[split:], radius)


def test_the_blocks_come_in_one_order_whoever_answers_first(shuffled: Callable[[], JoinSender]) -> None:
    codes = words_of(clustered(3, 300, copies=1.0))
    found = []
    for _ in range(3):
        options = JoinOptions(32, sender=shuffled())
        found.append([block.left.tolist() for block in banded_join(codes[:150], codes[150:], 40, options)])
    assert found[0] == found[1] == found[2] != []


def test_progress_rises_to_the_whole_and_counts_what_is_found(shuffled: Callable[[], JoinSender]) -> None:
    codes, heard = clustered(1, 400), Heard()
    options = JoinOptions(64, progress=heard, sender=shuffled())
    pairs = sum(len(block) for block in banded_join(words_of(codes[:200]), words_of(codes[200:]), 31, options))
    assert heard.shares("fingerprints joined") == sorted(heard.shares("fingerprints joined"))
    assert heard.shares("fingerprints joined")[-1] == 1
    assert options.counts.found == pairs
    assert options.counts.candidates >= pairs


class Counted(TasksHere):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []

    def keep(self, data: NDArray[np.uint8]) -> int:
        self.sent.append(data.size // 32)
        return super().keep(data)

    @property
    def held(self) -> int:
        return sum(len(data) // 32 for data in self._kept.values())


def test_fingerprints_that_an_earlier_join_has_sent_are_not_sent_again_and_others_are_forgotten() -> None:
    tasks = Counted()
    sender = JoinSender(tasks, worth=0)
    old, new = clustered(1, 200, copies=0.2), clustered(2, 60)
    joined(new[:30], old[:130], 31, sender, None)
    assert sorted(tasks.sent) == [30, 30, 50, 50]
    joined(new[30:], old, 31, sender, None)
    assert sorted(tasks.sent) == [30, 30, 30, 50, 50, 50, 50]
    assert tasks.held == 230
    sender.close()
    assert tasks.held == 0


def test_a_join_that_is_left_early_takes_back_what_is_out(shuffled: Callable[[], JoinSender]) -> None:
    codes = words_of(clustered(4, 400, flips=3, copies=1.0))
    blocks = banded_join(codes[:200], codes[200:], 31, JoinOptions(32, sender=shuffled()))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]  # what a for loop does that is broken out of


UNIT = JoinUnit(("a", "b"), (2, 9), (0, 12), 31, bands_for(10**5, 31), 1, 64)
BLOCKS = [np.zeros(32 * 9, np.uint8), np.zeros(32 * 12, np.uint8)]


def test_a_unit_arrives_as_it_was_packed() -> None:
    assert JoinUnit.parsed(UNIT.packed()) == UNIT
    assert UnitFound.parsed(answering.answer(UNIT.packed(), BLOCKS), UNIT).state is None


@pytest.mark.parametrize(
    "wrong",
    [
        replace(UNIT, left=(0, 10)),
        replace(UNIT, right=(-1, 4)),
        replace(UNIT, left=(5, 4)),
        replace(UNIT, radius=257),
        replace(UNIT, band=99),
        replace(UNIT, band=-1),
        replace(UNIT, bands=()),
        replace(UNIT, bands=(Band(250, 24, 1),) * 2),
        replace(UNIT, bands=(Band(0, 25, 1),) * 2),
        replace(UNIT, bands=(Band(0, 24, 9),) * 2),
        replace(UNIT, room=7),
        replace(UNIT, room=2**40),
        replace(UNIT, state=(0, -1, 0)),
    ],
)
def test_a_unit_that_no_join_can_have_is_refused_before_anything_compiled_sees_it(wrong: JoinUnit) -> None:
    with pytest.raises(ValueError, match=r"no unit of a join|rows that its block has not"):
        answering.answer(wrong.packed(), BLOCKS)


@pytest.mark.parametrize("data", [b"", b"what is no unit", UNIT.packed()[:-1], UNIT.packed() + b"0", pack_arrays({})])
def test_bytes_that_are_no_unit_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="arrays"):
        answering.answer(data, BLOCKS)


def pairs(left: Sequence[int], right: Sequence[int], state: object = None, looked: object = 1) -> bytes:
    return pack_arrays({"state": state, "looked": looked}, [np.array(left, "<i4"), np.array(right, "<i4")])


GARBAGE = [
    b"",
    b"\0\0\0\2[]",
    pairs([0], []),
    pairs([7], [0]),
    pairs([-1], [0]),
    pairs([0], [12]),
    pairs([0] * 65, [0] * 65),
    pairs([], [], [0, 0]),
    pairs([], [], [0, 0, 0]),
    pairs([], [], "further"),
    pairs([], [], looked=-1),
    pairs([], [], looked="many"),
    pack_arrays({"state": None, "looked": 1}, [np.zeros(1), np.zeros(1)]),
]


@pytest.mark.parametrize("data", GARBAGE)
def test_an_answer_that_is_none_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"arrays|array|pairs|said"):
        UnitFound.parsed(data, UNIT)


class Babbling(TasksHere):
    """The first so many answers to each unit are garbage."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times
        self._met: dict[bytes, int] = {}

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        self._met[unit] = self._met.get(unit, 0) + 1
        if self._met[unit] > self._times:
            return super().submit(kind, unit, kept)
        future: Future[bytes] = Future()
        future.set_result(GARBAGE[self._met[unit] % 3])
        return future


def test_garbage_is_asked_for_again_and_then_an_error() -> None:
    codes = clustered(5, 120, copies=1.0)
    expected = by_comparing_all(codes[:50], codes[50:], 31)
    assert joined(codes[:50], codes[50:], 31, JoinSender(Babbling(2), worth=0), None) == expected
    with pytest.raises(ImgmatchError, match="the answer to a join unit is none, 3 times over"):
        joined(codes[:50], codes[50:], 31, JoinSender(Babbling(3), worth=0), None)


def test_pairs_that_are_not_near_are_not_believed() -> None:
    class Lying(TasksHere):
        def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
            del kind, unit, kept
            future: Future[bytes] = Future()
            future.set_result(pairs([0, 1], [1, 0]))
            return future

    left, right = clustered(6, 10, copies=0), clustered(7, 10, copies=0)
    assert joined(left, right, 31, JoinSender(Lying(), worth=0), None) == set()
