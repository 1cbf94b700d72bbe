"""imgmatch finds accounts that share a profile photo.

    from imgmatch import Index, NewPhoto

    with Index.open("index", create=True) as index:
        index.add([NewPhoto.at("a17/1.jpg", account="a17", name="Lena")])
        for match in index.check("suspect.jpg"):
            print(match.photo.account, match.evidence.kind, match.evidence.score)

It compares photos, never people: no face recognition, no identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgmatch.errors import (
    ConflictError,
    ImgmatchError,
    IndexDamagedError,
    IndexFullError,
    IndexLockedError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexTooNewError,
    IndexUnusableError,
    LeaseLostError,
    MissingExtraError,
    NotAnIndexError,
    NotFoundError,
    PhotoError,
    SourceError,
    UnknownNameError,
)
from imgmatch.model import (
    Change,
    CheckResult,
    Comparison,
    Decision,
    DecisionKind,
    Depth,
    Erasure,
    Evidence,
    Forecast,
    Group,
    Hashed,
    IndexStatus,
    Kind,
    Labelled,
    Match,
    NamedPhoto,
    NewPhoto,
    Photo,
    Picture,
    Ring,
    RingAccount,
    ScanResult,
    Skipped,
    SkipReason,
    Status,
    Verdict,
)

if TYPE_CHECKING:
    from imgmatch.imaging.limits import Limits
    from imgmatch.index import Index

__all__ = [
    "Change",
    "CheckResult",
    "Comparison",
    "ConflictError",
    "Decision",
    "DecisionKind",
    "Depth",
    "Erasure",
    "Evidence",
    "Forecast",
    "Group",
    "Hashed",
    "ImgmatchError",
    "Index",
    "IndexDamagedError",
    "IndexFullError",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexReadOnlyError",
    "IndexStatus",
    "IndexTooNewError",
    "IndexUnusableError",
    "Kind",
    "Labelled",
    "LeaseLostError",
    "Limits",
    "Match",
    "MissingExtraError",
    "NamedPhoto",
    "NewPhoto",
    "NotAnIndexError",
    "NotFoundError",
    "Photo",
    "PhotoError",
    "Picture",
    "Ring",
    "RingAccount",
    "ScanResult",
    "SkipReason",
    "Skipped",
    "SourceError",
    "Status",
    "UnknownNameError",
    "Verdict",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- two classes that bring NumPy, FAISS and OpenCV with them
    """Load the heavy part of the door when it is first asked for, so that ``imgmatch --help`` stays quick."""
    if name == "Index":
        from imgmatch.index import Index  # noqa: PLC0415

        return Index
    if name == "Limits":
        from imgmatch.imaging.limits import Limits  # noqa: PLC0415

        return Limits
    raise AttributeError(f"module 'imgmatch' has no attribute {name!r}")
