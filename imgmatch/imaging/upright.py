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


def upright(grey: NDArray[np.uint8], tag: int) -> NDArray[np.uint8]:
    """Undo EXIF orientation ``tag`` on a picture of shape (height, width)."""
    turned = {
        1: grey,
        2: grey[:, ::-1],
        3: grey[::-1, ::-1],
        4: grey[::-1],
        5: grey.T,
        6: grey.T[:, ::-1],
        7: grey[::-1, ::-1].T,
        8: grey.T[::-1],
    }[tag]
    return np.ascontiguousarray(turned)
