"""Fingerprints of photos, without an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.describing.messages import Description, job_of
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.model import Hashed, NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def hash_photos(photos: Iterable[NamedPhoto], hashers: tuple[str, ...], *, workers: int = 1) -> Iterator[Hashed]:
    """Hash each photo, in the order given.

    Raises:
        UnknownNameError: there is no such hasher.
    """
    for name in hashers:
        registry.hasher(name)
    with open_runner(registry.DEFAULT_RUNNER, workers, Settings(hashers)) as runner:
        for photo, reply in runner.describe(photos, job_of):
            if isinstance(reply, Description):
                prints = {name: bits.hex() for name, bits in reply.fingerprints.items()}
                yield Hashed(photo.name, prints, reply.quality, reply.width, reply.height, reply.format)
            else:
                yield Hashed(photo.name, {}, reason=str(reply))
