from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import PhotoError, SkipReason
from imgmatch.sources.moments import EARLIEST, seen_moment, with_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    found = seen_moment(written, LATEST, counted=True)
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
        seen_moment(written, LATEST, counted=True)
    assert refused.value.reason is SkipReason.BAD_LINE
    assert written in refused.value.detail


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:.Z+-]{1,25}", fullmatch=True))
def test_whatever_is_written_is_a_time_within_the_bounds_or_a_bad_line(written: str) -> None:
    with contextlib.suppress(PhotoError):
        assert EARLIEST <= seen_moment(written, LATEST, counted=True) <= LATEST


def readings(*column: str) -> list[bool]:
    """Which numbers of a column are read."""
    return [
        not isinstance(found, PhotoError) for found in (reading(text, counted=known) for text, known in told(*column))
    ]


def told(*column: str) -> list[tuple[str, bool]]:
    return list(with_counts(column, lambda text: text))


def reading(text: str, *, counted: bool) -> datetime | PhotoError:
    try:
        return seen_moment(text, LATEST, counted=counted)
    except PhotoError as error:
        return error


def test_a_count_that_reads_as_a_date_too_is_refused_where_nothing_tells_which_it_is() -> None:
    """1611010512345 are milliseconds of 2021, or the fifth of January 1611: it would name a first holder."""
    with pytest.raises(PhotoError, match="or be a date without punctuation") as refused:
        seen_moment("1611010512345", LATEST, counted=False)
    assert refused.value.reason is SkipReason.BAD_LINE
    assert readings("1611010512345", "", "1611020512345") == [False, False, False]


def test_it_is_read_where_another_number_of_its_column_can_be_no_date() -> None:
    """Before or after it; seconds, which are shorter, tell nothing."""
    assert readings("1611010512345", "", "1767484800", "1767484800000") == [True, False, True, True]
    assert readings("1767484800000", "1611010512345", "2026-01-31") == [True, True, True]


def test_it_is_refused_where_dates_are_written_in_its_column() -> None:
    """Who writes dates may have written this one without punctuation; what can be no date is read all the same."""
    assert readings("1611010512345", "2021-01-10T00:00:00Z", "1704067200000") == [False, True, True]


def test_no_more_than_a_hundred_rows_are_read_ahead_and_none_is_lost() -> None:
    """Whoever comes after the one that tells is read; order and number stay."""
    column = ["1611010512345"] * 300 + ["1767484800000"] + ["1611010512345"] * 2
    taken = 0

    def rows() -> Iterator[str]:
        nonlocal taken
        for text in column:
            taken += 1
            yield text

    first = next(found := with_counts(rows(), lambda text: text))
    assert taken == 101
    rest = list(found)
    assert [text for text, _ in (first, *rest)] == column
    assert [known for _, known in rest[-3:]] == [True] * 3


def test_rows_that_wait_come_out_before_the_error_that_ends_their_source() -> None:
    """Nothing that was read is lost."""

    def rows() -> Iterator[str]:
        yield from ["", "1611010512345"]
        raise OSError("it broke off")

    found = with_counts(rows(), lambda text: text)
    assert [next(found), next(found)] == [("", False), ("1611010512345", False)]
    with pytest.raises(OSError, match="broke off"):
        next(found)


@given(st.lists(st.sampled_from(["", "2026-01-31", "1611010512345", "1767484800000", "1767484800"]), max_size=40))
def test_the_first_time_that_tells_decides_for_the_whole_of_a_short_column(column: list[str]) -> None:
    """Which is a date with punctuation, or milliseconds that can be no date."""
    first = next((text for text in column if text in {"2026-01-31", "1767484800000"}), None)
    assert told(*column) == [(text, first == "1767484800000") for text in column]
