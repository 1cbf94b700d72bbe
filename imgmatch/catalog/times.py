"""Times as the catalog keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last moment there is, as the catalog keeps it."""


def to_microseconds(moment: datetime) -> int:
    """``moment``, which has a time zone, as the catalog keeps it.

    A moment whose year in UTC is not 1..9999 becomes the nearest that is, so that it can be read again.
    """
    return min(max((moment - _EPOCH) // _MICROSECOND, _FIRST), LAST)


def from_microseconds(microseconds: int) -> datetime:
    """The moment the catalog means, in UTC; a file's time may lie beyond the years 1..9999 and is then their end."""
    return _EPOCH + min(max(microseconds, _FIRST), LAST) * _MICROSECOND


def now() -> int:
    """The present, as the catalog keeps it."""
    return to_microseconds(datetime.now(UTC))
