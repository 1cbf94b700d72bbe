"""What there is of a photo."""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile

from imgmatch.imaging.opening import open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imgmatch.imaging.limits import Limits

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that can be decoded, and which of the pixels that come out are those of the photo.

    Attributes:
        data: the bytes of the photo, or what was made of them where they cannot be decoded.
        damaged: the share of the photo's rows that are there, up to 1; ``None`` for a whole photo.
        first: where they begin, as a share of all rows that come out.
        last: where they end.
        step: of an interlaced picture only every so many pixels of every so many rows are all there.
        lenient: the decoder must take what it gets.
    """

    data: bytes
    damaged: float | None = None
    first: float = 0.0
    last: float = 1.0
    step: int = 1
    lenient: bool = False

    @contextmanager
    def opened(self, limits: Limits) -> Iterator[Image.Image]:
        """The picture, opened; inside, it may be decoded. Raises whatever :func:`open_image` does."""
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        # Of the whole process: one picture is decoded at a time.
        ImageFile.LOAD_TRUNCATED_IMAGES = self.lenient
        try:
            with open_image(io.BytesIO(self.data), limits) as image:
                yield image
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of decoded pixels, of shape (height, width) or (height, width, channels)."""
        if self.first == 0.0 and self.last == 1.0 and self.step == 1:
            return pixels
        rows = self._rows(len(pixels))
        return pixels[rows.start : rows.stop : self.step, :: self.step]

    def size(self, declared: tuple[int, int]) -> tuple[int, int]:
        """Width and height of it, in pixels, of a picture with that width and height."""
        rows = self._rows(declared[1])
        return -(-declared[0] // self.step), -(-len(rows) // self.step)

    def _rows(self, height: int) -> range:
        # Of a draft, too, which has fewer: none that is there in part.
        return range(math.ceil(self.first * height - _ROUNDING), math.floor(self.last * height + _ROUNDING))


def leading(flags: NDArray[np.bool_]) -> int:
    """How many flags are set before the first that is not."""
    return len(flags) if flags.all() else int(np.argmin(flags))
