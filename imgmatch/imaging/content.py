"""What a picture that seems flat shows after all: a photo on a large plain canvas, or a very dark one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

_OTHER = 12
"""Grey levels by which what is shown differs from the canvas; packing changes that by less."""

_LEAST_SIDE = 48
"""Pixels of what is shown: less is a mark on the canvas."""

_LEAST_LEVELS = 10
"""Between the darkest and the brightest of what is shown: less is noise."""

_FULL_LEVELS = 96
"""From here on it needs no brightening."""


@dataclass(frozen=True, slots=True)
class Content:
    """Where a picture shows something, and how its greys are to be spread.

    Attributes:
        rows: of the picture, from the first to the last that is not all canvas.
        columns: likewise.
        levels: what each grey level becomes, shape (256,), dtype uint8.
    """

    rows: slice
    columns: slice
    levels: Grey

    def spread(self, picture: Grey) -> Grey:
        """The picture, shape (height, width), with its greys spread; of any size."""
        return np.asarray(cv2.LUT(picture, self.levels), np.uint8)

    def cut(self, picture: Grey) -> Grey:
        """What is shown of the picture this was found in, its greys spread."""
        return self.spread(np.ascontiguousarray(picture[self.rows, self.columns]))


def content_of(picture: Grey) -> Content | None:
    """What a grey picture (height, width) shows; ``None`` where that is all of it as it is, or nothing at all."""
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    darkest, brightest = _range(picture)
    differs = np.abs(picture.astype(np.int16) - int(np.median(edges))) > min(_OTHER, (brightest - darkest) // 3)
    rows, columns = (_stretch(differs.sum(axis) > 1) for axis in (1, 0))
    if min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST_SIDE:
        return None
    low, high = _range(picture[rows, columns])
    if high - low < _LEAST_LEVELS:
        return None
    whole = rows.stop - rows.start == picture.shape[0] and columns.stop - columns.start == picture.shape[1]
    if high - low >= _FULL_LEVELS:
        return None if whole else Content(rows, columns, np.arange(256, dtype=np.uint8))
    levels = np.clip((np.arange(256) - low) * 255 / (high - low), 0, 255)
    return Content(rows, columns, np.rint(levels).astype(np.uint8))


def _stretch(there: NDArray[np.bool_]) -> slice:
    """From the first to the last of what is there."""
    places = np.flatnonzero(there)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _range(picture: Grey) -> tuple[int, int]:
    """The darkest and the brightest grey level, but for a few pixels and for noise."""
    smooth = cv2.blur(np.ascontiguousarray(picture), (3, 3))
    low, high = np.percentile(smooth, (0.5, 99.5))
    return int(low), int(high)
