"""One guard at the door of every source, archive and store: what goes wrong inside costs one photo, or one source.

Each reader says in its own words what it expects of bad input. What nobody expected is a bug of imgmatch, or a surprise
of a library: it is logged with its traceback, counted under a reason of its own, and the work goes on.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from imgmatch.errors import ImgmatchError, PhotoError, SourceError
from imgmatch.model import Skipped, SkipReason
from imgmatch.sources.base import shown
from imgmatch.sources.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model import NewPhoto
    from imgmatch.sources.base import Source

_LOGGER = logging.getLogger("imgmatch")
_MOST_REMEMBERED = 1_000

_told: set[tuple[str, str, int]] = set()
_lock = threading.Lock()


def photo_error(error: Exception, where: str) -> PhotoError:
    """Why the photo, line or member that was in hand is skipped.

    Args:
        error: what was raised while it was read.
        where: what was being read, for the log.

    Raises:
        ImgmatchError: ``error`` is one of ours and not about one photo: it passes.
    """
    match error:
        case PhotoError():
            return error
        case ImgmatchError():
            raise error
        case MemoryError():
            return PhotoError(SkipReason.TOO_LARGE, "reading it needs more memory than there is")
        case OSError():
            return PhotoError(SkipReason.UNREADABLE, shown(str(error.strerror or error).lower()))
    _tell(error, where)
    return PhotoError(SkipReason.INTERNAL, shown(f"{type(error).__name__}: {error}"))


def source_error(error: Exception, where: str, after: str = "") -> SourceError:
    """Why a source is not read on.

    Args:
        error: what was raised while it was opened or read.
        where: its path or URL.
        after: the last that was read of it, as people are shown it; empty if there was nothing.

    Raises:
        ImgmatchError: ``error`` is one of ours and not about one source: it passes.
    """
    ending = f"; it broke off after {shown(after)}" if after else ""
    if isinstance(error, SourceError):
        return SourceError(f"{error}{ending}", error.reason)
    found = photo_error(error, where)
    return SourceError(f"{shown(shown_url(where))}: {found.detail}{ending}", found.reason)


def guarded(source: Source) -> Iterator[NewPhoto | Skipped]:
    """The items of a source, in its order.

    Raises:
        SourceError: it ends before its end, for whatever reason; names the source, and after what it broke off.
    """
    last: NewPhoto | Skipped | None = None
    try:
        for item in source:
            last = item
            yield item
    except Exception as error:
        after = "" if last is None else last.photo if isinstance(last, Skipped) else last.label
        raise source_error(error, source.key, after) from error


def _tell(error: Exception, where: str) -> None:
    """Log what nobody expected: each kind once a process, or a night's log would hold nothing else."""
    if _is_new(error):
        _LOGGER.error("%s: %s", shown(shown_url(where)), type(error).__name__, exc_info=error)


def _is_new(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    kind = (type(error).__name__, *place)
    with _lock:
        if kind in _told or len(_told) >= _MOST_REMEMBERED:
            return False
        _told.add(kind)
    return True
