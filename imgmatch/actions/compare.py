"""The evidence for one pair of photos, without an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions.pictures import pictures
from imgmatch.describing.messages import Description, job_of
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.errors import PhotoError, SkipReason
from imgmatch.matching.evidence import EXACT
from imgmatch.matching.verification import Verifier
from imgmatch.model import Comparison, Picture

if TYPE_CHECKING:
    from imgmatch.model import NamedPhoto


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
    with open_runner(registry.DEFAULT_RUNNER, 1, Settings()) as runner:
        first, second = pictures(runner, (query, stored))
    return first, second


def _describe(query: NamedPhoto, stored: NamedPhoto, hasher: str) -> tuple[Description, Description]:
    described = []
    asked = ((query, job_of(query, query=True)), (stored, job_of(stored)))
    with open_runner(registry.DEFAULT_RUNNER, 1, Settings((hasher,))) as runner:
        for (photo, _), reply in runner.describe(asked, lambda item: item[1]):
            if not isinstance(reply, Description):
                detail = getattr(reply, "detail", "")
                raise PhotoError(getattr(reply, "reason", SkipReason.UNREADABLE), f"{photo.name}: {detail}")
            described.append(reply)
    first, second = described
    return first, second
