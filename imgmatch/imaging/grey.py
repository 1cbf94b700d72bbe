"""Every picture mode to 8-bit grey, alpha laid over white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHITE = 255
_SIXTEEN_BIT = 65535


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Decode ``image`` to luma, shape (height, width), dtype uint8.

    Luma is ITU-R 601 (Pillow's ``L``, and the Y channel of a JPEG), which is what PDQ is defined on. Of an animation
    the first frame is taken.
    """
    mode = image.mode
    if image.has_transparency_data or mode in {"La", "RGBa"}:
        return _over_white(image)
    if mode.startswith("I"):
        return _from_integers(np.asarray(image))
    if mode == "F":
        return _from_floats(np.asarray(image))
    if mode == "LAB":
        return np.asarray(image.getchannel(0))
    if mode in {"HSV", "CMYK"}:
        image = image.convert("RGB")
    return np.asarray(image if image.mode == "L" else image.convert("L"))


def _over_white(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in {"LA", "La"}:
        pixels = np.asarray(image.convert("La"))
        luma, alpha = pixels[..., 0], pixels[..., 1]
    else:
        # Premultiplied colours: what is left of full opacity is white. Luma is linear, so it may be taken before.
        premultiplied = image.convert("RGBA").convert("RGBa")
        *colours, opacity = premultiplied.split()
        alpha = np.asarray(opacity)
        luma = np.asarray(Image.merge("RGB", colours).convert("L"))
    white: NDArray[np.uint16] = luma.astype(np.uint16) + (_WHITE - alpha)
    return np.asarray(np.minimum(white, _WHITE), dtype=np.uint8)


def _from_integers(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    # Modes I;16* are 16 bits wide; mode I says nothing of its range, and files that use it hold 16-bit samples.
    if values.dtype.itemsize > 2 and int(values.max(initial=0)) <= _WHITE:  # noqa: PLR2004 -- bytes of 16 bits
        return np.asarray(values.clip(0, _WHITE), dtype=np.uint8)
    return np.asarray(values.clip(0, _SIXTEEN_BIT) >> 8, dtype=np.uint8)


def _from_floats(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(finite.max(initial=0.0))
    scale = 1.0 if 1.0 < top <= _WHITE else _WHITE / max(top, 1.0)
    return np.asarray((finite * scale).clip(0, _WHITE), dtype=np.uint8)
