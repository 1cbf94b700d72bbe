"""The picture at another size or in other proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edits.base import Edit
from edits.tools import resized, scaled

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


USABLE = 64
"""No side is made smaller than this: a site shows no smaller face, and no finder is asked for one."""


def _smaller(picture: Image.Image, factor: float) -> Image.Image:
    return scaled(picture, max(factor, min(1, USABLE / min(picture.size))))


def _half(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return _smaller(picture, (0.7, 0.5, 0.4)[strength] * scene.rng.uniform(0.93, 1.07))


def _quarter(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return _smaller(picture, (0.35, 0.25, 0.2)[strength] * scene.rng.uniform(0.93, 1.07))


def _tiny(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """What is left where a site shows a list of faces."""
    side = (200, 160, 120)[strength] + scene.rng.randint(-6, 6)
    return _smaller(picture, side / max(picture.size))


def _enlarged(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return scaled(picture, (1.4, 2, 3)[strength] * scene.rng.uniform(0.93, 1.07))


def _stretched(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Squeezed into a form that had other proportions."""
    factor = 1 + (0.05, 0.12, 0.2)[strength] * scene.rng.uniform(0.9, 1.1)
    if scene.rng.random() < 0.5:
        factor = 1 / factor
    return resized(picture, picture.width * factor, picture.height)


EDITS = (
    Edit("half-size", "size", _half),
    Edit("quarter-size", "size", _quarter),
    Edit("tiny", "size", _tiny),
    Edit("enlarged", "size", _enlarged),
    Edit("stretched", "size", _stretched),
)
