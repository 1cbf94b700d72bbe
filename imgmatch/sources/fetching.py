"""Remote photos are fetched some way ahead of their turn; the order stays."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from imgmatch.errors import PhotoError
from imgmatch.sources.remote import result_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from imgmatch.model import Fetched, NewPhoto, RemoteFile, RemoteMetadata

AHEAD_BYTES = 64 << 20
"""While so much has been fetched ahead of its turn, no more is asked for."""

MOST_WAITING = 512
"""So many photos, those of this machine among them, may wait for one before them that is still on its way."""

Item = TypeVar("Item", bound="PhotoItem")


def remote_file(photo: NewPhoto | None) -> RemoteFile | None:
    """Where the photo lies, if there is one and that is no file of this machine."""
    return None if photo is None or isinstance(photo.path, Path) else photo.path


def metadata_of_photos(photos: Iterable[NewPhoto]) -> dict[str, RemoteMetadata | PhotoError]:
    """The metadata of the remote photos among ``photos``, by ``photo_id``; all are asked for at once."""
    asked = [(photo.photo_id, file.look()) for photo in photos if (file := remote_file(photo)) is not None]
    found: dict[str, RemoteMetadata | PhotoError] = {}
    for photo_id, future in asked:
        try:
            found[photo_id] = result_of(future)
        except PhotoError as error:
            found[photo_id] = error
    return found


class PhotoItem(Protocol):
    """Something that has a photo, or none and keeps its place."""

    @property
    def photo(self) -> NewPhoto | None:
        """It."""


def fetched_ahead(items: Iterable[Item]) -> Iterator[tuple[Item, Fetched | PhotoError | None]]:
    """Each item with its photo, or with why that cannot be had; with ``None`` if it is a file of this machine.

    A photo waits for those before it. Up to twice as many as can be fetched at once are on their way or waiting.
    """
    waiting: deque[tuple[Item, Future[Fetched] | None]] = deque()
    remote = 0
    for item in items:
        file = remote_file(item.photo)
        if file is None and not waiting:
            yield item, None
            continue
        waiting.append((item, None if file is None else file.fetch()))
        remote += file is not None
        lanes = file.lanes if file is not None else 1
        full = len(waiting) > MOST_WAITING or (file is not None and _held(waiting) > AHEAD_BYTES)
        while waiting and (remote > 2 * lanes or full):
            remote -= waiting[0][1] is not None
            yield _landed(waiting.popleft())
            full = len(waiting) > MOST_WAITING or (file is not None and _held(waiting) > AHEAD_BYTES)
    while waiting:
        yield _landed(waiting.popleft())


def _held(waiting: Iterable[tuple[object, Future[Fetched] | None]]) -> int:
    done = (future for _, future in waiting if future is not None and future.done() and not future.cancelled())
    return sum(len(future.result().data) for future in done if future.exception() is None)


def _landed(entry: tuple[Item, Future[Fetched] | None]) -> tuple[Item, Fetched | PhotoError | None]:
    item, future = entry
    if future is None:
        return item, None
    try:
        return item, result_of(future)
    except PhotoError as error:
        return item, error
