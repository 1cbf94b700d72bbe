"""What servers tell of a photo beside its bytes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from imgmatch.model import RemoteMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1_000
_TAG_BITS = 62


def tag_of(text: str) -> int:
    """A stable hash of an ETag, of 62 bits: it stands where the catalog keeps the time of a local file, in ns.

    Never 0, which stands for a photo of which nothing is told.
    """
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _TAG_BITS) or 1


def metadata_of(size: int | None, etag: str | None, modified: datetime | str | None) -> RemoteMetadata:
    """What is told by a size, an ETag and a time of modification, any of which may be missing.

    The ETag is the better sign: a time has whole seconds only, and a copy has a new one.
    """
    modified_ns = nanoseconds(modified)
    etag = (etag or "").strip().removeprefix("W/").strip('"')
    return RemoteMetadata(size, tag_of(etag) if etag else modified_ns or None, modified_ns)


def metadata_of_headers(headers: Mapping[str, str], size: int | None) -> RemoteMetadata:
    """What an HTTP answer tells in its headers."""
    return metadata_of(size, headers.get("ETag"), headers.get("Last-Modified"))


def nanoseconds(moment: datetime | str | None) -> int | None:
    """A time in ns since 1970; ``None`` where it is none, or not one of the years 1 to 9999.

    Args:
        moment: text is a date of HTTP, or one of ISO 8601.
    """
    if isinstance(moment, str):
        moment = _parsed(moment)
    if moment is None:
        return None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = aware - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * _NS_PER_US


def _parsed(text: str) -> datetime | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(text)
        except (ValueError, TypeError, OverflowError, LookupError, AttributeError):  # email.utils knows no bounds
            continue
    return None
