"""What the comparison of two pictures comes to, in the words of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.features.verify import FAR
from imgmatch.imaging.panels import area, in_photo
from imgmatch.model import (
    FINGERPRINT_BYTES,
    ORIENTATIONS,
    WITH_NEGATIVES,
    Evidence,
    Kind,
    Orientation,
    Outline,
    outline_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.describing.messages import DescribedPicture, Description
    from imgmatch.features.verify import Verified

EXACT = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
"""The evidence for photos of the same bytes or the same pixels."""

RELATED_POINTS, RELATED_SHARE, RELATED_OVERLAP = 15, 0.6, 0.4
"""From which a picture that is no copy is another shot of the same moment; see :func:`is_related`."""


TEMPLATE_POINTS, TEMPLATE_SHARE, TEMPLATE_OVERLAP = 8, 0.25, 0.6
"""From which a picture that is no copy is in the same template; see :func:`is_template`."""

_ALL: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

MOST_PHOTO, MOST_PHOTO_SHARE = 0.25, 0.5
"""Up to which what agrees is drawn."""


@dataclass(frozen=True, slots=True)
class Near:
    """The least distance, in bits, of a stored fingerprint to a query, and the orientation that gave it.

    The orientation is an index into ``model.WITH_NEGATIVES``: the query is the stored photo in that.
    """

    distance: int
    orientation: int

    @property
    def negative(self) -> bool:
        """Whether it was a complement of the query's fingerprint, as its negative has it, that is so near."""
        return self.orientation >= len(ORIENTATIONS)

    @property
    def turn(self) -> Orientation:
        """The orientation."""
        return WITH_NEGATIVES[self.orientation]


def nearest_of(turned: bytes, bits: bytes) -> Near:
    """How near two fingerprints are; ``turned`` holds the query's in all orientations."""
    distances = np.bitwise_count(
        np.frombuffer(turned, np.uint8).reshape(-1, FINGERPRINT_BYTES) ^ np.frombuffer(bits, np.uint8)
    ).sum(axis=1)
    best = int(distances.argmin())
    return Near(int(distances[best]), best)


def nearest_negative_of(turned: bytes, bits: bytes) -> Near:
    """How near a fingerprint is to that of a query's negative, in whichever orientation."""
    near = nearest_of(complement(turned), bits)
    return Near(near.distance, len(ORIENTATIONS) + near.orientation)


def complement(prints: bytes) -> bytes:
    """Fingerprints of negatives: bits say what is lighter, or rises, and there that is what is not.

    So it is but for ties, and for ``phash`` but for the constant term, which differs by some two bits.
    """
    return (~np.frombuffer(prints, np.uint8)).tobytes()


def apart(turned: NDArray[np.uint8], bits: bytes | None) -> float:
    """Bits between a stored fingerprint and a query's in the orientation that is nearest; ``turned``: (8, 32)."""
    if bits is None:
        return FAR
    return float(np.bitwise_count(turned ^ np.frombuffer(bits, np.uint8)).sum(axis=1).min())


def evidence_of(verified: tuple[float, Verified], kind: Kind, near: Near | None = None) -> Evidence:
    """What the verification of a picture comes to."""
    score, found = verified
    figures = found.figures
    evidence = Evidence(
        kind,
        round(score, 4),
        None,
        found.mirrored,
        found.rotation if found.mirrored else -found.rotation % 360,
        round(figures.overlap_stored, 4),
        None if np.isnan(figures.share) else round(figures.share, 4),
        outline_of(found.outline_query),
        outline_of(found.outline_stored),
        found.negative,
    )
    if near is None:
        return evidence
    return replace(evidence, distance=near.distance, mirrored=near.turn.mirrored, rotation=near.turn.rotation)


def turned_back(turn: Orientation) -> int:
    """Degrees clockwise by which the query, mirrored again if it was, is turned to lie as the stored photo does.

    It was mirrored before it was turned; mirrored again, it looks as if turned the other way.
    """
    return turn.rotation if turn.mirrored else -turn.rotation % 360


def of_photos(evidence: Evidence, query: Outline | None, stored: Outline | None) -> Evidence:
    """What was found of two pictures, said of the photos that they are panels of.

    Args:
        evidence: of the pictures.
        query: where the first one lies in its photo; ``None`` where it is all of it.
        stored: likewise of the second one.
    """
    if query is None and stored is None:
        return evidence
    copies = evidence.kind in {Kind.EXACT, Kind.NEAR}
    overlap = 1.0 if evidence.overlap is None and copies else evidence.overlap
    return replace(
        evidence,
        kind=Kind.PARTIAL if copies else evidence.kind,
        distance=None,
        overlap=overlap if stored is None or overlap is None else round(overlap * area(stored), 4),
        outline_query=_in_photo(query, evidence.outline_query),
        outline_stored=_in_photo(stored, evidence.outline_stored),
    )


class PictureRole(Enum):
    """What a picture is of its photo: all there is, a page that has panels, or one of these."""

    PHOTO = "photo"
    PAGE = "page"
    PANEL = "panel"


def role_of(picture: DescribedPicture, photo: Description) -> PictureRole:
    """What one of the pictures of a photo is."""
    if picture.panel is not None:
        return PictureRole.PANEL
    return PictureRole.PAGE if any(one.panel is not None for one in photo.pictures) else PictureRole.PHOTO


def says_enough(one: PictureRole, other: PictureRole) -> bool:
    """Whether two pictures that are copies say something of their photos.

    Two pages may show one advertisement, cover or friend and have nothing else in common: a panel makes a match with
    a photo that is no page, and a page with another page as a whole.
    """
    return PictureRole.PHOTO in {one, other} or one is other is PictureRole.PAGE


def telling_pairs(query: Description, stored: Description) -> list[tuple[DescribedPicture, DescribedPicture]]:
    """The pictures of two photos that say something of them, if they are copies."""
    return [
        (one, other)
        for one, other in product(query.pictures, stored.pictures)
        if says_enough(role_of(one, query), role_of(other, stored))
    ]


def _in_photo(panel: Outline | None, part: Outline | None) -> Outline:
    """Where a part of a picture lies in its photo; without a part, which is all of the picture."""
    return (part or _ALL) if panel is None else in_photo(panel, part or _ALL)


def is_related(verified: tuple[float, Verified]) -> bool:
    """Whether a picture that is no copy is another shot of the same moment.

    Many points agree over much of both pictures, and so do most windows: more than a shared flag, room or a chance
    alignment of two faces gives, less than a copy would. The bounds were chosen by looking at what they let through
    (BENCHMARKS.md, "edits").
    """
    figures = verified[1].figures
    return (
        figures.points >= RELATED_POINTS
        and figures.share >= RELATED_SHARE
        and min(figures.overlap_stored, figures.overlap_query) >= RELATED_OVERLAP
    )


def is_template(verified: tuple[float, Verified]) -> bool:
    """Whether a picture that is no copy is the same card, frame or page, filled in otherwise.

    Both lie frame on frame and a part agrees, but little of that is photographed, or most of what is photographed does
    not.
    """
    figures = verified[1].figures
    return (
        figures.points >= TEMPLATE_POINTS
        and figures.share >= TEMPLATE_SHARE
        and min(figures.overlap_stored, figures.overlap_query) >= TEMPLATE_OVERLAP
        and figures.photo < MOST_PHOTO
        and not figures.photo_share >= MOST_PHOTO_SHARE  # which is not known where nothing is photographed
    )


def no_copy(verified: tuple[float, Verified]) -> Kind | None:
    """What a picture that is no copy is to the query, if anything."""
    if is_template(verified):
        return Kind.TEMPLATE
    return Kind.RELATED if is_related(verified) else None
