"""The evidence for one pair of photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions.queries import named_photo
from imgmatch.catalog.calibrations import latest_calibration
from imgmatch.describing.messages import Description, job_of
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.errors import PhotoError, SkipReason
from imgmatch.features import pair_model as rules
from imgmatch.matching.evidence import EXACT, of_photos, telling_pairs
from imgmatch.matching.verification import Verifier, calibrated
from imgmatch.model import Comparison

if TYPE_CHECKING:
    from imgmatch.actions.queries import PhotoLike
    from imgmatch.describing.messages import DescribedPicture
    from imgmatch.describing.runner import Runner
    from imgmatch.engines.parts import Parts
    from imgmatch.model import Evidence, NamedPhoto


def compare(query: PhotoLike, stored: PhotoLike, *, max_distance: int | None = None) -> Comparison:
    """Compare two photos without an index: as a check of a new one would.

    Raises:
        PhotoError: one of them cannot be used; the message names it.
    """
    hasher = registry.DEFAULT_HASHERS[0]
    with open_runner(registry.DEFAULT_RUNNER, 1, Settings((hasher,))) as runner:
        return _compared(runner, query, stored, Verifier(registry.DEFAULT_CODEBOOK, hasher), hasher, max_distance)


def compare_in(parts: Parts, query: PhotoLike, stored: PhotoLike, *, max_distance: int | None = None) -> Comparison:
    """Compare two photos as a check of this index would: by its hasher, at its depth, as it was last calibrated.

    Raises:
        PhotoError: one of them cannot be used; the message names it.
    """
    with parts.catalog.read() as session:
        rule = calibrated(rules.shipped(), latest_calibration(session))
    verifier = Verifier(parts.codebook, parts.hasher_name, rule)
    return _compared(parts.runner, query, stored, verifier, parts.hasher_name, max_distance)


def _compared(
    runner: Runner,
    query: PhotoLike,
    stored: PhotoLike,
    verifier: Verifier,
    hasher: str,
    max_distance: int | None,
) -> Comparison:
    one, other = named_photo(query), named_photo(stored)
    first, second = _described(runner, one, other)
    pairs = telling_pairs(first, second)
    equal = pairs if first.sha256 == second.sha256 else [pair for pair in pairs if pair[0].pixels == pair[1].pixels]
    if equal:
        shown, known = equal[0]
        return Comparison(
            one.name,
            other.name,
            is_match=True,
            evidence=EXACT,
            frame=known.frame,
            query_frame=shown.frame,
            query_damaged=first.damaged,
            stored_damaged=second.damaged,
        )
    allowed = registry.hasher(hasher).profile.max_distance if max_distance is None else max_distance
    found = [(verifier.pair(*pair, allowed), *pair) for pair in pairs]

    def rank(item: tuple[Evidence, DescribedPicture, DescribedPicture]) -> tuple[bool, bool, bool, float]:
        evidence, *pictures = item
        accepted = verifier.accepts(evidence, allowed)
        # Of photos that are no copies the whole pictures are told of.
        told = accepted or all(picture.panel is None for picture in pictures)
        return accepted, told, evidence.kind.is_copy, evidence.score

    evidence, shown, known = max(found, key=rank)
    matches = verifier.accepts(evidence, allowed)
    evidence = of_photos(evidence, shown.panel, known.panel)
    return Comparison(one.name, other.name, matches, evidence, known.frame, shown.frame, first.damaged, second.damaged)


def _described(runner: Runner, query: NamedPhoto, stored: NamedPhoto) -> tuple[Description, Description]:
    asked = ((query, job_of(query, query=True)), (stored, job_of(stored)))
    described = []
    for (photo, _), reply in runner.describe(asked, lambda item: item[1]):
        if not isinstance(reply, Description):
            detail = getattr(reply, "detail", "")
            raise PhotoError(getattr(reply, "reason", SkipReason.UNREADABLE), f"{photo.name}: {detail}")
        described.append(reply)
    first, second = described
    return first, second
