"""What moderators work with: a queue of rings, and one account with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from imgmatch.model.banks import BankHit
from imgmatch.model.decisions import Decision
from imgmatch.model.evidence import Evidence
from imgmatch.model.photos import Photo
from imgmatch.model.rings import Change

if TYPE_CHECKING:
    from imgmatch.model.checks import CheckResult


@dataclass(frozen=True, slots=True)
class RingSummary:
    """A ring as a queue shows it.

    Attributes:
        ring: its id.
        accounts: how many.
        pictures: how many distinct pictures tie it.
        first_account: the account that had a shared photo first.
        first_name: its display name.
        names: distinct display names in use, the first few.
        opened_at: when a second account first showed a shared photo.
        last_seen: when the latest account first showed one.
        accounts_per_day: as of :class:`Ring`.
        new: not in the last report; ``None`` where none was made.
        changes: since that report.
        bank: as of :class:`Ring`.
        decision: what was said of it last.
        waiting: a picture of it nobody has decided on.
        decided: on how many of its pictures somebody has.
    """

    ring: str
    accounts: int
    pictures: int
    first_account: str
    first_name: str | None
    names: tuple[str, ...]
    opened_at: datetime
    last_seen: datetime
    accounts_per_day: float
    new: bool | None
    changes: tuple[Change, ...]
    bank: str | None
    decision: str | None
    waiting: bool
    decided: int


class QueueOrder(StrEnum):
    """What comes first in a queue."""

    NEW = "new"
    LARGEST = "largest"
    LATEST = "latest"
    OLDEST = "oldest"
    FASTEST = "fastest"


class QueueState(StrEnum):
    """Which rings a queue shows."""

    WAITING = "waiting"
    DECIDED = "decided"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class RingQueue:
    """A part of a queue.

    Attributes:
        rings: in order.
        total: how many there are in all that fit what was asked.
        waiting: how many rings wait for a decision, whatever was asked.
        oldest_waiting: when the one that has waited longest was opened; ``None`` where none waits.
        next: asked with this as ``after``, the queue goes on; ``None`` at its end.
    """

    rings: tuple[RingSummary, ...]
    total: int
    waiting: int
    oldest_waiting: datetime | None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Who has a ring open.

    Attributes:
        ring: its id.
        reviewer: who has it.
        opened_at: since when, in UTC.
        expires_at: until when, if there is no sign of life.
    """

    ring: str
    reviewer: str
    opened_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SharedPhoto:
    """A photo of another account that is held to be a copy of the same picture.

    Attributes:
        own: the account's own photo.
        other: the other one.
        evidence: how the other one stands to the medoid of their group.
        own_evidence: how the own one stands to it.
        group: the id of their group.
        common: so many carry the picture that it ties nobody; then not all are given.
        others: how many photos of other accounts their group has.
        ring: the ring that the group ties; ``None`` for a common picture.
    """

    own: Photo
    other: Photo
    evidence: Evidence
    own_evidence: Evidence
    group: str
    common: bool
    others: int
    ring: str | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account, and all that the index knows of it.

    Attributes:
        account: its id.
        name: its display name, the latest one given.
        first_seen: the earliest time any of its photos was seen.
        attributes: other columns of the manifest.
        photos: in the order they were first seen.
        shares: photos of other accounts that are copies of one of these, in the order they were first seen.
        rings: ids of the rings it is in: one, or none.
        decisions: on its photos, the latest first.
        lookalikes: other accounts that a person cannot tell from it.
        bank_hits: entries of banks that its photos hit, as the last run has found them.
    """

    account: str
    name: str | None
    first_seen: datetime
    photos: tuple[Photo, ...]
    shares: tuple[SharedPhoto, ...] = ()
    rings: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    lookalikes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    bank_hits: tuple[BankHit, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileMatch:
    """An account that carries photos of a profile.

    Attributes:
        account: its id.
        name: its display name.
        photos: how many of the photos that were asked about it carries.
        score: of the likeliest.
        first_seen: the earliest time one of its copies was seen.
    """

    account: str
    name: str | None
    photos: int
    score: float
    first_seen: datetime


def profile_matches(results: tuple[CheckResult, ...] | list[CheckResult]) -> tuple[ProfileMatch, ...]:
    """The accounts that carry photos of one profile: those that carry most of them first.

    Args:
        results: what was found for each photo of the profile.
    """
    carried: dict[str, list[tuple[int, float, datetime, str | None]]] = {}
    for place, result in enumerate(results):
        for match in result:
            if match.evidence.kind.is_copy and match.photo.account:
                one = (place, match.evidence.score, match.photo.seen_at, match.photo.name)
                carried.setdefault(match.photo.account, []).append(one)
    found = [
        ProfileMatch(
            account=account,
            name=next((name for *_, name in some if name), None),
            photos=len({place for place, *_ in some}),
            score=max(score for _, score, *_ in some),
            first_seen=min(seen_at for _, _, seen_at, _ in some),
        )
        for account, some in carried.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.photos, -one.score, one.first_seen, one.account)))


@dataclass(frozen=True, slots=True)
class ModeratorFigures:
    """What one moderator has decided.

    Attributes:
        by: who.
        decisions: how many, undoings left out.
        overturned: how many of them somebody took back, or decided otherwise later.
        median_seconds: from opening a ring to deciding on it; ``None`` where that is not known of any.
    """

    by: str
    decisions: int
    overturned: int
    median_seconds: float | None
