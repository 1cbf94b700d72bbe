"""Packed bytes, unpacked piece by piece and within bounds: what a stranger has packed may be a bomb."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

FREE_BYTES = 128 << 20
"""So much may be unpacked of anything: one file that is larger than a photo may be must not cost its neighbours."""

MOST_TIMES = 200
"""Beyond that, an archive unpacks to no more than so many times its own size: photos hardly pack at all."""

MOST_BYTES = 1 << 40
"""And to no more than this in all."""

WINDOW_BYTES = 64 << 20
"""What LZMA may look back by, and takes as memory: that of ``xz -9``."""

_XZ_BYTES = WINDOW_BYTES + (16 << 20)
_PIECE = 1 << 16
_PROPERTIES = struct.Struct("<BI")
_GZIP, _RAW_DEFLATE = 31, -15


class BombError(ValueError):
    """Unpacking goes beyond what is allowed."""


class Unpacker(Protocol):
    """One packed stream on its way out, as ``bz2`` and ``lzma`` have it."""

    @property
    def eof(self) -> bool:
        """Whether its end was met."""

    @property
    def needs_input(self) -> bool:
        """Whether more packed bytes are wanted."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """What ``data`` unpacks to, at most ``max_length`` bytes of it; the rest comes with the next calls."""


class _Deflate:
    """``zlib`` in the same form."""

    def __init__(self, kind: int) -> None:
        self._stream = zlib.decompressobj(kind)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._stream.decompress(self._stream.unconsumed_tail + data, max(max_length, 0))
        self._full = len(out) == max_length
        return out


def unpacker_of(start: bytes) -> Callable[[], Unpacker] | None:
    """What unpacks a file that begins so; ``None`` if it is not packed as a whole."""
    if start.startswith(b"\x1f\x8b"):
        return lambda: _Deflate(_GZIP)
    if start.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    if start.startswith(b"\xfd7zXZ\0"):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)
    return None


def zip_unpacker(method: int, packed: BinaryIO) -> Unpacker:
    """What unpacks a member of a zip file.

    Args:
        method: how it is packed, by its number in the format.
        packed: its packed bytes; what LZMA writes in front of them is taken off.

    Raises:
        NotImplementedError: nothing here does.
        BombError: it wants too much memory.
        ValueError: what stands in front of it is damaged.
    """
    if method == zipfile.ZIP_DEFLATED:
        return _Deflate(_RAW_DEFLATE)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor()
    if method == zipfile.ZIP_LZMA:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_lzma_filter(packed.read(9))])
    raise NotImplementedError(f"packed by method {method}, which is not read")


def _lzma_filter(head: bytes) -> dict[str, int]:
    """Two bytes of version, two of a length, and the five properties of LZMA."""
    if head[2:4] != b"\x05\0" or len(head) != 4 + _PROPERTIES.size:
        raise ValueError("bad LZMA properties")
    packed, window = _PROPERTIES.unpack(head[4:])
    rest, literal_context = divmod(packed, 9)
    position, literal_position = divmod(rest, 5)
    if window > WINDOW_BYTES:
        raise BombError(f"unpacking it needs {window >> 20:,} MiB of memory; the limit is {WINDOW_BYTES >> 20}")
    properties = {"lc": literal_context, "lp": literal_position, "pb": position, "dict_size": window}
    return {"id": lzma.FILTER_LZMA1, **properties}


def unpack(packed: BinaryIO, unpacker: Unpacker, size: int) -> bytes:
    """The first ``size`` bytes of a stream; fewer if it ends before.

    Raises:
        EOFError: its packed bytes end before it does.
    """
    pieces: list[bytes] = []
    while size > 0 and not unpacker.eof:
        data = packed.read(_PIECE) if unpacker.needs_input else b""
        if unpacker.needs_input and not data:
            raise EOFError("its packed bytes end too soon")
        piece = unpacker.decompress(data, min(size, 1 << 20))
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Unpacked(io.RawIOBase):
    """A packed file without its packing; several streams in it, one after the other, are one.

    Args:
        packed: open for reading at its beginning; closed with this.
        make: makes what unpacks one stream.
    """

    def __init__(self, packed: BinaryIO, make: Callable[[], Unpacker]) -> None:
        super().__init__()
        self._packed = packed
        self._make = make
        self._begin()

    def _begin(self) -> None:
        self._packed.seek(0)
        self._unpacker = self._make()
        self._position = self._taken = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes; going back begins anew."""
        return True

    def tell(self) -> int:
        """How much was unpacked."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, or to the end if that comes before.

        Raises:
            BombError: it is beyond the limits.
        """
        if whence != io.SEEK_SET or offset < 0:
            raise io.UnsupportedOperation("only places from the beginning can be sought")
        if offset < self._position:
            self._begin()
        while self._position < offset and self._piece(offset - self._position):
            pass
        return self._position

    def readinto(self, buffer: object) -> int:
        """Unpack into a buffer.

        Raises:
            BombError: it unpacks to more than is allowed.
            EOFError: it ends before its end.
        """
        view = memoryview(cast("bytearray", buffer))
        piece = self._piece(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def _piece(self, size: int) -> bytes:
        """Some of what follows; nothing at the end."""
        piece = b""
        while not piece:
            data = b""
            if self._unpacker.eof:
                data = self._after_stream()
                if not data:
                    return b""
            elif self._unpacker.needs_input:
                data = self._taken_in()
                if not data:
                    raise EOFError("its packed bytes end too soon")
            piece = self._decompressed(data, min(size, 1 << 20))
        self._position += len(piece)
        self._check()
        return piece

    def _decompressed(self, data: bytes, size: int) -> bytes:
        try:
            return self._unpacker.decompress(data, size)
        except lzma.LZMAError as error:
            if "Memory usage limit" in str(error):
                limit = f"unpacking it needs more memory than {_XZ_BYTES >> 20} MiB"
                raise BombError(limit) from error
            raise

    def _after_stream(self) -> bytes:
        """The beginning of the next stream, if there is one; zeros fill up."""
        data = self._unpacker.unused_data.lstrip(b"\0")
        while not data and (more := self._taken_in()):
            data = more.lstrip(b"\0")
        if data:
            self._unpacker = self._make()
        return data

    def _taken_in(self) -> bytes:
        data = self._packed.read(_PIECE)
        self._taken += len(data)
        return data

    def _check(self) -> None:
        if self._position > FREE_BYTES and self._position > MOST_TIMES * self._taken:
            raise BombError(f"it unpacks to more than {MOST_TIMES} times its size")
        if self._position > MOST_BYTES:
            raise BombError(f"it unpacks to more than {MOST_BYTES >> 40} TiB")

    def close(self) -> None:
        """Close the packed file, too."""
        if not self.closed:
            self._packed.close()
        super().close()
