"""What became of photos that were asked about, without anything being kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from imgmatch.model.banks import BankHit
from imgmatch.model.evidence import Evidence, Match


class Status(StrEnum):
    """What a check of one photo came to."""

    MATCH = "match"
    NO_MATCH = "no_match"
    NOT_SEARCHABLE = "not_searchable"
    UNREADABLE = "unreadable"


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
        damaged: the share of the rows of a damaged query that are there, up to 1; ``None`` for a whole one. It was
            searched with that part.
        banks: entries of banks that it hits, the likeliest first. A hit on a bank of stolen pictures is a match,
            with or without an account; others are told and no more.
        incomplete: parts of the index that did not answer in time, such as ``shard 2 of 4``: there may be more matches.
            Empty where all of it was searched.
    """

    photo: str
    status: Status
    reason: str | None = None
    accounts: int = 0
    truncated: bool = False
    matches: tuple[Match, ...] = ()
    damaged: float | None = None
    banks: tuple[BankHit, ...] = ()
    incomplete: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two photos side by side.

    Attributes:
        query: the first photo.
        stored: the second photo; the evidence reads as if it were in an index.
        is_match: whether a check would call them copies.
        evidence: what speaks for it, whether or not it is a match; ``distance`` is the least over the eight
            orientations.
        frame: the frame of the second photo that is meant, from 1; ``None`` where that does not move.
        query_frame: that of the first photo, likewise.
        query_damaged: the share of the rows of a damaged first photo that are there, up to 1; ``None`` for a whole one.
        stored_damaged: likewise of the second photo.
    """

    query: str
    stored: str
    is_match: bool
    evidence: Evidence
    frame: int | None = None
    query_frame: int | None = None
    query_damaged: float | None = None
    stored_damaged: float | None = None


@dataclass(frozen=True, slots=True)
class HashedFrame:
    """One picture of a moving photo.

    Attributes:
        frame: its number, from 1.
        share: of the time, 0..1, that a viewer shows it or a frame that looks alike.
        fingerprints: as of :class:`Hashed`.
    """

    frame: int
    share: float
    fingerprints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hashed:
    """A photo's fingerprints, as 64 hexadecimal digits under each hasher's name, or why it has none.

    ``width``, ``height`` (pixels, upright), ``format`` and ``quality`` (PDQ's, 0..100) are ``None`` for a photo that
    could not be used. Of a moving picture the fingerprints are those of the frame that is shown longest, and ``frames``
    holds every frame that stands for it, that one first; it is empty for a still photo.
    ``damaged`` is the share of the rows of a damaged photo that are there, up to 1, and ``None`` for a whole one; all
    else is of that part.
    """

    photo: str
    fingerprints: Mapping[str, str]
    quality: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    reason: str | None = None
    frames: tuple[HashedFrame, ...] = ()
    damaged: float | None = None
