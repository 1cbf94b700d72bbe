"""Archives of the kind tar, plain or packed as a whole."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import weakref
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import RemoteMetadata, SkipReason
from imgmatch.sources.archive import ArchiveSource, Member
from imgmatch.sources.base import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imgmatch.sources.place import Place

_HEADER_BYTES = 1 << 20
"""A header may be this long: a longer one is there to fill the memory."""

_LAST_SECOND = 253_402_300_799  # of the year 9999
_NS_PER_SECOND = 10**9
_PACKINGS: Mapping[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_DAMAGE = (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError, ValueError)


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
        next(self.members(), None)  # that it is no archive should show before any work is done

    def members(self) -> Iterator[Member]:
        """All files and links, in order.

        Raises:
            SourceError: the archive is damaged, or ends too soon. Going on would be taken for its photos being gone.
        """
        name = ""
        try:
            with _unpacked(self._place) as file, tarfile.open(fileobj=_Headers(file), mode="r:") as tar:  # type: ignore[call-overload]
                while (info := tar.next()) is not None:
                    name = info.name
                    if info.size < 0 or not info.isdir():
                        yield _member(info)
                    tar.members.clear()  # an archive may hold millions
                _check_end(file, tar.offset)
        except _DAMAGE as error:
            after = f" after {shown(name)}" if name else ""
            raise SourceError(f"{shown(self._place.key)}: damaged{after}: {shown(str(error))}") from error

    def read(self, member: Member, limit: int) -> bytes:
        """The bytes of a member, up to one more than ``limit``.

        Raises:
            PhotoError: the archive is damaged.
        """
        try:
            if self._photos is None:
                self._photos = _unpacked(self._place)
                weakref.finalize(self, self._photos.close)
            self._photos.seek(cast("int", member.place))
            return self._photos.read(min(member.metadata.size or 0, limit + 1))
        except _DAMAGE as error:
            raise PhotoError(SkipReason.UNREADABLE, f"damaged in the archive: {shown(str(error))}") from error


class _Headers:
    """What ``tarfile`` reads headers from: no more at once than a header may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def _unpacked(place: Place) -> BinaryIO:
    """The archive without its packing, which its first bytes tell."""
    file = place.open()
    start = file.read(6)
    file.seek(0)
    unpack = next((each for magic, each in _PACKINGS.items() if start.startswith(magic)), None)
    if unpack is None:
        return file
    unpacked: BinaryIO = unpack(file)
    weakref.finalize(unpacked, file.close)  # which closing the other does not do
    return unpacked


def _check_end(file: BinaryIO, offset: int) -> None:
    """An archive ends with a block of zeros; ``tarfile`` takes any other block, or none, for the end too."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("what follows is no header, and not the end")


def _member(info: tarfile.TarInfo) -> Member:
    if info.size < 0:
        raise tarfile.ReadError("a size below zero")
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
