"""Archives of the kind zip."""

from __future__ import annotations

import copy
import lzma
import stat
import struct
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import RemoteMetadata, SkipReason
from imgmatch.sources.archive import ArchiveSource, Member
from imgmatch.sources.base import shown
from imgmatch.sources.remote_metadata import nanoseconds, tag_of
from imgmatch.sources.unpacking import FREE_BYTES, MOST_TIMES, BombError, unpack, zip_unpacker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.sources.place import Place

TABLE_BYTES = 24 << 20
"""The table of contents may be this long: all of it is held in memory."""

TABLE_ENTRIES = 200_000
"""And it may name so many members."""

_ENCRYPTED, _IN_UTF8 = 1, 1 << 11  # the flags
_UNIX_MODE = 16  # bits from the right
_ENTRY = b"PK\1\2"
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, OSError, EOFError,
    ValueError, OverflowError, MemoryError,
)  # fmt: skip


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
            table = _Table(file)
            self._zip = zipfile.ZipFile(cast("IO[bytes]", table))
            table.opened = True
            self._size = file.seek(0, 2)
        except _DAMAGE as error:
            raise SourceError(f"{shown(place.key)}: not a zip archive that can be read: {_why(error)}") from error

    def members(self) -> Iterator[Member]:
        """All files, folders and links, in the order of the table of contents."""
        spent = _Spent()  # of each time through the archive: others may go through it at once
        for info in self._zip.infolist():
            yield Member(_name(info), (info, spent), _metadata(info), _problem(info))

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, up to one more than ``limit``.

        Raises:
            PhotoError: it is damaged, packed in a way that is not known, or part of a bomb.
        """
        info, spent = cast("tuple[zipfile.ZipInfo, _Spent]", member.place)
        size = min(info.file_size, limit + 1)
        if spent.unpacked + size > max(FREE_BYTES, MOST_TIMES * self._size):
            detail = f"the archive unpacks to more than {MOST_TIMES} times its size"
            raise PhotoError(SkipReason.TOO_LARGE, detail)
        spent.unpacked += size
        try:
            data = self._unpacked_member(info, size)
        except BombError as error:
            raise PhotoError(SkipReason.TOO_LARGE, str(error)) from error
        except _DAMAGE as error:
            raise PhotoError(SkipReason.UNREADABLE, f"damaged in the archive: {_why(error)}") from error
        if len(data) == info.file_size and zlib.crc32(data) != info.CRC:
            raise PhotoError(SkipReason.UNREADABLE, "damaged in the archive: its checksum is another")
        return data

    def _unpacked_member(self, info: zipfile.ZipInfo, size: int) -> bytes:
        # zipfile would unpack bzip2 and LZMA without any bound, so it only fetches the packed bytes.
        stored = copy.copy(info)
        stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
        stored.CRC = cast("int", None)  # of what is unpacked, which is not what is read here
        with self._zip.open(stored) as opened:
            packed = cast("BinaryIO", opened)
            if info.compress_type == zipfile.ZIP_STORED:
                return packed.read(size)
            return unpack(packed, zip_unpacker(info.compress_type, packed), size)


@dataclass(slots=True)
class _Spent:
    """How much was unpacked so far, in bytes."""

    unpacked: int = 0


class _Table:
    """What ``zipfile`` reads the table of contents from, which must not fill the memory.

    Attributes:
        opened: it is read; what follows are members.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable
        self.opened = False

    def read(self, size: int = -1) -> bytes:
        if self.opened:
            return self._file.read(size)
        if size > TABLE_BYTES:
            raise BombError(f"its table of contents has {size:,} bytes; {_LIMITS}")
        data = self._file.read(TABLE_BYTES if size < 0 else size)
        if data.count(_ENTRY) > TABLE_ENTRIES:
            raise BombError(f"its table of contents has {data.count(_ENTRY):,} entries; {_LIMITS}")
        return data


_LIMITS = (
    f"the limits are {TABLE_BYTES >> 20} MiB and {TABLE_ENTRIES:,} files: make several zip files of it, or one tar file"
)


def _name(info: zipfile.ZipInfo) -> str:
    """What a member is called: macOS writes UTF-8 without saying so, and what could be UTF-8 is hardly ever else."""
    if info.flag_bits & _IN_UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


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


def _why(error: Exception) -> str:
    return shown(str(error)) or type(error).__name__
