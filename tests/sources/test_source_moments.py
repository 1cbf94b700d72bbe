from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import PhotoError, SkipReason
from imgmatch.sources.moments import EARLIEST, seen_moment

LATEST = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (" 2026-01-31T12:00:00+02:00 ", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 12:00:00.25+00", datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00-0530", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
        ("1767484800", datetime(2026, 1, 4, tzinfo=UTC)),
        ("1767484800.25", datetime(2026, 1, 4, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("946684800", datetime(2000, 1, 1, tzinfo=UTC)),
        ("1611010512345", datetime(2021, 1, 18, 22, 55, 12, 345_000, tzinfo=UTC)),
        ("1767484800000001", datetime(2026, 1, 4, 0, 0, 0, 1, tzinfo=UTC)),
        (datetime(2026, 1, 4), datetime(2026, 1, 4, tzinfo=UTC)),  # noqa: DTZ001 -- as a format may tell it
        (datetime(2026, 1, 4, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_documented_time_is_read_as_utc(written: str | datetime, moment: datetime) -> None:
    found = seen_moment(written, LATEST)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("45321", "as a spreadsheet counts"),
        ("45321.5", "as a spreadsheet counts"),
        ("31/01/2026", "the day or the month"),
        ("01/02/2026", "the day or the month"),
        ("1.2.2026 10:00", "the day or the month"),
        ("01-02-26", "the day or the month"),
        ("20260131", "is a number"),
        ("20260131120000", "is a number"),
        ("0", "is a number"),
        ("99999999999999999", "is a number"),
        ("20260131T120000", "not a date in ISO 8601"),
        ("2026-W05-6", "not a date in ISO 8601"),
        ("2026W056", "not a date in ISO 8601"),
        ("2026-01-31x12:00:00", "not a date in ISO 8601"),
        ("2026-01-31T12", "not a date in ISO 8601"),
        ("2026/01/31", "not a date in ISO 8601"),
        ("2026-02-30", "not a date in ISO 8601"),
        ("-1767484800", "not a date in ISO 8601"),
        ("1,767,484,800", "not a date in ISO 8601"),
        ("1e9", "not a date in ISO 8601"),
        ("", "not a date in ISO 8601"),
        ("2026-06-01T00:00:01Z", "in the future"),
        ("1893456000", "in the future"),
        ("1970-01-01T00:00:00Z", "before 1990"),
        ("1611-01-05", "before 1990"),
        ("0001-01-01T00:00:00+01:00", "out of range"),
    ],
)
def test_any_other_time_is_refused_by_name(written: str, why: str) -> None:
    with pytest.raises(PhotoError, match=why) as refused:
        seen_moment(written, LATEST)
    assert refused.value.reason is SkipReason.BAD_LINE
    assert written in refused.value.detail


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:.Z+-]{1,25}", fullmatch=True))
def test_whatever_is_written_is_a_time_within_the_bounds_or_a_bad_line(written: str) -> None:
    with contextlib.suppress(PhotoError):
        assert EARLIEST <= seen_moment(written, LATEST) <= LATEST
