from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from watching import wait_until

from imgmatch.arrays import check_arrays, pack_arrays, unpack_arrays
from imgmatch.errors import ImgmatchError
from imgmatch.tasks import SentUnit, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


class Waiting:
    """Answers nothing by itself; see :class:`imgmatch.tasks.Tasks`."""

    slots = 2

    def __init__(self) -> None:
        self.futures: list[Future[bytes]] = []

    def keep(self, data: NDArray[np.uint8]) -> int:
        return len(data)

    def forget(self, number: int) -> None:
        del number

    def submit(self, kind: str, unit: bytes, kept: Sequence[int] = ()) -> Future[bytes]:
        del kind, unit, kept
        self.futures.append(Future())
        return self.futures[-1]


def test_subjects_are_read_a_few_ahead_and_come_back_in_order() -> None:
    tasks = Waiting()

    def given_out() -> Iterator[tuple[int, SentUnit[bytes] | None]]:
        for number in range(100):
            yield number, SentUnit(tasks, "a", b"", bytes) if number % 3 else None

    answers = in_turn(given_out(), 5)
    assert next(answers) == (0, None)
    assert len(tasks.futures) == 0  # what is there is not held back for what might be read
    answered = Thread(target=answer_when_asked, args=(tasks, 4))
    answered.start()
    assert next(answers) == (1, b"\0")
    answered.join()
    assert len(tasks.futures) == 4  # of the subjects 1, 2, 4 and 5
    assert [next(answers) for _ in range(4)] == [(2, b"\1"), (3, None), (4, b"\2"), (5, b"\3")]
    assert next(answers) == (6, None)
    answers.close()  # type: ignore[attr-defined]  # what a for loop does that is broken out of


def answer_when_asked(tasks: Waiting, count: int) -> None:
    """Answer so many units, the last one first, once they are all out."""
    wait_until("the units are out", lambda: len(tasks.futures) == count)
    for number, future in reversed(list(enumerate(tasks.futures))):
        future.set_result(bytes([number]))


def test_a_unit_whose_answer_is_an_error_ends_it_and_takes_the_others_back() -> None:
    tasks = Waiting()

    def fail_the_first() -> None:
        wait_until("two units are out", lambda: len(tasks.futures) == 2)
        tasks.futures[0].set_exception(ImgmatchError("gone"))

    failing = Thread(target=fail_the_first)
    failing.start()
    with pytest.raises(ImgmatchError, match="gone"):
        list(in_turn(((number, SentUnit(tasks, "a", b"", bytes)) for number in range(9)), 2))
    failing.join()
    assert [future.cancelled() for future in tasks.futures] == [False, True]


def test_a_unit_that_was_taken_back_says_so_to_whoever_waits_for_it() -> None:
    unit = SentUnit(Waiting(), "a", b"", bytes)
    unit.cancel()
    with pytest.raises(ImgmatchError, match="taken back"):
        unit.result()


NUMBERS = st.sampled_from(["<i8", "<i4", "|u1", "<f4", "|b1"]).flatmap(
    lambda kind: drawn.arrays(kind, drawn.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.none() | st.floats(allow_nan=False)), st.lists(NUMBERS))
def test_arrays_arrive_as_they_were_packed(head: dict[str, object], arrays: list[NDArray[np.generic]]) -> None:
    found, there = unpack_arrays(pack_arrays(head, arrays))
    assert found == head
    check_arrays(there, [(array.dtype.str, array.shape) for array in arrays])
    assert [array.tobytes() for array in there] == [array.tobytes() for array in arrays]


@pytest.mark.slow
@given(st.lists(NUMBERS, min_size=1), st.data())
def test_arrays_that_are_cut_off_are_refused(arrays: list[NDArray[np.generic]], data: st.DataObject) -> None:
    whole = pack_arrays({}, arrays)
    with pytest.raises(ValueError, match="no arrays"):
        unpack_arrays(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\2{}",
        b'\0\0\0\x05["",]',
        b"\0\0\0\x07[[],[]]",
        pack_arrays({}, [np.zeros(1, "<i4")]).replace(b"<i4", b"|O4"),
        pack_arrays({}, [np.zeros(1, "<i4")]).replace(b"<i4", b"<U1"),
        pack_arrays({}, [np.zeros(3, "<i4")]).replace(b"[3]", b"[-"),
        pack_arrays({}, [np.zeros(10, "<i4")]).replace(b"[10]", b"[-1]"),
        b"\0\1\0\0" + b"[" * 65536,
    ],
)
def test_bytes_that_are_no_arrays_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="array"):
        unpack_arrays(data)


def test_arrays_of_another_type_or_shape_are_refused() -> None:
    for expected in ([], [("<i4", (2,))], [("<i8", (3,))], [("<i4", (3, None))]):
        with pytest.raises(ValueError, match="array"):
            check_arrays([np.zeros(3, np.int32)], expected)
    check_arrays([np.zeros(3, np.int32)], [("<i4", (None,))])
