"""Archives of the kind zip."""

from __future__ import annotations

import stat
import weakref
import zipfile
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import RemoteMetadata, SkipReason
from imgmatch.sources.archive import ArchiveSource, Member
from imgmatch.sources.base import shown
from imgmatch.sources.remote_metadata import nanoseconds, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.place import Place

_ENCRYPTED = 1  # the flag
_UNIX_MODE = 16  # bits from the right
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error)


def open_zip(place: Place) -> ArchiveSource:
    """Open a zip file.

    Raises:
        SourceError: it cannot be read, is no zip file, lies outside the root, or at a URL.
    """
    return ArchiveSource(place, ZipArchive(place))


class ZipArchive:
    """A zip file; its table of contents is in memory.

    Args:
        place: of the file, which stays open for as long as anybody holds this.

    Raises:
        SourceError: it cannot be read, is no zip file, or lies outside the root.
    """

    scheme = "zip"
    listed = True

    def __init__(self, place: Place) -> None:
        try:
            file = place.open()
            weakref.finalize(self, file.close)
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise SourceError(f"{shown(place.key)}: not a zip archive that can be read: {shown(str(error))}") from error

    def members(self) -> Iterator[Member]:
        """All files and links, in the order of the table of contents."""
        for info in self._zip.infolist():
            if not info.is_dir():
                yield Member(info.filename, info, _metadata(info), _problem(info))

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, up to one more than ``limit``.

        Raises:
            PhotoError: it is damaged, or packed in a way that is not known.
        """
        try:
            with self._zip.open(cast("zipfile.ZipInfo", member.place)) as file:
                return file.read(limit + 1)
        except _DAMAGE as error:
            raise PhotoError(SkipReason.UNREADABLE, f"damaged in the archive: {shown(str(error))}") from error


def _metadata(info: zipfile.ZipInfo) -> RemoteMetadata:
    """What the table of contents tells: a checksum of the bytes, which is better than a time of whole seconds."""
    return RemoteMetadata(info.file_size, tag_of(f"{info.CRC} {info.date_time}"), _modified_ns(info))


def _modified_ns(info: zipfile.ZipInfo) -> int | None:
    try:
        return nanoseconds(datetime(*info.date_time, tzinfo=UTC))  # the zone is not told
    except ValueError:
        return None


def _problem(info: zipfile.ZipInfo) -> PhotoError | None:
    mode = info.external_attr >> _UNIX_MODE
    if stat.S_ISLNK(mode):
        return PhotoError(SkipReason.REFUSED, "It is a link; links in archives are not followed.")
    if info.flag_bits & _ENCRYPTED:
        return PhotoError(SkipReason.UNREADABLE, "It is encrypted.")
    return None
