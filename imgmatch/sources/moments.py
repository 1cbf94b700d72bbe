"""When a photo was first seen, as manifests write it: what is not certain is refused, for it names a first holder."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from imgmatch.errors import PhotoError, SkipReason
from imgmatch.sources.base import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before this nobody put photos on accounts: such a time is an empty field that a program has filled in."""

AHEAD = timedelta(days=1)
"""A time may be so far in the future: clocks and time zones differ."""

_PUNCTUATION = {"--T::", "-- ::", "--"}
"""Every third character from the fifth on, in the usual forms: a quicker look than the next one."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII)
"""Of what Python reads as ISO 8601 these forms alone: of others it takes 1611010512345 for the year 1611."""

_NUMBER = re.compile(r"\d{1,17}(?:\.\d{1,9})?", re.ASCII)
_DAY_AND_MONTH = re.compile(r"\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d\d)\b.*", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = (1, 1_000, 1_000_000)
_COUNTED = (946_684_800, 4_102_444_800)
"""Numbers of seconds from 2000 to 2100: as milliseconds or microseconds these lie in 1970, so a number has one unit."""

_SERIALS = (20_000, 80_000)
"""Days since 1900, from 1954 to 2119: what spreadsheets hold in place of a date."""

_LONG = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\d{4,5}|\d{7,8})", re.ASCII)
"""Milliseconds (12 or 13 digits) or microseconds (15 or 16), some of which begin as a date without punctuation does."""

_LOOKED_AHEAD = 100
"""Rows that are read to see what numbers of a column are; of so many milliseconds nearly all can be no date."""

_WRITTEN = "such as 2026-01-31T12:00:00Z"


def with_counts(rows: Iterable[Item], seen_at: Callable[[Item], str | datetime | None]) -> Iterator[tuple[Item, bool]]:
    """Each row with whether numbers of its column are known to count from 1970, though some of them also read as dates.

    The first time that tells decides: one that is no number says that dates are written here, a long number that can be
    no date that they are counted. While nothing has told, up to a hundred rows are read ahead.

    Args:
        rows: of one column.
        seen_at: what stands in it.
    """
    reading, waiting, known = iter(rows), list[Item](), None
    try:
        for row in reading:
            waiting.append(row)
            known = _tells(seen_at(row))
            if known is None and len(waiting) <= _LOOKED_AHEAD:
                continue
            yield from ((one, known is True) for one in waiting)
            waiting = []
            if known is not None:
                break
    except Exception:  # what was read before it broke off counts
        yield from ((one, False) for one in waiting)
        raise
    yield from ((one, False) for one in waiting)
    yield from ((row, known is True) for row in reading)


def _tells(written: str | datetime | None) -> bool | None:
    """Whether times are counted in the column of this one; ``None`` where it does not tell."""
    if not isinstance(written, str):
        return None
    text = written.strip()
    if not _NUMBER.fullmatch(text):
        return False if text else None
    long = _LONG.fullmatch(text)
    return None if long is None or _is_day(long) else True


def _is_day(long: re.Match[str]) -> bool:
    """Whether a long number may begin with year, month and day."""
    try:
        date(*map(int, long.groups()))
    except ValueError:
        return False
    return True


def seen_moment(written: str | datetime, latest: datetime, *, counted: bool) -> datetime:
    """A time in UTC; a time without a zone is taken as UTC.

    Args:
        written: a date, or date and time, in ISO 8601 (``2026-01-31``, ``2026-01-31T12:00:00+01:00``, a blank in place
            of the T); or seconds, milliseconds or microseconds since 1970, of a time from 2000 on.
        latest: what is later is wrong.
        counted: whether a number that also reads as a date without punctuation is known to count from 1970, as of
            :func:`with_counts`; else it is refused.

    Raises:
        PhotoError: it is none of these, or not between 1990 and ``latest``.
    """
    try:
        moment = written if isinstance(written, datetime) else _read(written.strip(), counted=counted)
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise _error("is out of range", str(written)) from None
    if EARLIEST <= moment <= latest:
        return moment
    raise _error("lies in the future" if moment > latest else f"lies before {EARLIEST.year}", str(written))


def _read(text: str, *, counted: bool) -> datetime:
    if text[4:17:3] in _PUNCTUATION or _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise _error(f"is not a date in ISO 8601 ({_WRITTEN})", text) from None
    if _NUMBER.fullmatch(text):
        moment, long = _counted(text), None if counted else _LONG.fullmatch(text)
        if long is not None and _is_day(long):
            raise _error(f"may count from 1970 or be a date without punctuation; write it {_WRITTEN}", text)
        return moment
    if _DAY_AND_MONTH.fullmatch(text):
        raise _error(f"may begin with the day or the month; write it {_WRITTEN}", text)
    raise _error(f"is not a date in ISO 8601 ({_WRITTEN})", text)


def _counted(text: str) -> datetime:
    number = float(text)
    low, high = _COUNTED
    for per_second in _PER_SECOND:
        if low <= number / per_second < high:
            whole, _, fraction = text.partition(".")
            microseconds = int(whole) * (1_000_000 // per_second)
            if per_second == 1 and fraction:
                microseconds += int(fraction[:6].ljust(6, "0"))
            return _EPOCH + timedelta(microseconds=microseconds)
    if _SERIALS[0] <= number < _SERIALS[1]:
        raise _error(f"is a date as a spreadsheet counts it; write it {_WRITTEN}", text)
    units = "seconds, milliseconds or microseconds"
    raise _error(f"is a number, and no time from 2000 on in {units} since 1970; write it {_WRITTEN}", text)


def _error(what: str, written: str) -> PhotoError:
    return PhotoError(SkipReason.BAD_LINE, f"seen_at {what}: {shown(written)}")
