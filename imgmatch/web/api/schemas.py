"""The shapes of the API: what programs send, and what they get, which is what the command line prints as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=1_000)]
Reason = Annotated[str, StringConstraints(max_length=2_000)]


class Given(BaseModel):
    """What a program sends: nothing that is not asked for."""

    model_config = ConfigDict(extra="forbid")


class Got(BaseModel):
    """What a program gets; more fields may come, none changes its meaning."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None


class EvidenceShape(Got):
    kind: str
    score: float
    distance: int | None
    mirrored: bool
    rotation: int
    overlap: float | None
    agreement: float | None
    negative: bool


class MatchShape(EvidenceShape):
    account: str
    name: str | None
    photo: str
    photo_id: str
    seen_at: datetime
    bank: str | None
    damaged: float | None
    frame: int | None
    query_frame: int | None


class BankHitShape(EvidenceShape):
    bank: str
    purpose: Literal["stolen", "common", "partner"]
    entry: int
    ref: str | None
    query_frame: int | None


class StoredBankHitShape(BankHitShape):
    account: str
    photo_id: str
    photo: str
    frame: int | None


class CheckResultShape(Got):
    photo: str
    status: Literal["match", "no_match", "not_searchable", "unreadable"]
    reason: str | None
    accounts: int
    truncated: bool
    damaged: float | None
    matches: list[MatchShape]
    banks: list[BankHitShape]
    incomplete: list[str]


class ProfileMatchShape(Got):
    account: str
    name: str | None
    photos: int
    score: float
    first_seen: datetime


class CheckAnswerShape(Got):
    """``complete`` is false where the answer did not come within the deadline: then there is none."""

    complete: bool
    results: list[CheckResultShape]
    accounts: list[ProfileMatchShape]


class FingerprintQuery(Given):
    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    account: Text | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 20
    max_distance: Annotated[int, Field(ge=0, le=256)] | None = None


class ComparisonShape(EvidenceShape):
    query: str
    stored: str
    match: bool
    query_damaged: float | None
    stored_damaged: float | None
    frame: int | None
    query_frame: int | None


class AddedPhotoShape(Got):
    photo_id: str
    state: Literal["added", "updated", "unchanged"]


class RemovedShape(Got):
    removed: int


class ErasureQuery(Given):
    account: Text | None = None
    photo_id: Text | None = None
    mask_reasons: bool = False


class DecisionShape(Got):
    decision: int
    verdict: Literal["confirm", "dismiss", "common", "undo"]
    kind: str
    subject: str | None
    photos: int
    by: str
    reason: str | None
    decided_at: datetime
    undone_by: int | None


class DecisionsShape(Got):
    decisions: list[DecisionShape]
    next: int | None


class DecisionViewShape(DecisionShape):
    accounts: list[str]


class DecisionQuery(Given):
    verdict: Literal["confirm", "dismiss", "common"]
    ring: Text | None = None
    group: Text | None = None
    pair: tuple[Text, Text] | None = None
    reason: Reason | None = None
    expect: Annotated[str, StringConstraints(max_length=64)] | None = None


class UndoQuery(Given):
    reason: Reason | None = None


class StoredPhotoShape(Got):
    photo_id: str
    account: str
    photo: str
    seen_at: datetime
    frame: int | None
    damaged: float | None


class ShareShape(Got):
    own: StoredPhotoShape
    other: StoredPhotoShape
    name: str | None
    evidence: EvidenceShape
    own_evidence: EvidenceShape
    group: str
    common: bool
    others: int
    ring: str | None


class AccountShape(Got):
    account: str
    name: str | None
    first_seen: datetime
    attributes: dict[str, str]
    photos: list[StoredPhotoShape]
    shares: list[ShareShape]
    rings: list[str]
    bank_hits: list[StoredBankHitShape]
    decisions: list[DecisionShape]
    lookalikes: list[str]


class RingSummaryShape(Got):
    ring: str
    accounts: int
    pictures: int
    first_account: str
    first_name: str | None
    names: list[str]
    opened_at: datetime
    last_seen: datetime
    accounts_per_day: float
    new: bool | None
    changes: list[str]
    bank: str | None
    decision: str | None
    waiting: bool
    decided: int


class RingQueueShape(Got):
    rings: list[RingSummaryShape]
    total: int
    waiting: int
    oldest_waiting: datetime | None
    next: str | None


class AuditEntryShape(Got):
    number: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    digest: str


class AuditLogShape(Got):
    entries: list[AuditEntryShape]
    next: int | None


class AuditProofShape(Got):
    entries: int
    broken_at: int | None
    head: str
    holds_head: bool | None
    whole: bool


class BankShape(Got):
    bank: str
    purpose: Literal["stolen", "common", "partner"]
    owner: str | None
    enabled: bool
    ratio: float
    note: str | None
    created_at: datetime
    entries: int
    pictures: int
    quarantined: int
    checkpoint: str | None


class HealthShape(Got):
    status: Literal["ok"]


class AnythingShape(BaseModel):
    """A record of docs/formats.md with fields of its own."""

    model_config = ConfigDict(extra="allow")


Record = dict[str, Any]
