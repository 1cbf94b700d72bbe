"""A part of the picture, kept as a rectangle, a square or a circle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from edits.base import Edit
from edits.tools import cover, detail, paste_rounded, plain_colour

if TYPE_CHECKING:
    import random

    from edits.base import Draw, Scene

AREAS = (95, 80, 60, 40, 30, 20)
TRIES = 3


def _box(size: tuple[int, int], share: float, strength: int, rng: random.Random) -> tuple[int, int, int, int]:
    """A rectangle of this share of the area: near the middle, anywhere, or anywhere and of other proportions.

    The proportions move within the room that the share leaves, so that the share holds.
    """
    room = min((0.02, 0.12, 0.3)[strength], -math.log(share) / 2)
    bent = math.exp(rng.uniform(-room, room))
    width, height = size[0] * share**0.5 * bent, size[1] * share**0.5 / bent
    reach = (0.3, 1.0, 1.0)[strength]
    left, top = ((1 + reach * rng.uniform(-1, 1)) / 2 for _ in range(2))
    left, top = left * (size[0] - width), top * (size[1] - height)
    return round(left), round(top), round(left + width), round(top + height)


def cropped(picture: Image.Image, share: float, strength: int, scene: Scene) -> Image.Image:
    """The part of a few tries where there is most to see: nobody keeps the empty wall beside the person."""
    parts = [picture.crop(_box(picture.size, share, strength, scene.rng)) for _ in range(TRIES)]
    return max(parts, key=detail)


def _by_area(percent: int) -> Draw:
    def draw(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
        return cropped(picture, percent / 100, strength, scene)

    return draw


def squared(picture: Image.Image, jitter: float, scene: Scene) -> Image.Image:
    """The largest square, moved from the middle by this share of the room; at least half of the area stays."""
    wide, high = picture.size
    side = min(wide, high)
    rest = max(side, math.ceil(wide * high / 2 / side))
    at = tuple(min(1, max(0, 0.5 + jitter * scene.rng.uniform(-0.5, 0.5))) for _ in range(2))
    if wide > high:
        return cover(picture, rest, side, (at[0], 0.5))
    return cover(picture, side, rest, (0.5, at[1]))


def _square(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return squared(picture, (0.15, 0.6, 1.0)[strength], scene)


def _avatar(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Cut round as sites show it, on whatever was behind; zoomed in a little the heavier it gets."""
    side = min(picture.size)
    zoom = 1 + (0, 0.12, 0.3)[strength] * scene.rng.uniform(0.8, 1.1)
    at = scene.rng.uniform(0.35, 0.65), scene.rng.uniform(0.2, 0.6)
    part = cover(picture, side * zoom, side * zoom, at)
    left, top = (round((part.width - side) * where) for where in at)
    part = part.crop((left, top, left + side, top + side))
    margin = round(side * scene.rng.uniform(0, 0.06))
    canvas = Image.new("RGB", (side + 2 * margin,) * 2, plain_colour(scene.rng))
    paste_rounded(canvas, part, (margin, margin), side / 2)
    return canvas


def _head(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Head and shoulders: somewhat above the middle, and as large again as it was."""
    wide, high = (side / (1.35, 1.6, 2.0)[strength] * scene.rng.uniform(0.95, 1.05) for side in picture.size)
    left = (picture.width - wide) * scene.rng.uniform(0.35, 0.65)
    top = (picture.height - high) * scene.rng.uniform(0.1, 0.4)
    part = picture.crop((round(left), round(top), round(left + wide), round(top + high)))
    return part.resize(picture.size, Image.Resampling.BICUBIC)


EDITS = (
    *(Edit(f"crop-{percent}", "crop", _by_area(percent)) for percent in AREAS),
    Edit("square", "crop", _square),
    Edit("avatar", "crop", _avatar),
    Edit("head-and-shoulders", "crop", _head),
)
