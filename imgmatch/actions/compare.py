"""The evidence for one pair of photos, without an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions.pictures import Picture, pictures
from imgmatch.describing.messages import Description
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.errors import PhotoError, SkipReason
from imgmatch.matching.evidence import EXACT
from imgmatch.matching.verification import Verifier
from imgmatch.model import Evidence

if TYPE_CHECKING:
    from imgmatch.describing.messages import NamedPhoto


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two photos side by side.

    Attributes:
        query: the first photo.
        stored: the second photo; the evidence reads as if it were in an index.
        is_match: whether a check would call them copies.
        evidence: what speaks for it, whether or not it is a match; ``distance`` is the least over the eight
            orientations.
    """

    query: str
    stored: str
    is_match: bool
    evidence: Evidence


def compare(query: NamedPhoto, stored: NamedPhoto, *, max_distance: int | None = None) -> Comparison:
    """Compare two photos as a check of a new index would.

    Raises:
        PhotoError: one of them cannot be used; the message names it.
    """
    name = registry.DEFAULT_HASHERS[0]
    allowed = registry.hasher(name).profile.max_distance if max_distance is None else max_distance
    first, second = _describe(query, stored, name)
    if first.sha256 == second.sha256 or first.pixels == second.pixels:
        return Comparison(query.name, stored.name, is_match=True, evidence=EXACT)
    verifier = Verifier(registry.DEFAULT_CODEBOOK, name)
    evidence = verifier.pair(first, second, allowed)
    return Comparison(query.name, stored.name, verifier.accepts(evidence, allowed), evidence)


def compared_pictures(query: NamedPhoto, stored: NamedPhoto) -> tuple[Picture, Picture]:
    """Both photos as they can be shown."""
    with WorkerPool(1, Settings()) as pool:
        first, second = pictures(pool, (query, stored))
    return first, second


def _describe(query: NamedPhoto, stored: NamedPhoto, hasher: str) -> tuple[Description, Description]:
    described = []
    asked = ((query, query.job(query=True)), (stored, stored.job()))
    with WorkerPool(1, Settings((hasher,))) as pool:
        for (photo, _), reply in pool.describe(asked, lambda item: item[1]):
            if not isinstance(reply, Description):
                detail = getattr(reply, "detail", "")
                raise PhotoError(getattr(reply, "reason", SkipReason.UNREADABLE), f"{photo.name}: {detail}")
            described.append(reply)
    first, second = described
    return first, second
