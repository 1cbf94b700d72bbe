"""Every picture mode to 8-bit colours, alpha laid over white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from imgmatch.imaging.grey import BAND_PIXELS, is_grey, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHITE = 255
_NO_CHROMA = 128
_FIRST_ROWS = 4
_STEPS = (8, 6, 5, 4, 3, 2)
_LARGE_PIXELS = 1 << 24
"""Of a larger picture not all colours are held at once: there may be no memory for them beside its pixels."""


def to_colour(image: Image.Image) -> NDArray[np.uint8]:
    """Decode ``image`` to bytes of shape (height, width) for grey, (…, 3) for RGB and (…, 4) for the inks of CMYK."""
    image.load()
    if is_grey(image):
        return to_grey(image)
    rows = max(1, BAND_PIXELS // image.width)
    bands = (
        _band(image.crop((0, top, image.width, min(image.height, top + rows)))) for top in range(0, image.height, rows)
    )
    first = next(bands)
    colour = np.empty((image.height, *first.shape[1:]), dtype=np.uint8)
    colour[: len(first)] = first
    for number, band in enumerate(bands, start=1):
        colour[number * rows : number * rows + len(band)] = band
    return colour


def _band(part: Image.Image) -> NDArray[np.uint8]:
    if part.has_transparency_data or part.mode == "RGBa":
        # Premultiplied colours: what is left of full opacity is white.
        pixels = np.asarray(part.convert("RGBA").convert("RGBa"))
        white: NDArray[np.uint16] = pixels[..., :3].astype(np.uint16) + (_WHITE - pixels[..., 3:])
        return np.asarray(np.minimum(white, _WHITE), dtype=np.uint8)
    if part.mode == "LAB":
        # Pillow converts it with a profile only, and gives its a and b with a sign; OpenCV adds 128 to them.
        lab = np.asarray(np.asarray(part) ^ np.array([0, 128, 128], dtype=np.uint8), dtype=np.uint8)
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.uint8)
    return np.asarray(part if part.mode in {"RGB", "CMYK"} else part.convert("RGB"))


def has_colour(colours: NDArray[np.uint8], *, chroma: bool) -> bool:
    """Whether any pixel is no grey.

    Args:
        colours: shape (height, width, 3), one block of memory.
        chroma: they are luma, Cb and Cr; else they are red, green and blue.
    """
    # Nearly always the first rows tell.
    return any(_has_colour(rows, chroma=chroma) for rows in (colours[:_FIRST_ROWS], colours))


def _has_colour(colours: NDArray[np.uint8], *, chroma: bool) -> bool:
    # By OpenCV: NumPy takes ten times as long for every third byte.
    first, *others = (cv2.extractChannel(colours, channel) for channel in range(3))
    return any(bool((plane != (_NO_CHROMA if chroma else first)).any()) for plane in others)


def to_fewer_rgb(image: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """The same as :func:`to_rgb`, or with means of so many pixels that at least that width and height are left.

    Of a large picture that no step divides, as many pixels are left out on each side of it as on the other: all that
    is done here to a picture is done to a turned one as well.
    """
    step = _step(image, width, height)
    if step == 1:
        return to_rgb(image)
    left, top = _margin(image.width, step), _margin(image.height, step)
    right, bottom = image.width - left, image.height - top
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(image.reduce(step, (left, top, right, bottom)))
    rows = max(1, BAND_PIXELS // image.width // step) * step
    bands = (image.crop((left, row, right, min(bottom, row + rows))) for row in range(top, bottom, rows))
    return np.concatenate([np.asarray(Image.fromarray(to_rgb(band)).reduce(step)) for band in bands])


def _step(image: Image.Image, width: int, height: int) -> int:
    fitting = [step for step in _STEPS if image.width >= step * width and image.height >= step * height]
    for step in fitting:
        if image.width % step == 0 and image.height % step == 0:
            return step
    odd = (step for step in fitting if step % 2)
    return next(odd, 1) if image.width * image.height > _LARGE_PIXELS else 1


def _margin(side: int, step: int) -> int:
    """The least number of pixels that, left out at both ends of a side, leave a multiple of the step."""
    return next(margin for margin in range(step) if (side - 2 * margin) % step == 0)


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Decode ``image`` to RGB, shape (height, width, 3), dtype uint8; colour profiles are not looked at."""
    pixels = to_colour(image)
    if pixels.ndim == 2:  # noqa: PLR2004 -- grey
        return np.repeat(pixels[..., np.newaxis], 3, axis=2)
    if pixels.shape[2] == 4:  # noqa: PLR2004 -- the inks of CMYK
        return np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB"))
    return pixels
