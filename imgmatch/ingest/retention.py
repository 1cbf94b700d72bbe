"""A retention period: photos first seen too long ago are not taken in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.catalog.times import from_microseconds
from imgmatch.errors import PhotoError
from imgmatch.model import NewPhoto
from imgmatch.rooted import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from imgmatch.model import Skipped

_NS_PER_US = 1_000


def kept(
    items: Iterable[NewPhoto | Skipped], since: datetime | None, passed_over: Callable[[], None] = lambda: None
) -> Iterator[NewPhoto | Skipped]:
    """Without photos first seen before ``since``, if that is given; of each of those ``passed_over`` hears.

    Where nobody said when, the file's modification time counts; of what is remote that is not known yet, and it is
    kept.
    """
    for item in items:
        if since is None or not isinstance(item, NewPhoto) or not _is_older(item, since):
            yield item
        else:
            passed_over()


def _is_older(photo: NewPhoto, since: datetime) -> bool:
    if photo.seen_at is not None:
        return photo.seen_at < since
    if not isinstance(photo.path, Path):
        return False
    try:
        return from_microseconds(look_at(photo.path, photo.root).st_mtime_ns // _NS_PER_US) < since
    except (OSError, ValueError, PhotoError):
        return False  # the scan says what is wrong with it
