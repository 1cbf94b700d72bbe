"""The evidence for one pair of photos, without an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.errors import PhotoError
from imgmatch.matching import Near, evidence_of
from imgmatch.model import FINGERPRINT_BYTES, Evidence
from imgmatch.workers.messages import Description
from imgmatch.workers.pool import WorkerPool
from imgmatch.workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.workers.messages import NamedPhoto


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two photos side by side.

    Attributes:
        query: the first photo.
        stored: the second photo; the evidence reads as if it were in an index.
        is_match: whether a check would call them copies.
        evidence: the least distance over the eight orientations, whether or not it is a match.
    """

    query: str
    stored: str
    is_match: bool
    evidence: Evidence


def compare(query: NamedPhoto, stored: NamedPhoto, *, max_distance: int | None = None) -> Comparison:
    """Compare two photos by the fingerprint a new index searches.

    Raises:
        PhotoError: one of them cannot be used; the message names it.
    """
    name = registry.DEFAULT_HASHERS[0]
    allowed = registry.MAX_DISTANCES[name] if max_distance is None else max_distance
    first, second = _describe((query, stored), name)
    turned = np.frombuffer(first.orientations[name], np.uint8).reshape(-1, FINGERPRINT_BYTES)
    plain = np.frombuffer(second.fingerprints[name], np.uint8)
    distances = np.bitwise_count(turned ^ plain).sum(axis=1)
    best = int(distances.argmin())
    near = Near(int(distances[best]), best)
    same = first.sha256 == second.sha256 or first.pixels == second.pixels
    return Comparison(query.name, stored.name, same or near.distance <= allowed, evidence_of(near, same=same))


def _describe(photos: Sequence[NamedPhoto], hasher: str) -> list[Description]:
    described = []
    with WorkerPool(1, Settings((hasher,))) as pool:
        for photo, reply in pool.describe(photos, lambda photo: photo.job(orientations=True)):
            if not isinstance(reply, Description):
                detail = getattr(reply, "detail", "")
                raise PhotoError(getattr(reply, "reason", "unreadable"), f"{photo.name}: {detail}")
            described.append(reply)
    return described
