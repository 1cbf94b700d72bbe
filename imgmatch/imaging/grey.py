"""Every picture mode to 8-bit grey, alpha laid over white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Conversion = Callable[[Image.Image], NDArray[np.uint8]]

_WHITE = 255
_SIXTEEN_BIT = 65535

BAND_PIXELS = 1 << 22
"""Pixels converted at once: the largest pictures leave no room for a second copy of themselves."""


def is_grey(image: Image.Image) -> bool:
    """Whether a picture can hold no colours, by its mode."""
    return image.mode[0] in "1LIF" and image.mode != "LAB"


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Decode ``image`` to luma, shape (height, width), dtype uint8.

    Luma is ITU-R 601 (Pillow's ``L``, and the Y channel of a JPEG), which is what PDQ is defined on. Of a
    moving picture it is the frame it stands at.
    """
    image.load()
    convert = _conversion(image)
    if image.width * image.height <= BAND_PIXELS:
        return convert(image)
    grey = np.empty((image.height, image.width), dtype=np.uint8)
    top = 0
    for band in _bands(image):
        grey[top : top + band.height] = convert(band)
        top += band.height
    return grey


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(image.height, top + rows)))


def _conversion(image: Image.Image) -> Conversion:
    """What turns ``image``, or any part of it, to grey."""
    mode = image.mode
    if mode.startswith("I"):
        return _integers(image)
    if image.has_transparency_data or mode in {"La", "RGBa"}:
        return _over_white
    if mode == "F":
        return _floats(image)
    return _luma


def _luma(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0))
    if image.mode in {"HSV", "CMYK"}:
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


def _integers(image: Image.Image) -> Conversion:
    # Modes I;16* are 16 bits wide; mode I says nothing of its range, and files that use it hold 16-bit samples.
    in_bytes = image.mode == "I" and all(int(np.asarray(band).max()) <= _WHITE for band in _bands(image))
    clear = image.info.get("transparency")  # one grey level; Pillow would clip every level above 255

    def convert(part: Image.Image) -> NDArray[np.uint8]:
        values = np.asarray(part)
        if isinstance(clear, int):
            values = np.where(values == clear, _SIXTEEN_BIT, values)
        if in_bytes:
            return np.asarray(values.clip(0, _WHITE), dtype=np.uint8)
        return np.asarray(values.clip(0, _SIXTEEN_BIT) >> 8, dtype=np.uint8)

    return convert


def _floats(image: Image.Image) -> Conversion:
    top = max(float(_finite(band).max()) for band in _bands(image))
    scale = 1.0 if 1.0 < top <= _WHITE else _WHITE / max(top, 1.0)

    def convert(part: Image.Image) -> NDArray[np.uint8]:
        return np.asarray((_finite(part) * scale).clip(0, _WHITE), dtype=np.uint8)

    return convert


def _finite(image: Image.Image) -> NDArray[np.floating]:
    values = np.asarray(image)
    return np.where(np.isfinite(values), values, 0)
