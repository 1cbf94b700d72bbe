"""What tells a changed photo from an unchanged one without reading it: two numbers, wherever it lies."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Protocol, TypeVar

from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason
from imgmatch.rooted import look_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imgmatch.model import RemoteMetadata

UNKNOWN_STATE = 0
"""In place of a time, for a remote photo that nothing tells from its next edition."""

_LAST_NS = 2**63 - 1  # in the year 2262; a database holds no more, a file may bear any time


class State(Protocol):
    """Size in bytes, and modification time in ns or what stands for it."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def mtime_ns(self) -> int:
        """In ns since 1970, or a hash."""


KnownState = TypeVar("KnownState", bound=State)


def file_state(path: Path, root: Path | None = None) -> tuple[int, int]:
    """Size and modification time of a regular file, in bytes and ns.

    Args:
        path: of the file.
        root: if given, it is looked at from this folder down, through no link.

    Raises:
        PhotoError: it is missing, cannot be looked at, is something else, or is not beneath the root.
    """
    try:
        status = look_at(path, root)
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError(SkipReason.MISSING, "there is no such file") from None
    except (OSError, ValueError) as error:
        detail = str(getattr(error, "strerror", None) or error).lower()
        raise PhotoError(SkipReason.UNREADABLE, detail) from None
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(SkipReason.UNREADABLE, "it is not a regular file")
    return status.st_size, min(max(status.st_mtime_ns, -_LAST_NS), _LAST_NS)


def unchanged_state(
    metadata: RemoteMetadata | PhotoError | None, states: Iterable[KnownState | None]
) -> KnownState | None:
    """Which of ``states`` a remote photo is still in; ``None`` if only fetching it will tell.

    Raises:
        PhotoError: asking about it has failed.
    """
    if isinstance(metadata, PhotoError):
        raise metadata
    if metadata is None or metadata.tag is None:
        return None
    same = (state for state in states if state is not None and state.mtime_ns == metadata.tag)
    return next((state for state in same if metadata.size in (None, state.size)), None)
