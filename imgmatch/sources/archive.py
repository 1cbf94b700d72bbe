"""An archive as a source: the same accounts as in a folder. Nothing is ever unpacked to disk."""

from __future__ import annotations

import posixpath
import re
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imgmatch.errors import PhotoError
from imgmatch.model import Fetched, NewPhoto, RemoteMetadata, Skipped, SkipReason, derived_photo_id
from imgmatch.model.names import storable_name
from imgmatch.sources.base import shown
from imgmatch.sources.folder import account_of
from imgmatch.sources.guard import photo_error
from imgmatch.sources.retrying import RemoteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model.photos import Reserving
    from imgmatch.sources.place import Place

MAX_NAME_CHARS = 4096
"""The name of a member may be this long, folders included."""

_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


class Member(NamedTuple):
    """One file in an archive.

    Attributes:
        name: as it stands in the archive.
        place: by which the archive finds it again.
        metadata: its size and time.
        problem: why it cannot be a photo, if the archive says so already.
    """

    name: str
    place: object
    metadata: RemoteMetadata
    problem: PhotoError | None = None


class Archive(Protocol):
    """A kind of archive."""

    scheme: str
    """What its members' addresses begin with."""

    listed: bool
    """Whether the names stand together, so that they can be counted without reading all of it."""

    def members(self) -> Iterator[Member]:
        """All files and links in it, folders perhaps, in its own order; a ``SourceError`` if it is damaged."""

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, up to one more than ``limit``; a ``PhotoError`` if they cannot be had."""


class ArchiveSource:
    """All photos in an archive, in its order.

    Args:
        place: of the archive.
        archive: it, opened.
    """

    def __init__(self, place: Place, archive: Archive) -> None:
        self.key = place.key
        self._archive = archive
        self._names = place.names
        self._limit = (place.remote.options if place.remote else RemoteOptions()).file_bytes

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        for member in self._archive.members():
            if member.name.endswith(("/", "\\")):
                continue  # a folder, however its archive spells it
            try:
                item = self._item(member)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this member
                problem = photo_error(error, f"{self.key}: {member.name}")
                part = normal_name(member.name)
                item = Skipped(shown(member.name), problem.reason, problem.detail, part=part)
            yield item

    def to_count(self) -> Iterator[object] | None:
        """See :class:`imgmatch.sources.base.Countable`."""
        return iter(self) if self._archive.listed else None

    def _item(self, member: Member) -> NewPhoto | Skipped:
        """A photo, or what is passed over.

        Raises:
            PhotoError: it cannot be used.
        """
        name = _inside(normal_name(member.name))
        if (passed := self._names.passed_over_within(name)) is not None:
            return passed
        if member.problem is not None:
            raise member.problem
        account = account_of(name, folder=False)
        file = MemberFile(f"{self._archive.scheme}://{name}::{self.key}", self._archive, member, self._limit)
        return NewPhoto(account, file, name, derived_photo_id(account, str(file)))


class MemberFile:
    """A photo in an archive; see :class:`imgmatch.model.RemoteFile`.

    It is read at once, by whoever asks: that is quicker than its decoding, and a packed archive can only be read from
    one end to the other.
    """

    __slots__ = ("_archive", "_limit", "_member", "_name")
    lanes = 1

    def __init__(self, name: str, archive: Archive, member: Member, limit: int) -> None:
        self._name = name
        self._archive = archive
        self._member = member
        self._limit = limit

    def __str__(self) -> str:
        return self._name

    def look(self) -> Future[RemoteMetadata]:
        """Its size and time."""
        done: Future[RemoteMetadata] = Future()
        done.set_result(self._member.metadata)
        return done

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        """All of it."""
        done: Future[Fetched] = Future()
        try:
            fetched = Fetched(self._read(), self._member.metadata)
            if reserved is not None:
                reserved.take(len(fetched.data))
            done.set_result(fetched)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this member
            done.set_exception(photo_error(error, self._name))
        return done

    def _read(self) -> bytes:
        size = self._member.metadata.size or 0
        if size > self._limit:
            raise PhotoError(SkipReason.TOO_LARGE, f"{size:,} bytes; the limit is {self._limit:,}")
        data = self._archive.read(self._member, self._limit)
        if len(data) > self._limit:
            raise PhotoError(SkipReason.TOO_LARGE, f"more than the limit of {self._limit:,} bytes")
        if len(data) != size:
            raise PhotoError(SkipReason.UNREADABLE, f"{len(data):,} bytes, where the archive announces {size:,}")
        return data


def normal_name(name: str) -> str:
    """A member's name as a path: with strokes between its parts, as other systems than Windows write them."""
    return storable_name(name.replace("\\", "/"))


def _inside(name: str) -> str:
    """A path in an archive in normal form.

    Raises:
        PhotoError: it leads out of the archive, or is none that a file can have.
    """
    if not 0 < len(name) <= MAX_NAME_CHARS or "\0" in name:
        detail = f"The name is empty, longer than {MAX_NAME_CHARS:,} characters, or holds a NUL."
        raise PhotoError(SkipReason.REFUSED, detail)
    if _ABSOLUTE.match(name) or ".." in name.split("/"):
        raise PhotoError(SkipReason.REFUSED, "The name leads out of the archive.")
    return posixpath.normpath(name)
