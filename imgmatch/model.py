"""The words of imgmatch as plain frozen values. Standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imgmatch.errors import SkipReason as SkipReason  # noqa: PLC0414 -- given out again from here

if TYPE_CHECKING:
    from concurrent.futures import Future

FINGERPRINT_BITS = 256
FINGERPRINT_BYTES = FINGERPRINT_BITS // 8


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


class Verdict(StrEnum):
    """What a moderator said."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"
    COMMON = "common"


class DecisionKind(StrEnum):
    """What a decision is about."""

    PAIR = "pair"
    GROUP = "group"
    RING = "ring"


class Change(StrEnum):
    """What has become of a ring since the last report."""

    NEW = "new"
    GROWN = "grown"
    SHRUNK = "shrunk"
    MERGED = "merged"
    SPLIT = "split"
    PICTURES = "pictures"
    GONE = "gone"


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
class Told:
    """What is told of a remote photo without fetching it.

    Attributes:
        size: in bytes; ``None`` where it is not told.
        tag: changes with the photo and fits where a local file has its time: a hash of the ETag, or else the
            modification time in ns; ``None`` where neither is told.
        modified_ns: when it was modified, in ns since 1970; ``None`` where it is not told.
    """

    size: int | None = None
    tag: int | None = None
    modified_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole of a remote photo, and what was told of it along with it."""

    data: bytes
    told: Told


class RemoteFile(Protocol):
    """Where a photo lies that no path of this machine leads to: ``str`` of it is its URL, without credentials."""

    @property
    def lanes(self) -> int:
        """How many such photos can be fetched at once."""

    def look(self) -> Future[Told]:
        """What is told of it; a ``PhotoError`` where that cannot be found out."""

    def fetch(self) -> Future[Fetched]:
        """All of it; a ``PhotoError`` where it cannot be had whole."""


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo on its way into an index.

    Attributes:
        account: opaque id of the owner.
        path: absolute path of the file, or where it lies if that is no file of this machine.
        label: the short name shown to people, such as ``a17/1.jpg``.
        photo_id: stable id, unique in the index.
        name: display name of the account, if known.
        seen_at: when the photo was first seen, with a time zone; ``None`` takes the file's modification time.
        attributes: other columns of the manifest, kept with the account.
        line: line (or row) of the manifest it came from, counted from 1.
    """

    account: str
    path: Path | RemoteFile
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
        common: carried by so many over so long a time (a default avatar), or known to be, that it ties nobody.
        evidence: how each of ``photos`` stands to the medoid, in the same order.
        diameter: bits that the fingerprints of two of them may be apart at the most, by their distances to the medoid;
            of those whose fingerprints tell.
        bank: the list of known pictures it is on.
        decision: what a moderator said of it last; ``None`` if nothing yet.
    """

    group: str
    medoid: Photo
    photos: tuple[Photo, ...]
    accounts: tuple[str, ...]
    common: bool
    evidence: tuple[Evidence, ...] = ()
    diameter: int = 0
    bank: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a moderator said: appended, never rewritten.

    Attributes:
        number: of the decision, rising.
        decided_at: when, in UTC.
        verdict: ``confirm``, ``dismiss`` or ``common``.
        kind: what it is about: ``pair``, ``group`` or ``ring``.
        subject: the ids of it; ``None`` once what they name was erased.
        by: who said so.
        reason: why, if it was told.
        photos: how many photos it is about.
    """

    number: int
    decided_at: datetime
    verdict: Verdict
    kind: DecisionKind
    subject: str | None
    by: str
    reason: str | None
    photos: int


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
        opened_at: when a second account first showed a shared photo; of a known picture on one account, when that did.
        new: not in the last report; ``None`` where none was made.
        decision: what a moderator said of it, or of one of its groups, last; ``None`` if nothing yet.
        accounts_per_day: how fast it spread: accounts after the first, over the days from the second to the last.
        bank: ``known-stolen`` where a moderator has confirmed one of its pictures.
        changes: what has become of it since the last report; empty if nothing, or if none was made.
        joined: accounts that were not in it then, in order.
        left: accounts that were in it then and are in no ring now, in order.
        came_from: other rings of the last report whose accounts are in it now, in order.
        went_to: other rings that hold accounts it had then, in order.
    """

    ring: str
    accounts: tuple[RingAccount, ...]
    groups: tuple[Group, ...]
    first_account: str
    names: tuple[str, ...]
    opened_at: datetime
    new: bool | None = None
    decision: str | None = None
    accounts_per_day: float = 0.0
    bank: str | None = None
    changes: tuple[Change, ...] = ()
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    came_from: tuple[str, ...] = ()
    went_to: tuple[str, ...] = ()

    @property
    def strength(self) -> int:
        """How many distinct pictures tie it."""
        return len(self.groups)
