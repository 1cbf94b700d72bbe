"""Filters: the picture is all there, in other colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageEnhance

from edits.base import ONE, Edit
from edits.tools import blended, image_of, pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edits.base import Scene
    from edits.tools import Pixels

SEPIA = np.array([(0.393, 0.349, 0.272), (0.769, 0.686, 0.534), (0.189, 0.168, 0.131)])
"""The customary weights of red, green and blue (rows) in each channel (columns)."""


def grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L").convert("RGB")


def tinted(picture: Image.Image, gains: tuple[float, float, float]) -> Image.Image:
    """Each channel multiplied."""
    return picture.point([min(255, round(value * gain)) for gain in gains for value in range(256)])


def warm(picture: Image.Image, amount: float) -> Image.Image:
    """Evening light; a negative amount gives the cold light of a screen. 0.1 shows, 0.4 is much."""
    return tinted(picture, (1 + amount, 1 + amount / 5, 1 - amount))


def _grey(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
    return grey(picture)


def _sepia(picture: Image.Image, strength: int, _scene: Scene) -> Image.Image:
    sepia = image_of(pixels(picture) @ SEPIA * 0.95)
    share = round(255 * (0.5, 0.8, 1)[strength])
    return blended(picture, sepia, picture.convert("L").point([share] * 256))


def _warm(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return warm(picture, (0.08, 0.18, 0.32)[strength] * scene.rng.uniform(0.85, 1.15))


def _cold(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return warm(picture, -(0.08, 0.18, 0.32)[strength] * scene.rng.uniform(0.85, 1.15))


def _tone(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Brightness, contrast and gamma moved together, as the sliders of an editor do."""
    amount = (0.12, 0.25, 0.45)[strength]
    brightness, contrast, gamma = (scene.rng.choice((-1, 1)) * amount * scene.rng.uniform(0.6, 1) for _ in range(3))
    curve = [255 * (value / 255) ** (1 + gamma) for value in range(256)]
    curve = [((value - 128) * (1 + contrast) + 128) * (1 + brightness / 2) for value in curve]
    return picture.point([min(255, max(0, round(value))) for value in curve] * 3)


def _saturation(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    factor = scene.rng.choice(((0.7, 1.4), (0.4, 1.9), (0.15, 2.8))[strength]) * scene.rng.uniform(0.9, 1.1)
    return ImageEnhance.Color(picture).enhance(factor)


def _posterised(picture: Image.Image, strength: int, _scene: Scene) -> Image.Image:
    """Few levels of each colour, from black to white."""
    steps = (11, 6, 3)[strength]
    return picture.point([round(round(value / 255 * steps) * 255 / steps) for value in range(256)] * 3)


def _distance(values: Pixels, centre: tuple[float, float]) -> NDArray[np.float64]:
    """How far each pixel is from a centre (0..1 across and down); about 1 in the corners."""
    down, across = np.ogrid[0 : 1 : values.shape[0] * 1j, 0 : 1 : values.shape[1] * 1j]
    return np.asarray(np.hypot(across - centre[0], down - centre[1]) * 2**0.5)[..., None]


def vignette(picture: Image.Image, amount: float, scene: Scene) -> Image.Image:
    values = pixels(picture)
    centre = scene.rng.uniform(0.4, 0.6), scene.rng.uniform(0.4, 0.6)
    return image_of(values * (1 - amount * np.clip(_distance(values, centre), 0, 1) ** 2))


def _vignette(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return vignette(picture, (0.4, 0.65, 0.92)[strength], scene)


def _night(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Day made night: dark, blue, its lights kept, and dark round the edge."""
    dark = picture.point([round(255 * (value / 255) ** (1.3, 1.6, 2)[strength]) for value in range(256)] * 3)
    blue = tinted(dark, ((0.75, 0.6, 0.45)[strength], (0.85, 0.72, 0.58)[strength], scene.rng.uniform(0.9, 1.05)))
    return vignette(blue, 0.35, scene)


EDITS = (
    Edit("grey", "colour", _grey, ONE),
    Edit("sepia", "colour", _sepia),
    Edit("warm", "colour", _warm),
    Edit("cold", "colour", _cold),
    Edit("tone", "colour", _tone),
    Edit("saturation", "colour", _saturation),
    Edit("posterised", "colour", _posterised),
    Edit("vignette", "colour", _vignette),
    Edit("night", "colour", _night),
)
