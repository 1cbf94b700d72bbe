"""Pictures for a person to look at: decoded by the workers, from the files as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch import registry
from imgmatch.actions.queries import named_photo
from imgmatch.catalog.lookups import files_of
from imgmatch.describing.messages import Job, Viewed
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.features.record import opened_thumbnail
from imgmatch.imaging.sizes import SHOWN_SIDE
from imgmatch.model import Failure, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.actions.queries import PhotoLike
    from imgmatch.catalog.rows import PhotoFile
    from imgmatch.describing.messages import Reply
    from imgmatch.describing.runner import Runner
    from imgmatch.engines.parts import Parts
    from imgmatch.model import NamedPhoto


def view_photos(photos: Iterable[PhotoLike], *, side: int = SHOWN_SIDE) -> Iterator[Picture]:
    """Each photo as it can be shown, in order, without an index; its longer side has ``side`` pixels at the most."""
    with open_runner(registry.DEFAULT_RUNNER, 1, Settings()) as runner:
        yield from viewed(runner, map(named_photo, photos), side)


def viewed(runner: Runner, photos: Iterable[NamedPhoto], side: int = SHOWN_SIDE) -> Iterator[Picture]:
    """The same by a runner that is there already."""
    for _, reply in runner.describe(photos, lambda photo: _view_job(photo, side)):
        yield _picture(reply)


def stored_pictures(parts: Parts, photo_ids: Iterable[str], *, side: int = SHOWN_SIDE) -> dict[str, Picture]:
    """The pictures of stored photos by ``photo_id``: from their files, or else the thumbnails that are kept.

    Their longer side has ``side`` pixels at the most. A photo that is not in the index is left out.
    """
    with parts.catalog.read() as session:
        files = files_of(session, list(photo_ids))
    shown = {}
    for (photo_id, file), reply in parts.runner.describe(files.items(), lambda item: Job(item[1].path, view=side)):
        if isinstance(reply, Viewed) and reply.sha256 == file.sha256:
            shown[photo_id] = _picture(reply)
        else:
            why = "the file has changed" if isinstance(reply, Viewed) else "the file cannot be read"
            shown[photo_id] = _thumbnail(file, why, side)
    return shown


def _view_job(photo: NamedPhoto, side: int) -> Job | Failure:
    return photo.content if isinstance(photo.content, Failure) else Job(photo.content, view=side, root=photo.root)


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
