"""Files that were cut off, filled up for decoders that want all of a file: WebP, AVIF, HEIC, BMP and TIFF."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING

from PIL import Image

from imgmatch.errors import PhotoError
from imgmatch.imaging.decoding import grey_of
from imgmatch.imaging.parts import Part, leading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from imgmatch.imaging.limits import Limits

_FILLINGS = (b"\0", b"\0\1", b"\1", b"\x55", b"\xaa", b"\xff")
"""Bytes that stand in for what was cut off. Rows that come out the same with two of them are the photo's own."""

_LEFT_OUT = (0.0, 0.01, 0.05)
"""Some codes end too soon on any filling: then these shares of the bytes that are there are filled over, too."""

_MOST_FILLED = 3
"""So many times the bytes that are there may be filled in: of so much less is too little there in any case."""

_MOST_TRIED = 100_000_000
"""Pixels decoded in all before a photo is given up, but for two tries."""

_UNBOUNDED = 1 << 62


def filled_up(data: bytes, limits: Limits) -> Part | None:
    """The file at its full length, and which rows of it do not depend on what it was filled with."""
    missing = min(_declared_length(data) - len(data), _MOST_FILLED * len(data))
    if missing <= 0:
        return None
    found: list[tuple[Part, NDArray[np.uint8]]] = []
    for part in islice(_fillings(data, missing), _tries(data, missing, limits)):
        try:
            found.append((part, grey_of(part, limits)))
        except (PhotoError, MemoryError, Image.DecompressionBombError):
            raise
        except Exception:  # noqa: BLE001, S112 -- another filling may be one that decodes
            continue
        if len(found) == 2:  # noqa: PLR2004 -- a pair to compare
            return _alike(found[0][0], found[0][1], found[1][1])
    return None


def _fillings(data: bytes, missing: int) -> Iterator[Part]:
    for left_out, filling in product(_LEFT_OUT, _FILLINGS):
        kept = data[: round(len(data) * (1 - left_out))]
        count = missing + len(data) - len(kept)
        yield Part(kept + (filling * count)[:count])


def _tries(data: bytes, missing: int, limits: Limits) -> int:
    if missing == _MOST_FILLED * len(data):  # without a code, or too little is there
        return 2
    with next(_fillings(data, missing)).opened(limits) as image:
        return max(2, _MOST_TRIED // (image.width * image.height))


def _declared_length(data: bytes) -> int:
    """Of the file in bytes, as far as its format declares it; else more than any file has."""
    if data[:4] == b"RIFF":
        return 8 + int.from_bytes(data[4:8], "little")
    if data[4:8] != b"ftyp":
        return _UNBOUNDED
    end = 0
    while end < len(data):  # boxes, each of which begins with its length
        length = int.from_bytes(data[end : end + 4], "big")
        if length == 1:
            length = int.from_bytes(data[end + 8 : end + 16], "big")
        if length < 8:  # noqa: PLR2004 -- to the end of the file, or damaged
            return _UNBOUNDED
        end += length
    return end


def _alike(part: Part, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Part:
    same = (one == other).all(axis=1)
    if same[0]:
        share = leading(same) / len(same)
        return replace(part, damaged=share, last=share)
    share = leading(same[::-1]) / len(same)  # a BMP begins with its last row
    return replace(part, damaged=share, first=1 - share)
