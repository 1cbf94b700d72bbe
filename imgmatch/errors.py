"""Every error imgmatch raises on purpose, in one tree.

::

    ImgmatchError                 1  base of all; catch this one
    ├── PhotoError                1  one photo cannot be used; carries the reason
    ├── SourceError               1  a folder, manifest or path cannot be read at all
    ├── MissingExtraError         1  an optional part is not installed
    ├── UnknownNameError          2  no such hasher, engine, source or format
    └── IndexUnusableError        4  the index folder cannot be used
        ├── IndexNotFoundError    4  nothing there
        ├── NotAnIndexError       4  a folder of something else
        ├── IndexTooNewError      4  written by a newer imgmatch
        ├── IndexLockedError      4  another process is writing
        ├── IndexReadOnlyError    4  asked to write where writing is not possible
        ├── IndexDamagedError     4  the catalog cannot be read
        └── IndexFullError        4  no space left to write

The number is the exit code the command line ends with. Anything outside this tree is a bug (exit code 3).
"""

from __future__ import annotations

from typing import ClassVar


class ImgmatchError(Exception):
    """Base of every error imgmatch raises on purpose."""

    exit_code: ClassVar[int] = 1


class PhotoError(ImgmatchError):
    """One photo cannot be used.

    Attributes:
        reason: one of the values of :class:`imgmatch.model.SkipReason`.
        detail: one sentence for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class SourceError(ImgmatchError):
    """A folder, manifest or path cannot be read at all."""


class MissingExtraError(ImgmatchError):
    """An optional part of imgmatch is not installed."""


class UnknownNameError(ImgmatchError):
    """No hasher, engine, source or format goes by that name."""

    exit_code = 2


class IndexUnusableError(ImgmatchError):
    """The index folder cannot be used."""

    exit_code = 4


class IndexNotFoundError(IndexUnusableError):
    """There is no index at that path."""


class NotAnIndexError(IndexUnusableError):
    """The folder holds something that is not an imgmatch index."""


class IndexTooNewError(IndexUnusableError):
    """The index was written by a newer imgmatch than this one."""


class IndexLockedError(IndexUnusableError):
    """Another process is writing to the index."""


class IndexReadOnlyError(IndexUnusableError):
    """A write was asked for where the index cannot be written."""


class IndexDamagedError(IndexUnusableError):
    """The catalog, the truth of the index, cannot be read."""


class IndexFullError(IndexUnusableError):
    """The disk that holds the index has no space left."""
