"""Damaged photos: what viewers still show of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from imgmatch.errors import PhotoError
from imgmatch.imaging.decoding import check_declared, grey_of
from imgmatch.imaging.filling import filled_up
from imgmatch.imaging.kinds import kind_of
from imgmatch.imaging.parts import Part, leading
from imgmatch.imaging.png import mended_png
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from imgmatch.imaging.limits import Limits

    Mend = Callable[[bytes, Limits], Part | None]

Found = TypeVar("Found")

LEAST_THERE = 0.3
"""Share of its rows below which a damaged photo counts as unreadable: what is left finds too few of its copies
(BENCHMARKS.md, "damaged")."""

_END_OF_JPEG = b"\xff\xd9"

_SEGMENT = re.compile(rb"\xff[\x01-\xcf\xda-\xfe]", re.DOTALL)
"""The marker of a segment with a length. Not among them: what stands between and within the codes of a scan."""

_SEGMENT_BYTES = 1 << 16

_NOT_DECODED = (0, 64, 127, 128)
"""What decoders leave in rows they did not come to: black, or the grey of a JPEG without coefficients, in inks too."""

_LAST_ROWS = 4
"""So many last rows of a pass are not all of one colour by chance."""

_BLOCK_ROWS = 16
"""Rows of a JPEG that are decoded together; the last of them may end half-way."""


def what_is_there(data: bytes, limits: Limits, decode: Callable[[Part], Found]) -> Found:
    """What ``decode`` makes of a photo, or, where it fails, of that part of it that is there.

    A whole photo costs nothing more. A damaged one is decoded several times, within the same limits.

    Raises:
        PhotoError: the photo is refused, or less than ``LEAST_THERE`` of it is there.
        Exception: whatever ``decode`` raised, where nothing can be made of the photo.
    """
    try:
        return decode(Part(data))
    except (PhotoError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        part = _mended(data, limits)
        if part is None:
            raise
    if part.damaged is not None and part.damaged < LEAST_THERE:
        name = kind_of(data).name
        raise PhotoError(SkipReason.UNREADABLE, f"damaged {name}: {part.damaged:.0%} of its rows are there")
    return decode(part)


def _mended(data: bytes, limits: Limits) -> Part | None:
    mend = _MENDS.get(kind_of(data).pillow)
    try:
        return None if mend is None else mend(data, limits)
    except (PhotoError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:  # noqa: BLE001 -- the first error says what is wrong
        return None


def _mended_jpeg(data: bytes, limits: Limits) -> Part | None:
    """Ended where it ends: libjpeg then shows what it has, of a progressive one all rows in less detail."""
    part = Part(_whole_segments(data) + _END_OF_JPEG)
    try:
        return _before_the_rest(part, limits)
    except OSError:  # no longer a JPEG half-way
        return _before_the_rest(replace(part, lenient=True), limits)


def _whole_segments(data: bytes) -> bytes:
    """Without a segment that was cut off, which would take the end for a part of itself."""
    data = data.rstrip(b"\0")  # a download that was given its full length before it was complete
    last = 0
    for marker in _SEGMENT.finditer(data, max(2, len(data) - _SEGMENT_BYTES)):
        last = marker.start()
    length = int.from_bytes(data[last + 2 : last + 4], "big")
    return data[:last] if last and max(4, 2 + length) > len(data) - last else data


def _before_the_rest(part: Part, limits: Limits) -> Part:
    pixels = grey_of(part, limits)
    rows = _rows_before(pixels)
    share = rows / len(pixels)
    return replace(part, damaged=share, last=share)


def _rows_before(pixels: NDArray[np.uint8]) -> int:
    """How many rows come before those that were not decoded."""
    if int(pixels[-1, -1]) not in _NOT_DECODED:
        return len(pixels)
    blank = pixels == pixels[-1, -1]
    rows = len(pixels) - leading(blank.all(axis=1)[::-1])
    # Its last block ends with what was not decoded, too, unless it is complete.
    return rows - min(_BLOCK_ROWS, leading(blank[:rows, -1][::-1])) if rows < len(pixels) else rows


def _mended_gif(data: bytes, limits: Limits) -> Part | None:
    part = Part(data, lenient=True)
    with part.opened(limits) as image:
        check_declared(image, limits)
        interlaced = any(name == "gif" and options[1] for name, _, _, options in getattr(image, "tile", ()))
        image.load()
        indexes = np.asarray(image)
    height = len(indexes)
    if indexes.ndim != 2:  # noqa: PLR2004 -- no indexes into a palette
        return None
    blank = (indexes == indexes[-1, -1]).all(axis=1)
    if not interlaced:
        share = 1 - leading(blank[::-1]) / height
        return replace(part, damaged=share, last=share)
    # Every second row comes before those between, and of them every fourth one from the third on comes last.
    return None if blank[2::4][-_LAST_ROWS:].all() else replace(part, damaged=1.0, step=2)


_MENDS: dict[str | None, Mend] = {
    "JPEG": _mended_jpeg,
    "PNG": mended_png,
    "GIF": _mended_gif,
    "WEBP": filled_up,
    "AVIF": filled_up,
    "HEIF": filled_up,
    "BMP": filled_up,
    "TIFF": filled_up,
}
