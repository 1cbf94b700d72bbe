"""Remote photos are fetched some way ahead of their turn; the order stays."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from imgmatch.errors import PhotoError
from imgmatch.model import Fetched
from imgmatch.sources.remote import result_of
from imgmatch.sources.room import Reservation, Room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.model import NewPhoto, RemoteFile, RemoteMetadata

AHEAD_BYTES = 64 << 20
"""So much is fetched ahead of its turn at the most; a photo that is larger than what is left waits."""

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

    A photo waits for those before it. Up to twice as many as can be fetched at once are on their way or waiting, and
    no more than ``AHEAD_BYTES`` of them in memory, beside the one whose turn is next.
    """
    waiting: deque[_Waiting[Item]] = deque()
    room, remote = Room(AHEAD_BYTES), 0
    try:
        for item in items:
            file = remote_file(item.photo)
            if file is None and not waiting:
                yield item, None
                continue
            waiting.append(_waiting(item, file, room))
            remote += file is not None
            lanes = file.lanes if file is not None else 1
            while waiting and (remote > 2 * lanes or len(waiting) > MOST_WAITING or (file and room.is_full())):
                remote -= waiting[0].future is not None
                yield _landed(waiting.popleft())
        while waiting:
            yield _landed(waiting.popleft())
    finally:
        for left in waiting:
            if left.future is not None:
                left.future.cancel()


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    """An item with its photo, if that is fetched, and the room for that."""

    item: Item
    future: Future[Fetched] | None
    reserved: Reservation | None


def _waiting(item: Item, file: RemoteFile | None, room: Room) -> _Waiting[Item]:
    if file is None:
        return _Waiting(item, None, None)
    reserved = room.reservation()
    return _Waiting(item, file.fetch(reserved), reserved)


def _landed(waiting: _Waiting[Item]) -> tuple[Item, Fetched | PhotoError | None]:
    if waiting.future is None:
        return waiting.item, None
    try:
        return waiting.item, result_of(waiting.future)
    except PhotoError as error:
        return waiting.item, error
    finally:
        if waiting.reserved is not None:
            waiting.reserved.leave()
