"""Text files of spreadsheets, whatever Unicode encoding their byte order mark names, as UTF-8."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 1 << 16

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""What such a file begins with; the mark of UTF-16 begins that of UTF-32, which is looked for first."""

_LONGEST_MARK = 4

_BROKEN = "imgmatch-broken-text"
"""The handler of errors that lets the line in which something is broken be no UTF-8 either."""


def _as_surrogate(error: UnicodeError) -> tuple[str, int]:
    return "\udcff", cast("UnicodeDecodeError", error).end


codecs.register_error(_BROKEN, _as_surrogate)


def as_utf8(stream: BinaryIO) -> BinaryIO:
    """The same text in UTF-8, from its beginning; what begins with no mark of UTF-16 or UTF-32 is given as it is.

    What cannot be decoded comes as bytes that are not UTF-8.

    Args:
        stream: at its beginning, and able to go back there.
    """
    head = stream.read(_LONGEST_MARK)
    stream.seek(0)
    encoding = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if encoding is None:
        return stream
    return io.BufferedReader(_AsUtf8(stream, encoding), _BLOCK_BYTES)


class _AsUtf8(io.RawIOBase):
    """Decodes one block after the other; it does not close what it reads from."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_BROKEN)
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer as far as there is something."""
        while not self._ready and not self._ended:
            block = self._stream.read(_BLOCK_BYTES)
            self._ended = not block
            self._ready = self._decoder.decode(block, self._ended).encode(errors="surrogatepass")
        view = memoryview(buffer)
        taken = min(len(view), len(self._ready))
        view[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken
