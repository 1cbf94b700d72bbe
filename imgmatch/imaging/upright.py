"""Turning a picture the way its camera says it was held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_ORIENTATION = 0x0112  # EXIF 2.3, tag Orientation

SIDEWAYS = range(5, 9)
"""The orientations that change width and height for each other."""


def orientation_tag(image: Image.Image) -> int:
    """The EXIF orientation of a decoded picture, 1 to 8; 1 where there is none or it makes no sense."""
    if image.format == "HEIF":
        return 1  # its decoder has turned the picture already
    try:
        tag = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 -- a damaged EXIF block does not make the picture unusable
        return 1
    return tag if isinstance(tag, int) and 1 <= tag <= 8 else 1  # noqa: PLR2004 -- the range EXIF defines


def upright(picture: NDArray[np.uint8], tag: int) -> NDArray[np.uint8]:
    """Undo EXIF orientation ``tag`` on a picture of shape (height, width), or (height, width, channels)."""
    transposed = picture.swapaxes(0, 1)
    turned = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: transposed,
        6: transposed[:, ::-1],
        7: transposed[::-1, ::-1],
        8: transposed[::-1],
    }[tag]
    return np.ascontiguousarray(turned)
