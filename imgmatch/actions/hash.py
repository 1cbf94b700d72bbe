"""Fingerprints of photos, without an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.describing.messages import Description, NamedPhoto
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Hashed:
    """A photo's fingerprints, as 64 hexadecimal digits under each hasher's name, or why it has none.

    ``width``, ``height`` (pixels, upright), ``format`` and ``quality`` (PDQ's, 0..100) are ``None`` for a photo that
    could not be used.
    """

    photo: str
    fingerprints: Mapping[str, str]
    quality: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    reason: str | None = None


def hash_photos(photos: Iterable[NamedPhoto], hashers: tuple[str, ...], *, workers: int = 1) -> Iterator[Hashed]:
    """Hash each photo, in the order given.

    Raises:
        UnknownNameError: there is no such hasher.
    """
    for name in hashers:
        registry.hasher(name)
    with WorkerPool(workers, Settings(hashers)) as pool:
        for photo, reply in pool.describe(photos, NamedPhoto.job):
            if isinstance(reply, Description):
                prints = {name: bits.hex() for name, bits in reply.fingerprints.items()}
                yield Hashed(photo.name, prints, reply.quality, reply.width, reply.height, reply.format)
            else:
                yield Hashed(photo.name, {}, reason=str(reply))
