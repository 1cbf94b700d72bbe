"""Archives of the kind tar, plain or packed as a whole."""

from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import weakref
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import RemoteMetadata, SkipReason
from imgmatch.sources.archive import ArchiveSource, Member
from imgmatch.sources.base import shown
from imgmatch.sources.unpacking import BombError, Unpacked, unpacker_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgmatch.sources.place import Place

HEADER_BYTES = 1 << 20
"""The headers of one file may be this long, all together: longer ones are there to fill the memory."""

CHAINED_HEADERS = 32
"""So many headers may stand before one file; ``tarfile`` calls itself for each."""

GLOBAL_HEADERS, GLOBAL_BYTES = 100, 1 << 16
"""So many global headers are kept from file to file, and so many bytes of them."""

FREE_EXTRA_BYTES, EXTRA_TIMES = 4 << 20, 4
"""Beyond their first blocks, the headers of all files may take so much, and so many times the bytes of the archive."""

FREE_MEMBERS, BYTES_A_MEMBER = 1 << 14, 16
"""So many files may be in any archive; of more, each must bring so many bytes of the (packed) archive."""

_PIECE = 1 << 16
_LAST_BYTES = 1 << 63
_LAST_SECOND = 253_402_300_799  # of the year 9999
_NS_PER_SECOND = 10**9
_TYPE = slice(156, 157)
_CHAINED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_ENDLESS_NUMBER = re.compile(rb"[0-9]{256}")  # tarfile's own patterns take the square of its length
_DAMAGE = (
    tarfile.TarError, lzma.LZMAError, zlib.error, struct.error, OSError, EOFError, ValueError, OverflowError,
    MemoryError,
)  # fmt: skip


def open_tar(place: Place) -> ArchiveSource:
    """Open a tar file.

    Raises:
        SourceError: it cannot be read, is no tar file, lies outside the root, or at a URL.
    """
    return ArchiveSource(place, TarArchive(place))


class TarArchive:
    """A tar file. It is read from its beginning to its end, by one reader for the names and one for the photos.

    Args:
        place: of the file, which stays open for as long as anybody holds this.

    Raises:
        SourceError: it cannot be read, or lies outside the root.
    """

    scheme = "tar"
    listed = False

    def __init__(self, place: Place) -> None:
        self._place = place
        self._photos: BinaryIO | None = None
        with place.open() as file:
            self._size = file.seek(0, io.SEEK_END)
        next(self.members(), None)  # that it is no archive should show before any work is done

    def members(self) -> Iterator[Member]:
        """All files and links, in order.

        Raises:
            SourceError: the archive is damaged, or ends too soon. Going on would be taken for its photos being gone.
        """
        try:
            with _opened(self._place) as file:
                headers = _Headers(file, self._size)
                with tarfile.open(fileobj=headers, mode="r:") as tar:  # type: ignore[call-overload]
                    while (info := tar.next()) is not None:
                        headers.end_member(tar.pax_headers)
                        if info.size < 0 or not info.isdir():
                            yield _member(info)
                        tar.members.clear()  # an archive may hold millions
                    _check_end(file, tar.offset)
        except _DAMAGE as error:
            raise SourceError(f"{shown(self._place.key)}: {_why(error)}") from error

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, up to one more than ``limit``.

        Raises:
            PhotoError: the archive is damaged, or a bomb.
        """
        try:
            if self._photos is None:
                self._photos = _opened(self._place)
                weakref.finalize(self, self._photos.close)
            self._photos.seek(cast("int", member.place))
            return self._photos.read(min(member.metadata.size or 0, limit + 1))
        except BombError as error:
            raise PhotoError(SkipReason.TOO_LARGE, f"the archive is refused: {error}") from error
        except _DAMAGE as error:
            raise PhotoError(SkipReason.UNREADABLE, f"in the archive {_why(error)}") from error


class _Headers:
    """What ``tarfile`` reads headers from: no more of them than an honest archive has.

    Args:
        file: the archive without its packing.
        size: of the archive as it lies there, in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._bytes = self._chained = self._members = self._extra = 0
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        data = self._file.read(size)
        self._bytes += size
        self._chained += size == tarfile.BLOCKSIZE and data[_TYPE] in _CHAINED
        if self._bytes > HEADER_BYTES or self._chained > CHAINED_HEADERS:
            limit = f"the limits are {HEADER_BYTES:,} bytes and {CHAINED_HEADERS} headers"
            raise tarfile.ReadError(f"endless headers before one file; {limit}")
        if size > tarfile.BLOCKSIZE and _ENDLESS_NUMBER.search(data):
            raise tarfile.ReadError("a header with an endless number")
        return data

    def end_member(self, kept: Mapping[str, str]) -> None:
        """All headers of a file are read, and ``kept`` are the global ones so far."""
        self._members += 1
        self._extra += max(self._bytes - tarfile.BLOCKSIZE, 0)
        self._bytes = self._chained = 0
        if kept and (len(kept) > GLOBAL_HEADERS or sum(map(len, kept.values())) > GLOBAL_BYTES):
            limit = f"the limits are {GLOBAL_HEADERS} and {GLOBAL_BYTES:,} bytes"
            raise tarfile.ReadError(f"too many global headers; {limit}")
        if self._extra > FREE_EXTRA_BYTES + EXTRA_TIMES * self._size:
            raise BombError(f"headers of {self._extra:,} bytes in an archive of {self._size:,}")
        if self._members > FREE_MEMBERS + self._size // BYTES_A_MEMBER:
            raise BombError(f"more than {self._members - 1:,} files in {self._size:,} bytes")


def _opened(place: Place) -> BinaryIO:
    """The archive without its packing, which its first bytes tell."""
    file = place.open()
    make = unpacker_of(file.read(6))
    if make is not None:
        return cast("BinaryIO", io.BufferedReader(Unpacked(file, make), _PIECE))
    file.seek(0)
    return file


def _check_end(file: BinaryIO, offset: int) -> None:
    """An archive ends with two blocks of zeros, or with one and nothing behind it.

    ``tarfile`` takes one alone, any block that is no header, or none, for the end too.
    """
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("what follows is no header, and not the end")
    if any(file.read(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError("an end in the middle: something follows a single block of zeros")


def _member(info: tarfile.TarInfo) -> Member:
    if not 0 <= info.size < _LAST_BYTES:
        raise tarfile.ReadError("a size that no file can have")
    metadata = RemoteMetadata(info.size, _time_ns(info.mtime) or None, _time_ns(info.mtime))
    return Member(info.name, info.offset_data, metadata, _problem(info))


def _time_ns(seconds: float) -> int | None:
    return int(seconds * _NS_PER_SECOND) if -_LAST_SECOND < seconds < _LAST_SECOND else None


def _problem(info: tarfile.TarInfo) -> PhotoError | None:
    if info.issym() or info.islnk():
        return PhotoError(SkipReason.REFUSED, "It is a link; links in archives are not followed.")
    if not info.isreg() or info.issparse():
        return PhotoError(SkipReason.UNREADABLE, "It is a pipe, a device or a file with holes.")
    return None


def _why(error: Exception) -> str:
    said = shown(str(error)) or type(error).__name__
    return f"refused: {said}" if isinstance(error, BombError) else f"damaged: {said}"
