"""Patterns laid over the whole picture to upset a comparison of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edits.base import Edit
from edits.tools import BLACK, WHITE, colour_of, image_of, pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edits.base import Scene
    from edits.tools import Colour

    Mask = NDArray[np.bool_]


def waves(picture: Image.Image, angle: float, period: float, share: float, start: float) -> Mask:
    """True on stripes of this share of a period, pixels; an angle of 0 gives upright ones."""
    down, across = np.ogrid[0 : picture.height, 0 : picture.width]
    return np.asarray(((across * np.cos(angle) + down * np.sin(angle)) / period + start) % 1 < share)


def painted(picture: Image.Image, mask: Mask, colour: Colour, opacity: float) -> Image.Image:
    """With a colour laid over the mask."""
    values = pixels(picture).astype(np.float32)
    values[mask] = values[mask] * (1 - opacity) + np.array(colour, dtype=np.float32) * opacity
    return image_of(values)


def _stripes(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    rng = scene.rng
    angle = rng.choice((0, np.pi / 2, np.pi / 4, -np.pi / 4, rng.uniform(0, np.pi)))
    period = max(6, max(picture.size) * rng.uniform(0.04, 0.1))
    mask = waves(picture, angle, period, (0.2, 0.35, 0.5)[strength], rng.random())
    colour = rng.choice((BLACK, WHITE, colour_of(rng)))
    return painted(picture, mask, colour, (0.25, 0.45, 0.7)[strength] * rng.uniform(0.9, 1.1))


def _grid(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Thin lines across and down."""
    rng = scene.rng
    period = max(8, max(picture.size) * (0.14, 0.09, 0.06)[strength] * rng.uniform(0.85, 1.15))
    share = max((0.08, 0.12, 0.18)[strength], 1.01 / period)
    mask = waves(picture, 0, period, share, rng.random()) | waves(picture, np.pi / 2, period, share, rng.random())
    return painted(picture, mask, rng.choice((BLACK, WHITE, colour_of(rng))), (0.4, 0.65, 0.9)[strength])


def _scanlines(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """As an old tube shows it: every few rows darker."""
    period = scene.rng.choice((3, 4)) * max(1, round(max(picture.size) / 500))
    mask = waves(picture, np.pi / 2, period, 0.5, 0)
    return painted(picture, mask, BLACK, (0.2, 0.4, 0.65)[strength] * scene.rng.uniform(0.9, 1.1))


EDITS = (
    Edit("stripes", "stripes", _stripes),
    Edit("grid", "stripes", _grid),
    Edit("scanlines", "stripes", _scanlines),
)
