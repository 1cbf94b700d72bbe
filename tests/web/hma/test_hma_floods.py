from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.web.hma import floods
from imgmatch.web.hma.floods import WINDOW_SECONDS, Floods

if TYPE_CHECKING:
    import pytest


def test_an_entry_floods_with_the_first_hash_that_is_one_too_many_and_once() -> None:
    counted = Floods(3)
    assert [counted.note(f"{place}", [7], now=0.0) for place in range(4)] == [[], [], [], [7]]
    assert [counted.note(f"{place}", [7], now=0.0) for place in range(3)] == [[], [], []]


def test_the_same_hash_again_and_again_is_no_flood() -> None:
    counted = Floods(1)
    assert not any(counted.note("a", [7], now=float(second)) for second in range(1_000))


def test_hashes_of_more_than_an_hour_ago_do_not_count() -> None:
    counted = Floods(2)
    times = (0.0, 1.0, WINDOW_SECONDS + 0.5, WINDOW_SECONDS + 0.6)
    assert [counted.note(f"{place}", [7], now=at) for place, at in enumerate(times)] == [[], [], [], [7]]


def test_entries_are_counted_apart() -> None:
    counted = Floods(1)
    assert counted.note("a", [1, 2], now=0.0) == []
    assert counted.note("b", [2, 3], now=0.0) == [2]
    assert counted.note("c", [1, 3], now=0.0) == [1, 3]


def test_the_memory_of_what_is_counted_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with the fewest hits are forgotten first: what floods is found all the same."""
    monkeypatch.setattr(floods, "MOST_NOTED", 100)
    counted = Floods(40)
    flooded = []
    for place in range(400):
        flooded += counted.note(f"{place}", [1, 1_000 + place], now=float(place))
        assert counted.noted <= 101
    assert set(flooded) == {1}
