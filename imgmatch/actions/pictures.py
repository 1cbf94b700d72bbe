"""Pictures for a person to look at: decoded by the workers, from the files as they are now."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from imgmatch import registry
from imgmatch.actions.queries import named_photo
from imgmatch.catalog.lookups import files_of, frames_of
from imgmatch.describing.messages import Job, Viewed
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.features.record import opened_thumbnail
from imgmatch.imaging.sizes import SHOWN_SIDE
from imgmatch.model import Failure, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgmatch.actions.queries import PhotoLike
    from imgmatch.catalog.rows import PhotoFile
    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Runner
    from imgmatch.engines.parts import Parts
    from imgmatch.model import NamedPhoto

Key = TypeVar("Key", bound="str | tuple[str, int]")


def view_photos(
    photos: Iterable[PhotoLike], *, side: int = SHOWN_SIDE, frames: Sequence[int | None] = ()
) -> Iterator[Picture]:
    """Each photo as it can be shown, in order, without an index; its longer side has ``side`` pixels at the most.

    Of moving pictures the frames of these numbers are shown, in the order of the photos; the first where none is named.
    """
    with open_runner(registry.DEFAULT_RUNNER, 1, Settings()) as runner:
        yield from viewed(runner, map(named_photo, photos), side, frames)


def viewed(
    runner: Runner, photos: Iterable[NamedPhoto], side: int = SHOWN_SIDE, frames: Sequence[int | None] = ()
) -> Iterator[Picture]:
    """The same by a runner that is there already."""
    asked = zip(photos, chain(frames, repeat(None)), strict=False)
    for _, reply in runner.describe(asked, lambda item: _view_job(*item, side)):
        yield _picture(reply)


def stored_pictures(parts: Parts, keys: Iterable[Key], *, side: int = SHOWN_SIDE) -> dict[Key, Picture]:
    """The pictures of stored photos: from their files, or else the thumbnails that are kept.

    Their longer side has ``side`` pixels at the most. A photo that is not in the index is left out, and so is a frame
    that is not kept.

    Args:
        parts: of the index.
        keys: the id of a photo, for its first picture, or that with the number of a frame.
        side: see above.
    """
    wanted = list(dict.fromkeys(keys))
    moving = {key[0] for key in wanted if not isinstance(key, str)}
    with parts.catalog.read() as session:
        still, frames = files_of(session, [key for key in wanted if isinstance(key, str)]), frames_of(session, moving)
    files = ((key, still.get(key) if isinstance(key, str) else frames.get(key)) for key in wanted)
    there = [(key, file) for key, file in files if file is not None]
    shown = {}
    for (key, file), reply in parts.runner.describe(
        there, lambda item: Job(item[1].path, view=side, frame=item[1].frame)
    ):
        if isinstance(reply, Viewed) and reply.sha256 == file.sha256:
            shown[key] = _picture(reply)
        else:
            why = "the file has changed" if isinstance(reply, Viewed) else "the file cannot be read"
            shown[key] = _thumbnail(file, why, side)
    return shown


def _view_job(photo: NamedPhoto, frame: int | None, side: int) -> Job | Failure:
    if isinstance(photo.content, Failure):
        return photo.content
    return Job(photo.content, view=side, root=photo.root, frame=frame)


def _picture(reply: Reply) -> Picture:
    if isinstance(reply, Viewed):
        return Picture(reply.jpeg, reply.width, reply.height)
    return Picture(None, note=str(reply))


def _thumbnail(file: PhotoFile, why: str, side: int) -> Picture:
    """The thumbnail enlarged: on a page it stands beside a picture of full size."""
    if not file.thumbnail:
        return Picture(None, note=f"{why}, and no thumbnail is kept")
    small = opened_thumbnail(file.thumbnail)
    if small is None:
        return Picture(None, note=f"{why}, and the stored thumbnail is damaged")
    scale = side / max(small.shape)
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    _, jpeg = cv2.imencode(".jpg", np.asarray(large, np.uint8))
    return Picture(jpeg.tobytes(), large.shape[1], large.shape[0], f"{why}; this is the stored thumbnail")
