"""Every error imgmatch raises on purpose, in one tree.

::

    ImgmatchError                 1  500  base of all; catch this one
    ├── PhotoError                1  422  one photo cannot be used; carries the reason
    ├── SourceError               1  422  a folder, manifest or path cannot be read
    ├── NotFoundError             1  404  no such account, photo, group or ring
    ├── ConflictError             1  409  what is asked contradicts what the index holds
    ├── NotAllowedError           1  403  whoever asks may not do that
    ├── TooManyTriesError         1  429  asked too often; later it may do
    ├── MissingExtraError         1  501  an optional part is not installed
    ├── UnknownNameError          2  400  no such hasher, engine, source or format
    └── IndexUnusableError        4  503  the index cannot be used
        ├── IndexNotFoundError    4  503  nothing there
        ├── NotAnIndexError       4  503  a folder of something else
        ├── IndexTooNewError      4  503  written by a newer imgmatch
        ├── IndexLockedError      4  423  somebody else does what only one may do at a time
        ├── ShardsMissingError    4  503  shards that hold a part of the engines do not answer
        ├── LeaseLostError        4  409  somebody else has taken over what this process was doing
        ├── IndexReadOnlyError    4  503  asked to write where writing is not possible
        ├── IndexDamagedError     4  503  the catalog cannot be read
        └── IndexFullError        4  507  no space left to write

The first number is the exit code the command line ends with, the second the HTTP status. Anything outside this tree is
a bug (exit code 3, status 500).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class SkipReason(StrEnum):
    """Why a photo, or a line of a manifest, was not used."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too large"
    TOO_SMALL = "too small"
    FLAT = "flat"
    MISSING = "missing"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    DUPLICATE = "duplicate"
    BAD_LINE = "bad line"
    PASSED_OVER = "passed over"
    """By its name it is no photo: it is counted apart from what was skipped."""
    INTERNAL = "internal error"
    """Nobody expected this: a bug of imgmatch, or a surprise of a library. A log has its traceback."""


class ImgmatchError(Exception):
    """Base of every error imgmatch raises on purpose.

    Attributes:
        exit_code: what the command line ends with.
        http_status: what a server answers with.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500


class PhotoError(ImgmatchError):
    """One photo cannot be used.

    Attributes:
        reason: why, in a word or two.
        detail: one sentence for a person.
    """

    http_status = 422

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class SourceError(ImgmatchError):
    """A folder, manifest, archive or path cannot be read, or not to its end.

    Attributes:
        reason: by which it is counted where the other sources of a scan go on.
    """

    http_status = 422

    def __init__(self, message: str, reason: SkipReason = SkipReason.UNREADABLE) -> None:
        super().__init__(message)
        self.reason = reason


class NotFoundError(ImgmatchError):
    """The index has no account, photo, group or ring of that name."""

    http_status = 404


class ConflictError(ImgmatchError):
    """What is asked contradicts what the index holds."""

    http_status = 409


class NotAllowedError(ImgmatchError):
    """Whoever asks may not do that, or has to say first who asks.

    Attributes:
        is_unknown: whether who asks is not known; a server then answers with 401.
    """

    http_status = 403

    def __init__(self, message: str, *, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_unknown = is_unknown


class TooManyTriesError(ImgmatchError):
    """It was asked too often, or too many ask at once.

    Attributes:
        retry_after: in so many seconds it may do.
    """

    http_status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MissingExtraError(ImgmatchError):
    """An optional part of imgmatch is not installed."""

    http_status = 501


class UnknownNameError(ImgmatchError):
    """No hasher, engine, source or format goes by that name."""

    exit_code = 2
    http_status = 400


class IndexUnusableError(ImgmatchError):
    """The index cannot be used."""

    exit_code = 4
    http_status = 503


class IndexNotFoundError(IndexUnusableError):
    """There is no index at that path."""


class NotAnIndexError(IndexUnusableError):
    """The folder holds something that is not an imgmatch index."""


class IndexTooNewError(IndexUnusableError):
    """The index was written by a newer imgmatch than this one."""


class IndexLockedError(IndexUnusableError):
    """Somebody else does what only one may do at a time, such as a scan of the same source."""

    http_status = 423


class LeaseLostError(IndexUnusableError):
    """Somebody else has taken over what this process was doing, because it gave no sign of life for too long."""

    http_status = 409


class ShardsMissingError(IndexUnusableError):
    """Shards that hold a part of the engines do not answer, and what is asked for must be complete."""


class IndexReadOnlyError(IndexUnusableError):
    """A write was asked for where the index cannot be written."""


class IndexDamagedError(IndexUnusableError):
    """The catalog, the truth of the index, cannot be read."""


class IndexFullError(IndexUnusableError):
    """The disk that holds the index has no space left."""

    http_status = 507


class ScanInterrupted(KeyboardInterrupt):
    """A scan was interrupted; the photos that it had described are in the index. Outside the tree: it is no error.

    Attributes:
        kept: how many photos it has added or updated.
    """

    def __init__(self, kept: int) -> None:
        super().__init__(f"{kept:,} photos are kept")
        self.kept = kept
