"""Geometry, compression and masks that many edits share."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageOps, ImageStat

if TYPE_CHECKING:
    import random

    from numpy.typing import ArrayLike, NDArray

    from edits.base import Scene

    Pixels = NDArray[np.uint8]

Colour = tuple[int, int, int]
Size = tuple[int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
PASTEL = (0.15, 0.45, 0.85, 1.0)
VIVID = (0.55, 1.0, 0.7, 1.0)


def pixels(image: Image.Image) -> Pixels:
    """A copy of the pixels, shape (height, width, 3) or (height, width)."""
    return np.array(image, dtype=np.uint8)


def image_of(values: ArrayLike) -> Image.Image:
    """The picture of some values, rounded and held within 0..255."""
    return Image.fromarray(np.clip(np.rint(np.asarray(values)), 0, 255).astype(np.uint8))


def generator(scene: Scene) -> np.random.Generator:
    """Numbers for whole arrays; still decided by the scene's seed."""
    return np.random.default_rng(scene.rng.getrandbits(64))


def passed_through(picture: Image.Image, packing: str, quality: int) -> Image.Image:
    """The picture as another application opens it: packed as JPEG or WEBP and unpacked."""
    packed = BytesIO()
    picture.save(packed, packing, quality=quality)
    with Image.open(packed) as opened:
        return opened.convert("RGB")


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    return passed_through(picture, "JPEG", quality)


def resized(picture: Image.Image, width: float, height: float) -> Image.Image:
    """To this size, at least one pixel: averaged on the way down, interpolated on the way up."""
    size = max(1, round(width)), max(1, round(height))
    down = size[0] < picture.width or size[1] < picture.height
    return picture.resize(size, Image.Resampling.LANCZOS if down else Image.Resampling.BICUBIC)


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    return resized(picture, picture.width * factor, picture.height * factor)


def longest(picture: Image.Image, side: float) -> Image.Image:
    """Scaled, up or down, until its longer side has this length."""
    return scaled(picture, side / max(picture.size))


def at_least(picture: Image.Image, side: float) -> Image.Image:
    """Scaled up until its longer side has this length; for edits whose fine drawing needs room."""
    return longest(picture, side) if max(picture.size) < side else picture


def cover(picture: Image.Image, width: float, height: float, at: tuple[float, float] = (0.5, 0.4)) -> Image.Image:
    """Scaled and cropped to fill a cell; ``at`` says which part stays, by default the middle and rather the top."""
    wide, high = max(1, round(width)), max(1, round(height))
    factor = max(wide / picture.width, high / picture.height)
    part_wide, part_high = wide / factor, high / factor
    left, top = max(0, picture.width - part_wide) * at[0], max(0, picture.height - part_high) * at[1]
    box = (left, top, min(left + part_wide, picture.width), min(top + part_high, picture.height))
    return picture.resize((wide, high), Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC, box=box)


def contain(picture: Image.Image, width: float, height: float) -> Image.Image:
    """Scaled to fit into a cell, nothing cropped."""
    return scaled(picture, min(width / picture.width, height / picture.height))


def rounded_mask(size: Size, radius: float) -> Image.Image:
    """White where a rectangle with round corners is, with a soft edge; half the side gives a circle."""
    width, height = size
    radius = max(0.5, min(radius, width / 2, height / 2))
    down = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    across = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    distance = np.hypot(np.maximum(down, 0)[:, None], np.maximum(across, 0)[None, :])
    return image_of((radius - distance + 0.5).clip(0, 1) * 255)


def paste_rounded(canvas: Image.Image, picture: Image.Image, place: tuple[float, float], radius: float) -> None:
    canvas.paste(picture, (round(place[0]), round(place[1])), rounded_mask(picture.size, radius))


def colour_of(rng: random.Random, kind: tuple[float, float, float, float] = VIVID) -> Colour:
    """A colour of any hue; ``kind`` gives the ranges of saturation and brightness, 0..1."""
    hue, saturation, value = rng.random() * 180, rng.uniform(*kind[:2]) * 255, rng.uniform(*kind[2:]) * 255
    red, green, blue = cv2.cvtColor(np.array([[[hue, saturation, value]]]).astype(np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(red), int(green), int(blue)


def plain_colour(rng: random.Random) -> Colour:
    """What people put behind or round a picture: white, black, or any colour."""
    return rng.choice((WHITE, BLACK, colour_of(rng), colour_of(rng, PASTEL)))


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever can be read on it."""
    red, green, blue = colour
    return BLACK if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else WHITE


def turned(picture: Image.Image, degrees: float, fill: Colour | int = 0) -> Image.Image:
    """Turned on a canvas that has room for it; a thin edge of the fill keeps its sides from looking like stairs."""
    edged = ImageOps.expand(picture, 2, fill)
    return edged.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


def detail(picture: Image.Image) -> float:
    """How much there is to see: the spread of the brightness, 0 for an empty wall."""
    return ImageStat.Stat(picture.convert("L").resize((24, 24), Image.Resampling.BOX)).stddev[0]


def blended(under: Image.Image, over: Image.Image, mask: Image.Image) -> Image.Image:
    """``over`` where the mask is white, ``under`` where it is black."""
    return Image.composite(over, under, mask)


def gradient(size: Size, first: Colour, second: Colour, angle: float) -> Image.Image:
    """One colour going over into another along an angle, radians."""
    width, height = size
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    share = (across * np.cos(angle) + down * np.sin(angle)) / 2**0.5 / 2 + 0.5
    return image_of(np.array(first) * (1 - share[..., None]) + np.array(second) * share[..., None])
