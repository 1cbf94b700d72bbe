"""The words of imgmatch as plain frozen values, and the result of every verb. Standard library only."""

from imgmatch.errors import SkipReason
from imgmatch.model.accounts import account_id, account_look_hash, is_blank, lookalikes
from imgmatch.model.checks import CheckResult, Comparison, Hashed, HashedFrame, Status
from imgmatch.model.contents import Erasure, IndexStatus, ReportSearch, ScanResult
from imgmatch.model.decisions import FORECAST_SAMPLE, Decision, DecisionKind, Forecast, Labelled, Verdict
from imgmatch.model.demo import DemoWorld
from imgmatch.model.evidence import (
    FINGERPRINT_BITS,
    FINGERPRINT_BYTES,
    ORIENTATIONS,
    Evidence,
    Kind,
    Match,
    Orientation,
    Outline,
)
from imgmatch.model.photos import (
    LIBRARY_SOURCE,
    Depth,
    Failure,
    Fetched,
    NamedPhoto,
    NewPhoto,
    Photo,
    Picture,
    PictureKey,
    RemoteFile,
    RemoteMetadata,
    Skipped,
    derived_photo_id,
)
from imgmatch.model.rings import Change, Gone, Group, Ring, RingAccount, RingsReport, Searched
from imgmatch.model.sources import KnownSource, SourceChange

__all__ = [
    "FINGERPRINT_BITS",
    "FINGERPRINT_BYTES",
    "FORECAST_SAMPLE",
    "LIBRARY_SOURCE",
    "ORIENTATIONS",
    "Change",
    "CheckResult",
    "Comparison",
    "Decision",
    "DecisionKind",
    "DemoWorld",
    "Depth",
    "Erasure",
    "Evidence",
    "Failure",
    "Fetched",
    "Forecast",
    "Gone",
    "Group",
    "Hashed",
    "HashedFrame",
    "IndexStatus",
    "Kind",
    "KnownSource",
    "Labelled",
    "Match",
    "NamedPhoto",
    "NewPhoto",
    "Orientation",
    "Outline",
    "Photo",
    "Picture",
    "PictureKey",
    "RemoteFile",
    "RemoteMetadata",
    "ReportSearch",
    "Ring",
    "RingAccount",
    "RingsReport",
    "ScanResult",
    "Searched",
    "SkipReason",
    "Skipped",
    "SourceChange",
    "Status",
    "Verdict",
    "account_id",
    "account_look_hash",
    "derived_photo_id",
    "is_blank",
    "lookalikes",
]
