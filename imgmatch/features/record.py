"""What the catalog keeps of one photo's features: quantised points and codes, 24 bytes a point, and a thumbnail.

Layout, little-endian: version u8, reserved u8, count u16, width u16, height u16 (shares of the longest side times
65,535), a bit for each of 16x16 cells that is drawn (not in version 1), then one array after the other: x u16, y u16,
scale u8, angle u8, list u16, code 16 x u8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch import damage
from imgmatch.features.codebook import CODE_BYTES, F32, U8, U16, Codebook
from imgmatch.features.drawn import CELLS_BYTES, Cells, packed, unpacked_cells
from imgmatch.features.extract import Features, fit

VERSION = 2
_WITHOUT_CELLS = 1
POINT_BYTES = 8 + CODE_BYTES
THUMBNAIL_SIDE = 96
THUMBNAIL_BYTES = 1_648  # with 100 points, under 4 KB a photo
MOST_THUMBNAIL_BYTES = 16_384  # of one that is read: noise of 96 by 96 pixels has half of that
_HEADER = struct.Struct("<BBHHH")
_SHARE = 65_535
_ANY_LIST = 1 << 16
_SCALE_STEPS = 24  # steps an octave: 3 % each
_SCALE_ZERO = 10.0  # octaves below one: the smallest scale is 2**-10 of the longest side

_JPEG, _SEGMENT, _FRAME = b"\xff\xd8", struct.Struct(">BBH"), struct.Struct(">BHHB")
_SKIPPED = {0xC4, 0xDB, 0xDD, 0xE0}  # tables, restart interval, JFIF: what OpenCV writes before the size
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: what the size stands in


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo's features as read back: points (n, 4) as in `Features`, lists (n,) uint16, codes (n, 16) uint8.

    drawn: as in `Features`; None in records of version 1.
    """

    points: F32
    lists: U16
    codes: U8
    width: float
    height: float
    drawn: Cells | None = None

    def __len__(self) -> int:
        return len(self.points)


def pack(features: Features, codebook: Codebook) -> bytes:
    """Features to bytes, at most 24 a point and 40 for the head; without what is drawn it is one of version 1."""
    lists, codes = codebook.encode(features.descriptors)
    x, y, scale, angle = features.points.T.astype(np.float64)
    octaves = np.log2(np.maximum(scale, 1e-6)) + _SCALE_ZERO
    shares = (min(_SHARE, round(v * _SHARE)) for v in (features.width, features.height))
    version, cells = (_WITHOUT_CELLS, b"") if features.drawn is None else (VERSION, packed(features.drawn))
    head = _HEADER.pack(version, 0, len(features), *shares) + cells
    arrays: list[npt.NDArray[np.generic]] = [
        np.clip(np.rint(x * _SHARE), 0, _SHARE).astype("<u2"),
        np.clip(np.rint(y * _SHARE), 0, _SHARE).astype("<u2"),
        np.clip(np.rint(octaves * _SCALE_STEPS), 0, 255).astype(np.uint8),
        (np.rint(angle * 256 / (2 * np.pi)).astype(np.int64) % 256).astype(np.uint8),
        lists.astype("<u2"),
        codes,
    ]
    return head + b"".join(array.tobytes() for array in arrays)


def unpack(data: bytes, lists: int = _ANY_LIST) -> Stored:
    """Bytes of `pack` to features.

    Args:
        data: what the catalog keeps.
        lists: how many the codebook has; without it any number passes for one.

    Raises:
        ValueError: it is damaged, of another version, or names a list that the codebook has not.
    """
    if len(data) < _HEADER.size:
        raise ValueError("feature record is cut short")
    version, _, count, width, height = _HEADER.unpack_from(data)
    start = _HEADER.size + (0 if version == _WITHOUT_CELLS else CELLS_BYTES)
    if version not in {_WITHOUT_CELLS, VERSION} or len(data) != start + count * POINT_BYTES or not width or not height:
        raise ValueError(f"feature record of version {version} with {len(data)} bytes cannot be read")
    drawn = None if version == _WITHOUT_CELLS else unpacked_cells(data[_HEADER.size : start])
    body, at = memoryview(data)[start:], 0
    columns = []
    for kind, size in (("<u2", 2), ("<u2", 2), ("u1", 1), ("u1", 1), ("<u2", 2), ("u1", CODE_BYTES)):
        columns.append(np.frombuffer(body[at : at + count * size], kind))
        at += count * size
    x, y, scale, angle, of, codes = columns
    if count and of.max() >= lists:
        raise ValueError("feature record names a list that is none")
    points = np.stack(
        [x / _SHARE, y / _SHARE, 2 ** (scale / _SCALE_STEPS - _SCALE_ZERO), angle * (2 * np.pi / 256)], axis=1
    ).astype(np.float32)
    codes = codes.reshape(count, CODE_BYTES)
    return Stored(points, of.astype(np.uint16), codes, width / _SHARE, height / _SHARE, drawn)


def with_lists(data: bytes, lists: U16) -> bytes:
    """A record that can be read, its points in other lists (n,), all else as it was."""
    count = int(_HEADER.unpack_from(data)[2])
    end = len(data) - count * CODE_BYTES
    start = end - count * lists.itemsize
    return data[:start] + lists.astype("<u2").tobytes() + data[end:]


NOTHING = Stored(np.zeros((0, 4), np.float32), np.zeros(0, np.uint16), np.zeros((0, CODE_BYTES), np.uint8), 1.0, 1.0)
"""What is taken for a record that is damaged: a picture without any point, which its features do not find."""


def unpacked(data: bytes, lists: int) -> Stored:
    """As `unpack`; what is damaged is noted, and taken for `NOTHING`."""
    try:
        return unpack(data, lists)
    except ValueError:
        if data:  # nothing stands in for what is no bytes at all, and was noted where it was read
            damage.note("features.record", "such pictures are not found by their features")
        return NOTHING


def thumbnail(picture: U8) -> bytes:
    """A grey JPEG of at most 96 pixels, about 1.2 KB: what verification lays a query over."""
    small = fit(picture, THUMBNAIL_SIDE) if max(picture.shape) > THUMBNAIL_SIDE else picture
    data = b""
    for quality in (60, 45, 30, 20, 10):  # foliage and lace need a lower quality to keep within bounds
        done, array = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
        if not done:
            raise ValueError("the thumbnail could not be written")
        data = array.tobytes()
        if len(data) <= THUMBNAIL_BYTES:
            break
    return data


def check_thumbnail(data: bytes) -> None:
    """See that this is a small grey JPEG, as `thumbnail` writes them, before anything decodes it.

    Raises:
        ValueError: it is not, or it claims to be larger than ours are.
    """
    if not data.startswith(_JPEG) or len(data) > MOST_THUMBNAIL_BYTES:
        raise ValueError("the thumbnail is no small JPEG")
    place = len(_JPEG)
    while place + _SEGMENT.size + _FRAME.size <= len(data):
        start, marker, length = _SEGMENT.unpack_from(data, place)
        if start != 0xFF or marker not in _SKIPPED | _FRAMES:  # noqa: PLR2004 -- what every marker begins with
            break
        if marker in _FRAMES:
            _, height, width, planes = _FRAME.unpack_from(data, place + _SEGMENT.size)
            if planes == 1 and 0 < width <= THUMBNAIL_SIDE and 0 < height <= THUMBNAIL_SIDE:
                return
            break
        place += 2 + length
    raise ValueError("the thumbnail is no small grey JPEG")


def open_thumbnail(data: bytes) -> U8:
    """The grey picture (height, width) uint8 that `thumbnail` wrote. Raises ValueError where it is damaged."""
    check_thumbnail(data)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ValueError("the thumbnail cannot be read")
    return np.asarray(picture, np.uint8)


def opened_thumbnail(data: bytes | None) -> U8 | None:
    """The same; ``None`` where none is kept, or where it is damaged, which is noted."""
    if not data:
        return None
    try:
        return open_thumbnail(data)
    except ValueError:
        damage.note("features.thumbnail", "such pictures are compared as if they had none")
        return None
