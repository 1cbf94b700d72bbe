from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from imgmatch.catalog.times import from_microseconds, now, to_microseconds

ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001 -- takes them so


@given(moment=MOMENTS)
def test_a_moment_of_any_zone_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    again = from_microseconds(to_microseconds(moment))
    assert again == moment
    assert again.tzinfo is UTC


@given(one=MOMENTS, other=MOMENTS)
def test_times_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    assert (to_microseconds(one) < to_microseconds(other)) == (one < other)


@given(moment=st.datetimes(timezones=ZONES))
def test_every_moment_that_can_be_written_can_be_read(moment: datetime) -> None:
    from_microseconds(to_microseconds(moment))


@given(microseconds=st.integers(-(2**63), 2**63 - 1))
def test_every_time_a_file_may_have_can_be_read(microseconds: int) -> None:
    assert from_microseconds(microseconds).tzinfo is UTC


def test_the_epoch_is_zero_and_the_present_is_now() -> None:
    assert to_microseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert abs(from_microseconds(now()) - datetime.now(UTC)) < timedelta(minutes=1)
