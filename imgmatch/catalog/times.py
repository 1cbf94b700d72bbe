"""Times as the catalog keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """``moment``, which has a time zone, as the catalog keeps it."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment the catalog means, in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def now() -> int:
    """The present, as the catalog keeps it."""
    return to_microseconds(datetime.now(UTC))
