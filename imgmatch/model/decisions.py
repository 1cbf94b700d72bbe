"""What moderators decide, and what scores learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from imgmatch.model.photos import NamedPhoto

FORECAST_SAMPLE = 300
"""Stored photos that are checked against the others for a forecast."""


class Verdict(StrEnum):
    """What a moderator said."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"
    COMMON = "common"
    UNDO = "undo"
    """An earlier decision does not count any more."""


RING_VERDICTS = tuple(str(one) for one in Verdict if one is not Verdict.UNDO)
"""What may be said of a ring."""


class DecisionKind(StrEnum):
    """What a decision is about."""

    PAIR = "pair"
    GROUP = "group"
    RING = "ring"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a moderator said: appended, never rewritten.

    Attributes:
        number: of the decision, rising.
        decided_at: when, in UTC.
        verdict: ``confirm``, ``dismiss``, ``common`` or ``undo``.
        kind: what it is about: ``pair``, ``group``, ``ring`` or, of an ``undo``, ``decision``.
        subject: the ids of it; ``None`` once what they name was erased.
        by: who said so.
        reason: why, if it was said.
        photos: how many photos it is about.
        undone_by: the number of the decision that took it back; ``None`` where it counts.
    """

    number: int
    decided_at: datetime
    verdict: Verdict
    kind: DecisionKind
    subject: str | None
    by: str
    reason: str | None
    photos: int
    undone_by: int | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two photos and whether a person found them to be copies of one picture."""

    query: NamedPhoto
    stored: NamedPhoto
    copy: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """What this index will answer.

    Attributes:
        accept: score from which a check calls a candidate a copy.
        pairs: labelled pairs the scores are calibrated on; 0 for what ships.
        unusable: labelled pairs of which a photo could not be read, or which share nothing that could be scored.
        sampled: stored photos that were checked against the others for this.
        false_per_1000_checks: answers to expect that are wrong, by the scores they are given.
        checks: checks a night.
        false_a_night: the same for these.
    """

    accept: float
    pairs: int
    unusable: int
    sampled: int
    false_per_1000_checks: float
    checks: int
    false_a_night: float
