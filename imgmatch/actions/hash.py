"""Fingerprints of photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.actions.queries import named_photos
from imgmatch.describing.messages import Description, job_of
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.model import Hashed, HashedFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imgmatch.actions.queries import PhotoLike
    from imgmatch.describing.messages import DescribedPicture
    from imgmatch.describing.runner import Runner
    from imgmatch.model import NamedPhoto


def hash_photos(
    photos: Iterable[PhotoLike],
    hashers: tuple[str, ...] = registry.DEFAULT_HASHERS,
    *,
    workers: int = 1,
    root: Path | None = None,
) -> Iterator[Hashed]:
    """The fingerprints and quality of each photo, in order; a folder, manifest or archive stands for its photos.

    Args:
        photos: files, bytes, folders, manifests and archives, by path or URL.
        hashers: what to compute.
        workers: how many processes decode photos.
        root: refuse photos outside this folder.

    Raises:
        UnknownNameError: there is no such hasher.
        SourceError: a folder, a manifest or an archive cannot be read at all.
    """
    for name in hashers:
        registry.hasher(name)
    with open_runner(registry.DEFAULT_RUNNER, workers, Settings(hashers)) as runner:
        yield from hashed(runner, named_photos(photos, root=root))


def hashed(runner: Runner, photos: Iterable[NamedPhoto]) -> Iterator[Hashed]:
    """The fingerprints of each photo that ``runner`` computes, in order."""
    for photo, reply in runner.describe(photos, lambda photo: job_of(photo, features=False)):
        if isinstance(reply, Description):
            about = (reply.quality, reply.width, reply.height, reply.format)
            frames = tuple(_frames(reply))
            yield Hashed(photo.name, _as_digits(reply.first), *about, frames=frames, damaged=reply.damaged)
        else:
            yield Hashed(photo.name, {}, reason=str(reply))


def _frames(reply: Description) -> Iterator[HashedFrame]:
    for picture in reply.pictures:
        if picture.frame is not None:
            yield HashedFrame(picture.frame, picture.share or 0.0, _as_digits(picture))


def _as_digits(picture: DescribedPicture) -> dict[str, str]:
    return {name: bits.hex() for name, bits in picture.fingerprints.items()}
