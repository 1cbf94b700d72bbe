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

from imgmatch import registry
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
    NotAllowedError,
    NotAnIndexError,
    NotFoundError,
    PhotoError,
    ScanInterrupted,
    ShardsMissingError,
    SourceError,
    TooManyTriesError,
    UnknownNameError,
)
from imgmatch.model import (
    AccountView,
    ApiToken,
    AuditEntry,
    AuditProof,
    BadEntry,
    Bank,
    BankEntry,
    BankHit,
    BankIndexState,
    Change,
    CheckResult,
    Comparison,
    Copied,
    Decision,
    DecisionKind,
    DemoWorld,
    Depth,
    EnginePlace,
    Erasure,
    Evidence,
    Forecast,
    Gone,
    Group,
    Hashed,
    HashedFrame,
    HeldLease,
    IndexStatus,
    Kind,
    KnownSource,
    Labelled,
    ListedHash,
    ListImport,
    Match,
    ModeratorFigures,
    NamedPhoto,
    NewPhoto,
    Opinion,
    Photo,
    Picture,
    ProfileMatch,
    Purpose,
    QueueOrder,
    QueueState,
    ReportSearch,
    Review,
    Ring,
    RingAccount,
    RingQueue,
    RingsReport,
    RingSummary,
    Role,
    ScanResult,
    Scope,
    Searched,
    ShardHealth,
    SharedPhoto,
    Skipped,
    SkipReason,
    SourceChange,
    Status,
    User,
    Verdict,
    profile_matches,
)
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from imgmatch.actions.compare import compare
    from imgmatch.actions.demo import draw_demo
    from imgmatch.actions.hash import hash_photos
    from imgmatch.actions.labels import read_pairs
    from imgmatch.actions.pictures import view_photos
    from imgmatch.actions.queries import named_photos
    from imgmatch.actions.reports import search_reports
    from imgmatch.actions.scan import open_sources
    from imgmatch.client import Client
    from imgmatch.exchange.lists import ListOptions
    from imgmatch.exchange.signing import SigningKey, public_key
    from imgmatch.imaging.limits import Limits
    from imgmatch.index import Index
    from imgmatch.sources.retrying import RemoteOptions

__all__ = [
    "SILENT",
    "AccountView",
    "ApiToken",
    "AuditEntry",
    "AuditProof",
    "BadEntry",
    "Bank",
    "BankEntry",
    "BankHit",
    "BankIndexState",
    "Change",
    "CheckResult",
    "Client",
    "Comparison",
    "ConflictError",
    "Copied",
    "Decision",
    "DecisionKind",
    "DemoWorld",
    "Depth",
    "EnginePlace",
    "Erasure",
    "Evidence",
    "Forecast",
    "Gone",
    "Group",
    "Hashed",
    "HashedFrame",
    "HeldLease",
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
    "KnownSource",
    "Labelled",
    "LeaseLostError",
    "Limits",
    "ListImport",
    "ListOptions",
    "ListedHash",
    "Match",
    "MissingExtraError",
    "ModeratorFigures",
    "NamedPhoto",
    "NewPhoto",
    "NotAllowedError",
    "NotAnIndexError",
    "NotFoundError",
    "Opinion",
    "Photo",
    "PhotoError",
    "Picture",
    "ProfileMatch",
    "Progress",
    "Purpose",
    "QueueOrder",
    "QueueState",
    "RemoteOptions",
    "ReportSearch",
    "Review",
    "Ring",
    "RingAccount",
    "RingQueue",
    "RingSummary",
    "RingsReport",
    "Role",
    "ScanInterrupted",
    "ScanResult",
    "Scope",
    "Searched",
    "ShardHealth",
    "ShardsMissingError",
    "SharedPhoto",
    "SigningKey",
    "SkipReason",
    "Skipped",
    "SourceChange",
    "SourceError",
    "Status",
    "TooManyTriesError",
    "UnknownNameError",
    "User",
    "Verdict",
    "compare",
    "draw_demo",
    "hash_photos",
    "named_photos",
    "open_sources",
    "profile_matches",
    "public_key",
    "read_pairs",
    "search_reports",
    "view_photos",
]


_HEAVY = {
    "Client": "imgmatch.client:Client",
    "Index": "imgmatch.index:Index",
    "Limits": "imgmatch.imaging.limits:Limits",
    "ListOptions": "imgmatch.exchange.lists:ListOptions",
    "RemoteOptions": "imgmatch.sources.retrying:RemoteOptions",
    "SigningKey": "imgmatch.exchange.signing:SigningKey",
    "compare": "imgmatch.actions.compare:compare",
    "draw_demo": "imgmatch.actions.demo:draw_demo",
    "hash_photos": "imgmatch.actions.hash:hash_photos",
    "named_photos": "imgmatch.actions.queries:named_photos",
    "open_sources": "imgmatch.actions.scan:open_sources",
    "public_key": "imgmatch.exchange.signing:public_key",
    "read_pairs": "imgmatch.actions.labels:read_pairs",
    "search_reports": "imgmatch.actions.reports:search_reports",
    "view_photos": "imgmatch.actions.pictures:view_photos",
}
"""What brings NumPy, FAISS and OpenCV with it, and is loaded when it is first asked for: ``--help`` stays quick."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- classes and functions
    """One of the heavy parts of the door."""
    if name not in _HEAVY:
        raise AttributeError(f"module 'imgmatch' has no attribute {name!r}")
    return registry.load(_HEAVY[name])
