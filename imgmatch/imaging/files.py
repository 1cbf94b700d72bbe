"""Reading a photo's file without being led astray by what lies at its path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason
from imgmatch.rooted import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.imaging.limits import Limits


def read_photo(path: Path, limits: Limits, root: Path | None = None) -> bytes:
    """The bytes of a regular file.

    Opened without waiting, so that a named pipe cannot hold the caller, and judged by the open file, so that what is
    checked is what is read.

    Args:
        path: of the file.
        limits: how large it may be.
        root: if given, the file is opened from this folder down, through no link.

    Raises:
        PhotoError: it is missing, not a regular file, not readable, empty, too large, or not beneath the root.
    """
    try:
        file = open_regular(path, root)
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError(SkipReason.MISSING, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise PhotoError(SkipReason.UNREADABLE, _why(error)) from None
    with file:
        check_size(os.fstat(file.fileno()).st_size, limits)
        try:
            return file.read(limits.file_bytes + 1)
        except OSError as error:
            raise PhotoError(SkipReason.UNREADABLE, _why(error)) from None


def check_size(size: int, limits: Limits) -> None:
    """Refuse an empty or oversized file; ``size`` is in bytes.

    Raises:
        PhotoError: it is.
    """
    if size == 0:
        raise PhotoError(SkipReason.UNREADABLE, "the file is empty")
    if size > limits.file_bytes:
        raise PhotoError(SkipReason.TOO_LARGE, f"{size:,} bytes; the limit is {limits.file_bytes:,}")


def _why(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
