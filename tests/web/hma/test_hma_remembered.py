from __future__ import annotations

import time
from typing import TYPE_CHECKING

from imgmatch.web.hma import remembered
from imgmatch.web.hma.remembered import Remembered

if TYPE_CHECKING:
    import pytest

A, B = ("program", "coop", "aa"), ("person", "coop", "aa")


def test_a_photo_is_there_for_whoever_had_it_hashed_alone() -> None:
    kept = Remembered(5)
    kept.keep(A, b"photo")
    assert (kept.photo(A), kept.photo(B)) == (b"photo", None)
    kept.keep(A, b"another of this hash")
    assert kept.photo(A) == b"another of this hash"


def test_nothing_is_remembered_where_that_is_off() -> None:
    kept = Remembered(0)
    kept.keep(A, b"photo")
    assert not kept.is_on
    assert kept.photo(A) is None


def test_a_photo_is_let_go_of_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    kept = Remembered(2)
    kept.keep(A, b"photo")
    now += 119
    kept.forget()
    assert kept.photo(A) == b"photo"
    now += 2
    kept.forget()
    assert kept.size == 0
    assert kept.photo(A) is None


def test_what_came_first_goes_where_there_is_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_PHOTOS", 3)
    monkeypatch.setattr(remembered, "MOST_BYTES", 10)
    kept = Remembered(5)
    for place, photo in enumerate([b"1", b"2", b"3", b"4", b"5" * 9, b"6" * 11]):
        kept.keep(("program", "coop", f"{place}"), photo)
    left = [place for place in range(6) if kept.photo(("program", "coop", f"{place}")) is not None]
    assert left == [3, 4]
    assert kept.size == 10
