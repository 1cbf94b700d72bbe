"""A part of the picture saved in another shape: a wide crop as a small square, its sides scaled unalike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edits.base import Edit
from edits.tools import jpeg, resized

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _crop(picture: Image.Image, share: float, shape: float, scene: Scene) -> Image.Image:
    """A crop with this share of the area, ``shape`` times as wide as high, rather from the middle."""
    height = min((share * picture.width * picture.height / shape) ** 0.5, picture.height)
    width = min(height * shape, picture.width)
    left = (picture.width - width) * scene.rng.uniform(0.25, 0.75)
    top = (picture.height - height) * scene.rng.uniform(0.1, 0.6)
    return picture.crop((round(left), round(top), round(left + width), round(top + height)))


def _squeezed(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """To a square of which one side is scaled by up to twice the other, and packed hard."""
    shape = (1.25, 1.5, 1.9)[strength] * scene.rng.uniform(0.92, 1.05)
    if scene.rng.random() < 0.3:
        shape = 1 / shape
    part = _crop(picture, scene.rng.uniform(0.5, 0.8), shape, scene)
    side = (200, 160, 128)[strength] * scene.rng.uniform(0.95, 1.2)
    return jpeg(resized(part, side, side), scene.rng.randint(*((70, 85), (55, 75), (45, 65))[strength]))


def _squashed(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The whole picture, narrower or lower than it was."""
    factor = (1.25, 1.5, 1.85)[strength] * scene.rng.uniform(0.95, 1.05)
    wide = scene.rng.random() < 0.5
    return resized(picture, picture.width / (factor if wide else 1), picture.height / (1 if wide else factor))


EDITS = (
    Edit("squeezed", "squeeze", _squeezed),
    Edit("squashed", "squeeze", _squashed),
)
