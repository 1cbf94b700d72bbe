"""Check photos against an index."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch.clustering.nodes import in_orientations
from imgmatch.describing.messages import DescribedPicture, Description, job_of
from imgmatch.hashers.hexform import from_hex
from imgmatch.matching.checking import Checker
from imgmatch.matching.verification import CheckOptions
from imgmatch.model import FINGERPRINT_BYTES, ORIENTATIONS, NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from imgmatch.catalog.extent import SearchExtent
    from imgmatch.describing.messages import Reply
    from imgmatch.engines.parts import Parts
    from imgmatch.features.pair_model import PairModel
    from imgmatch.model import CheckResult

    Batch = list[tuple[NamedPhoto, Reply]]

_FIRST, _CHECKED_AT_ONCE = 4, 32
"""Photos of the first batch, each other having twice as many as the one before, up to so many: who waits for one answer
has it soon, and nobody waits for the last batch alone."""

_ANSWERED_AT_ONCE = 2
"""Batches. A third of an answer is numpy, OpenCV and compiled loops, which another thread need not wait for; the other
cores describe photos."""

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

    def answers(batch: Batch, known: SearchExtent | None) -> list[CheckResult]:
        return checker.answers(batch, wanted, rule, known)

    # A photo that was not handed in yet is asked of what there is when it is.
    yield from _answered(_batches(named), answers, extent if isinstance(photos, Sequence) else None)


def _batches(described: Iterator[tuple[NamedPhoto, Reply]]) -> Iterator[Batch]:
    size = _FIRST
    while batch := list(islice(described, size)):
        yield batch
        size = min(2 * size, _CHECKED_AT_ONCE)


def _answered(
    batches: Iterator[Batch],
    answers: Callable[[Batch, SearchExtent | None], list[CheckResult]],
    extent: SearchExtent | None,
) -> Iterator[CheckResult]:
    """The answers of all batches in order, while the next ones are answered and those after them described.

    Whether the first is asked of an ``extent`` that is known makes no difference to the others.
    """
    running: deque[Future[list[CheckResult]]] = deque()
    with ThreadPoolExecutor(_ANSWERED_AT_ONCE, "imgmatch-answers") as threads:
        try:
            for batch in batches:
                if len(batch) < _FIRST and not running:  # nothing comes after it that another thread could answer
                    yield from answers(batch, extent)
                    return
                running.append(threads.submit(answers, batch, extent))
                extent = None
                while running and (running[0].done() or len(running) > _ANSWERED_AT_ONCE):
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            for future in running:
                future.cancel()


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
