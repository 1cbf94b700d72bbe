"""Check photos against an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.catalog.chunks import chunks
from imgmatch.catalog.row_counts import row_count
from imgmatch.describing.messages import job_of
from imgmatch.matching.checking import Checker
from imgmatch.model import NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.engines.parts import Parts
    from imgmatch.features.pair_model import PairModel
    from imgmatch.matching.verification import CheckOptions
    from imgmatch.model import CheckResult

_CHECKED_AT_ONCE = 64


def check(
    parts: Parts, photos: Iterable[NamedPhoto], wanted: CheckOptions, *, rule: PairModel | None = None
) -> Iterator[CheckResult]:
    """The answer for each photo, in order; photos are read only a few batches ahead.

    Args:
        parts: of the index.
        photos: under the names their answers carry.
        wanted: what to show of what is found.
        rule: what judges candidates; ``None`` takes what ships, as it was last calibrated.
    """
    parts.runner.warm_up()
    checker = Checker(parts.catalog, parts.fingerprints, parts.features, parts.header)
    with parts.catalog.read() as session:
        features = row_count(session, "features") > 0  # where no photo has any, the query needs none
    described = parts.runner.describe(photos, lambda photo: job_of(photo, query=True, features=features))
    # A batch goes without the bytes of its photos: what was fetched or unpacked need not be held until it is answered.
    named = ((NamedPhoto(photo.name, b""), reply) for photo, reply in described)
    for batch in chunks(named, _CHECKED_AT_ONCE):
        yield from checker.answers(batch, wanted, rule)
