"""Check photos against an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch.catalog.chunks import chunks
from imgmatch.clustering.nodes import in_orientations
from imgmatch.describing.messages import DescribedPicture, Description, job_of
from imgmatch.hashers.hexform import from_hex
from imgmatch.matching.checking import Checker
from imgmatch.matching.verification import CheckOptions
from imgmatch.model import FINGERPRINT_BYTES, ORIENTATIONS, NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.engines.parts import Parts
    from imgmatch.features.pair_model import PairModel
    from imgmatch.model import CheckResult

_CHECKED_AT_ONCE = 64
_NOISE_SIDE = 256


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
    parts.listening.asked()
    checker = Checker(parts.catalog, parts.search, parts.banks, parts.header)
    extent = parts.search.extent()
    features = extent.last["features"] > 0  # where no photo has any, the query needs none
    described = parts.runner.describe(photos, lambda photo: job_of(photo, query=True, features=features))
    # A batch goes without the bytes of its photos: what was fetched or unpacked need not be held until it is answered.
    named = ((NamedPhoto(photo.name, b""), reply) for photo, reply in described)
    # A photo that was not handed in yet is asked of what there is when it is.
    known = extent if isinstance(photos, Sequence) else None
    for batch in chunks(named, _CHECKED_AT_ONCE):
        yield from checker.answers(batch, wanted, rule, known)
        known = None


def check_fingerprint(parts: Parts, fingerprint: str, wanted: CheckOptions) -> CheckResult:
    """Which accounts carry a picture of this fingerprint, in any of the eight orientations; nothing can be verified.

    Args:
        parts: of the index.
        fingerprint: 64 hexadecimal digits, by the hasher that is searched.
        wanted: what to show of what is found.

    Raises:
        ValueError: it is no fingerprint.
    """
    bits, name = from_hex(fingerprint).tobytes(), parts.hasher_name
    turned = in_orientations(parts.hasher, np.frombuffer(bits, np.uint8)[None])[:, 0]
    turned = np.resize(turned, (len(ORIENTATIONS), FINGERPRINT_BYTES))  # one that cannot be turned is asked as it is
    picture = DescribedPicture(b"", {name: bits}, {name: np.ascontiguousarray(turned).tobytes()})
    asked = Description(b"", 0, 0, "", 0, (picture,))
    checker = Checker(parts.catalog, parts.search, parts.banks, parts.header)
    [result] = checker.answers([(NamedPhoto(fingerprint, b""), asked)], wanted, None)
    return result


def warm_up(parts: Parts) -> None:
    """Check a picture of noise: workers start, engines are read, and the first to ask waits no longer than others.

    What others write later is read when the catalog tells of it.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_SIDE, _NOISE_SIDE), np.uint8)
    _, png = cv2.imencode(".png", noise)
    for _ in check(parts, [NamedPhoto("noise", png.tobytes())], CheckOptions()):
        pass
    parts.listening.begin()
