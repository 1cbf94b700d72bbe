"""PNG files, chunk by chunk: what can be left out, and what was cut off (PNG Specification, third edition, 5)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.imaging.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.imaging.limits import Limits

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"PLTE", b"tRNS", b"iCCP", b"eXIf")
"""What says how pixels are seen. All else is left out: text, times, the further frames of an animation."""

SIDE_BYTES = 1 << 20
"""A side chunk of more is left out, and a colour profile that unpacks to more."""

_HEADER = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of Adam7: first column, first row, and the steps from each to the next."""

_HALF = 5
"""So many passes make up every second pixel of every second row."""

_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    body: bytes
    sound: bool


def mended_png(data: bytes, limits: Limits) -> Part | None:
    """The PNG without what is not needed, as high as there are rows; ``None`` where its header cannot be read."""
    chunks = list(_chunks(data))
    if not chunks or chunks[0].name != b"IHDR" or not chunks[0].sound or len(chunks[0].body) != _HEADER.size:
        return None
    width, height, depth, colour, *_, interlaced = header = _HEADER.unpack(chunks[0].body)
    packed = b"".join(chunk.body for chunk in chunks if chunk.name == b"IDAT")
    sound = all(chunk.sound for chunk in chunks) and chunks[-1].name == b"IEND"
    if colour not in _CHANNELS or width * height > limits.pixels:
        return Part(_png(header, chunks, packed))  # to be refused by its header
    bits = depth * _CHANNELS[colour]
    if interlaced:
        return _interlaced(header, chunks, packed, bits, sound=sound)
    row = _row_bytes(width, bits)
    rows = _unpacked_bytes(packed, row * height) // row
    damaged = None if sound and rows == height else rows / height
    return Part(_png((width, max(1, rows), *header[2:]), chunks, packed), damaged)


def _interlaced(header: tuple[int, ...], chunks: list[_Chunk], packed: bytes, bits: int, *, sound: bool) -> Part | None:
    """All of it, or every second pixel of every second row."""
    width, height = header[:2]
    sizes = [
        max(0, -(-(height - top) // down)) * _row_bytes(-(-(width - left) // across), bits) if width > left else 0
        for left, top, across, down in _PASSES
    ]
    there = _unpacked_bytes(packed, sum(sizes))
    data = _png(header, chunks, packed)
    if there == sum(sizes):
        return Part(data, None if sound else 1.0)
    return Part(data, 1.0, step=2, lenient=True) if there >= sum(sizes[:_HALF]) else None


def _row_bytes(width: int, bits: int) -> int:
    """Of a row that is packed: its filter, and so many bits a pixel."""
    return 1 + (width * bits + 7) // 8


def _unpacked_bytes(packed: bytes, most: int) -> int:
    """How many bytes come out before an error or the end, up to ``most``; never more than a few are held."""
    unpacker = zlib.decompressobj()
    count = 0
    try:
        while count < most and not unpacker.eof:
            found = len(unpacker.decompress(packed, _AT_ONCE))
            packed = unpacker.unconsumed_tail
            if not found and not packed:
                break
            count += found
    except zlib.error:
        pass
    return min(count, most)


def _png(header: tuple[int, ...], chunks: list[_Chunk], packed: bytes) -> bytes:
    kept = [chunk for chunk in chunks if chunk.name in _KEPT and chunk.sound and _is_small(chunk)]
    written = [_written(b"IHDR", _HEADER.pack(*header))]
    written += [_written(chunk.name, chunk.body) for chunk in kept]
    return b"".join((_SIGNATURE, *written, _written(b"IDAT", packed), _written(b"IEND", b"")))


def _is_small(chunk: _Chunk) -> bool:
    if len(chunk.body) > SIDE_BYTES:
        return False
    if chunk.name != b"iCCP":
        return True
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(chunk.body.partition(b"\0")[2][1:], SIDE_BYTES)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _written(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    place = len(_SIGNATURE)
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        end = place + 8 + length
        if not name.isalpha():
            return
        yield _Chunk(name, body, data[end : end + 4] == struct.pack(">I", zlib.crc32(name + body)))
        if name == b"IEND":
            return
        place = end + 4
