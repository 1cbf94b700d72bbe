"""Why two photos are held to be copies of one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from imgmatch.model.photos import Outline, Photo

FINGERPRINT_BITS = 256
FINGERPRINT_BYTES = FINGERPRINT_BITS // 8
_WHOLE_TURN = 360


class Kind(StrEnum):
    """How a match was found."""

    EXACT = "exact"
    NEAR = "near"
    PARTIAL = "partial"
    RELATED = "related"
    TEMPLATE = "template"

    @property
    def is_copy(self) -> bool:
        """Whether it makes a match."""
        return self not in {Kind.RELATED, Kind.TEMPLATE}


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways a picture can be turned and mirrored, or the same of its negative.

    A picture in this orientation is the upright one, or its negative if ``negative``, first mirrored left to right if
    ``mirrored``, then turned clockwise by ``rotation`` degrees (0, 90, 180 or 270).
    """

    mirrored: bool
    rotation: int
    negative: bool = False


ORIENTATIONS: tuple[Orientation, ...] = tuple(
    Orientation(mirrored, rotation) for mirrored in (False, True) for rotation in (0, 90, 180, 270)
)
"""The eight orientations in the order every array of eight in this package uses; the first is the picture as it is."""

WITH_NEGATIVES: tuple[Orientation, ...] = (*ORIENTATIONS, *(replace(way, negative=True) for way in ORIENTATIONS))
"""The eight orientations and, eight places further on, each of the negative."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two photos are held to be copies of one picture.

    Attributes:
        kind: ``exact`` (same bytes, or same pixels and colours), ``near`` (fingerprints), ``partial`` (features) or
            ``related`` (another shot of the same moment) or ``template`` (another photo, or none, on the same card or
            in the same frame); these two are no copies, and given only on request.
        score: probability that the two are copies of one picture, 0..1, 1 is certain.
        distance: Hamming distance of the fingerprints in bits, or ``None`` where they are too far apart to tell.
        mirrored: the query is mirrored left to right against the stored photo.
        rotation: degrees clockwise the query is turned against the stored photo, after mirroring.
        overlap: share of the stored photo seen in the query, 0..1, or ``None`` where it was not measured.
        agreement: share of the overlap that looks alike once aligned, 0..1, or ``None`` where it was not measured.
        outline_query: the shared part in the query, or ``None`` where it was not measured.
        outline_stored: the shared part in the stored photo; its corners are those of ``outline_query``, in that order.
        negative: the query is a negative of the stored photo: what is light in one is dark in the other.
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
    negative: bool = False


def between(one: Evidence, other: Evidence) -> Evidence:
    """How a photo stands to another, where it is known how both stand to a third: kind, score and orientation alone."""
    kinds = {one.kind, other.kind}
    kind = Kind.EXACT if kinds == {Kind.EXACT} else Kind.PARTIAL if Kind.PARTIAL in kinds else Kind.NEAR
    mirrored = one.mirrored != other.mirrored
    # Undone from the other one: what is mirrored turns the other way.
    rotation = one.rotation + (other.rotation if mirrored else -other.rotation)
    negative = one.negative != other.negative
    return Evidence(kind, min(one.score, other.score), None, mirrored, rotation % _WHOLE_TURN, negative=negative)


@dataclass(frozen=True, slots=True)
class Match:
    """A stored photo that is a copy of the query, with the evidence.

    Attributes:
        photo: the stored one; its ``frame`` names the picture of it that is meant.
        evidence: why it is held to be a copy.
        query_frame: the frame of the query that it is a copy of, from 1; ``None`` where the query does not move.
    """

    photo: Photo
    evidence: Evidence
    query_frame: int | None = None

    @property
    def frame(self) -> int | None:
        """The frame of the stored photo that is meant, from 1; ``None`` where that does not move."""
        return self.photo.frame
