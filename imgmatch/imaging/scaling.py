"""Pictures made smaller, always to the same pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch.imaging.sizes import KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORT_SIDE = 32
"""A very long strip keeps at least this many pixels across."""


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with a longer side of ``side`` pixels, or as they are if that is more."""
    scale = min(1.0, max(side / max(width, height), SHORT_SIDE / min(width, height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrunk(picture: NDArray[np.uint8], width: int, height: int, side: int) -> NDArray[np.uint8]:
    """A decoded picture, grey or in channels, of a photo of that width and height, brought near ``side`` pixels."""
    target = scaled_size(width, height, side)
    if max(picture.shape[:2]) <= KEPT * side or picture.shape[1] <= target[0]:
        return picture
    # Up to a half, which is all that a draft decode leaves, linear interpolation sees every pixel too, and is six times
    # as fast as the mean over areas.
    halved = picture.shape[1] <= 2 * target[0] and picture.shape[0] <= 2 * target[1]
    method = cv2.INTER_LINEAR_EXACT if halved else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, target, interpolation=method), dtype=np.uint8)
