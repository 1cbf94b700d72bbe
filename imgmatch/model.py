"""The words of imgmatch as plain frozen values. Standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from os import PathLike, fspath
from pathlib import Path

FINGERPRINT_BITS = 256
FINGERPRINT_BYTES = FINGERPRINT_BITS // 8


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


class Status(StrEnum):
    """What a check of one photo came to."""

    MATCH = "match"
    NO_MATCH = "no_match"
    NOT_SEARCHABLE = "not_searchable"
    UNREADABLE = "unreadable"


class Depth(StrEnum):
    """What is computed for each photo."""

    FINGERPRINT = "fingerprint"
    FULL = "full"


class Kind(StrEnum):
    """How a match was found."""

    EXACT = "exact"
    NEAR = "near"
    PARTIAL = "partial"
    RELATED = "related"


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways a picture can be turned and mirrored.

    A picture in this orientation is the upright one, first mirrored left to right if ``mirrored``, then turned
    clockwise by ``rotation`` degrees (0, 90, 180 or 270).
    """

    mirrored: bool
    rotation: int


ORIENTATIONS: tuple[Orientation, ...] = tuple(
    Orientation(mirrored, rotation) for mirrored in (False, True) for rotation in (0, 90, 180, 270)
)
"""The eight orientations in the order every array of eight in this package uses; the first is the picture as it is."""


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo on its way into an index.

    Attributes:
        account: opaque id of the owner.
        path: absolute path of the file.
        label: the short name shown to people, such as ``a17/1.jpg``.
        photo_id: stable id, unique in the index.
        name: display name of the account, if known.
        seen_at: when the photo was first seen, with a time zone; ``None`` takes the file's modification time.
        attributes: other columns of the manifest, kept with the account.
        line: line (or row) of the manifest it came from, counted from 1.
    """

    account: str
    path: Path
    label: str
    photo_id: str
    name: str | None = None
    seen_at: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None

    @classmethod
    def at(
        cls,
        path: str | PathLike[str],
        *,
        account: str,
        name: str | None = None,
        seen_at: datetime | None = None,
        photo_id: str | None = None,
    ) -> NewPhoto:
        """A file on an account; without ``photo_id`` it gets the one derived from account and absolute path.

        Raises:
            ValueError: ``seen_at`` has no time zone.
        """
        if seen_at is not None and seen_at.tzinfo is None:
            raise ValueError("seen_at needs a time zone")
        absolute = Path(path).absolute()
        return cls(account, absolute, fspath(path), photo_id or derived_photo_id(account, str(absolute)), name, seen_at)


def derived_photo_id(account: str, path: str) -> str:
    """The id of a photo that came without one: the same account and absolute path give the same id on every run.

    20 hexadecimal digits, the first 80 bits of a SHA-256.
    """
    return hashlib.sha256(f"{account}\0{path}".encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo or manifest line that was not used, and why."""

    photo: str
    reason: SkipReason
    detail: str
    account: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo in an index: one picture on one account, first seen at a time."""

    account: str
    photo: str
    photo_id: str
    name: str | None
    seen_at: datetime
    bank: str | None = None


Outline = tuple[tuple[float, float], ...]
"""Corners (x, y) of a part of a picture, as shares of its width and height, in order round the part."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two photos are held to be copies of one picture.

    Attributes:
        kind: ``exact`` (same bytes or same pixels), ``near`` (fingerprints), ``partial`` (local features) or
            ``related`` (another shot of the same moment: no copy, and given only on request).
        score: probability that the two are copies of one picture, 0..1, 1 is certain.
        distance: Hamming distance of the fingerprints in bits, or ``None`` where they are too far apart to tell.
        mirrored: the query is mirrored left to right against the stored photo.
        rotation: degrees clockwise the query is turned against the stored photo, after mirroring.
        overlap: share of the stored photo seen in the query, 0..1, or ``None`` where it was not measured.
        agreement: share of the overlap that looks alike once aligned, 0..1, or ``None`` where it was not measured.
        outline_query: the shared part in the query, or ``None`` where it was not measured.
        outline_stored: the shared part in the stored photo; its corners are those of ``outline_query``, in that order.
    """

    kind: Kind
    score: float
    distance: int | None
    mirrored: bool
    rotation: int
    overlap: float | None = None
    agreement: float | None = None
    outline_query: Outline | None = None
    outline_stored: Outline | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A stored photo that is a copy of the query, with the evidence."""

    photo: Photo
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check of one photo found; iterating gives its matches, best first.

    Attributes:
        photo: the query, as it was named.
        status: what the check came to.
        reason: why the photo could not be searched or read, else ``None``.
        accounts: how many distinct accounts match, also those beyond the limit.
        truncated: the limit left some accounts out of ``matches``.
        matches: photos of the best accounts; those of one account stand together.
    """

    photo: str
    status: Status
    reason: str | None = None
    accounts: int = 0
    truncated: bool = False
    matches: tuple[Match, ...] = ()

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan did, in photos."""

    added: int
    updated: int
    unchanged: int
    removed: int
    skipped: int
    seconds: float

    @property
    def photos_per_second(self) -> float:
        """Photos looked at per second of wall time, unchanged and skipped ones included."""
        looked_at = self.added + self.updated + self.unchanged + self.skipped
        return looked_at / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that are copies of one picture, gathered round one of them.

    Attributes:
        group: id, the ``photo_id`` of the earliest photo.
        medoid: the photo all others are near to.
        photos: all of them, the earliest first.
        accounts: the distinct accounts, in the order they had it.
        common: on so many accounts (a default avatar) that it ties nobody.
    """

    group: str
    medoid: Photo
    photos: tuple[Photo, ...]
    accounts: tuple[str, ...]
    common: bool


@dataclass(frozen=True, slots=True)
class RingAccount:
    """An account in a ring, with the time it first showed one of the shared photos."""

    account: str
    name: str | None
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class Ring:
    """Accounts tied together by shared groups.

    Attributes:
        ring: id that stays when later accounts join.
        accounts: the accounts, in the order they first showed a shared photo.
        groups: the groups that tie them.
        first_account: the account that had a shared photo first (it may be the victim).
        names: the distinct display names in use.
        opened_at: when a second account first showed a shared photo.
        new: not in an earlier report; ``None`` where no reports are kept.
        decision: what a moderator said of it; ``None`` if nothing yet.
    """

    ring: str
    accounts: tuple[RingAccount, ...]
    groups: tuple[Group, ...]
    first_account: str
    names: tuple[str, ...]
    opened_at: datetime
    new: bool | None = None
    decision: str | None = None
