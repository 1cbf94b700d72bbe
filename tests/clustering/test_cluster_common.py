from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.clustering.common import CommonCriteria
from imgmatch.model import Photo, Purpose

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)


def seen(*days: float) -> list[Photo]:
    """A picture on as many accounts, each of which showed it first on one of these days."""
    return [shown(f"a{number}", day) for number, day in enumerate(days)]


def shown(account: str, day: float) -> Photo:
    return Photo(account, f"{account}/{day}.jpg", f"{account}-{day}", None, DAY_ONE + timedelta(days=day))


def every(days: float, accounts: int) -> list[Photo]:
    return seen(*(number * days for number in range(accounts)))


def test_a_picture_that_accounts_take_over_years_is_common_and_one_that_a_gang_takes_within_weeks_is_not() -> None:
    assert CommonCriteria().holds(every(40, 20), ())
    assert not CommonCriteria().holds(every(1, 20), ())
    assert not CommonCriteria().holds(every(1, 200), ())


def test_few_accounts_make_nothing_common_however_long_they_took() -> None:
    assert not CommonCriteria().holds(every(400, 14), ())
    assert CommonCriteria().holds(every(400, 15), ())
    assert CommonCriteria(accounts=3).holds(every(400, 3), ())


def test_the_middle_half_must_come_over_long_so_that_victims_and_late_comers_of_a_gang_count_for_nothing() -> None:
    burst = [1000 + number for number in range(20)]
    assert not CommonCriteria().holds(seen(0, 10, 30, *burst, 2500, 3000), ())
    assert CommonCriteria(days=5).holds(seen(0, 10, 30, *burst, 2500, 3000), ())


def test_a_spread_of_just_so_many_days_is_enough() -> None:
    photos = every(60, 5)  # quartiles at day 60 and 180
    assert CommonCriteria(accounts=5, days=120).holds(photos, ())
    assert not CommonCriteria(accounts=5, days=120.1).holds(photos, ())


def test_from_so_many_accounts_on_a_picture_is_common_however_fast_it_spread() -> None:
    assert CommonCriteria().holds(every(0.01, 3_000), ())
    assert not CommonCriteria().holds(every(0.01, 2_999), ())
    assert CommonCriteria(always=20).holds(every(0, 20), ())


def test_an_account_counts_once_with_the_time_it_first_showed_the_picture() -> None:
    often = [shown("a", day) for day in range(0, 4000, 100)]
    assert not CommonCriteria(accounts=2, days=0).holds(often, ())
    gang = [shown(f"a{number}", number) for number in range(20)]
    again = [shown(f"a{number}", 300 * number + 500) for number in range(20)]
    assert not CommonCriteria().holds([*again, *gang], ())
    assert CommonCriteria().holds(again, ())


@pytest.mark.parametrize("photos", [every(40, 20), every(0, 300), seen(1), []])
def test_what_is_known_to_be_stolen_is_never_common(photos: list[Photo]) -> None:
    assert not CommonCriteria().holds(photos, {Purpose.STOLEN})
    assert not CommonCriteria().holds(photos, {Purpose.STOLEN, Purpose.COMMON})


def test_what_is_known_to_be_common_is_so_on_two_accounts_of_one_day() -> None:
    assert CommonCriteria().holds(seen(1, 1), {Purpose.COMMON})
    assert not CommonCriteria().holds(seen(1, 1), ())


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30))
def test_the_order_of_photos_does_not_matter(days: list[int]) -> None:
    common = CommonCriteria(accounts=5)
    expected = common.holds(seen(*days), ())
    assert common.holds(seen(*reversed(days)), ()) == expected
    assert common.holds(seen(*sorted(days)), ()) == expected
