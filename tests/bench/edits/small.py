"""Little of the picture is left: the small pictures that lists and comments show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from edits.base import Edit
from edits.colour import warm
from edits.crop import squared
from edits.tools import jpeg, longest, plain_colour, rounded_mask

if TYPE_CHECKING:
    from edits.base import Scene


def _thumbnail(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A square of a few pixels, packed hard."""
    part = squared(picture, scene.rng.uniform(0, 0.6), scene)
    return jpeg(longest(part, (96, 72, 64)[strength]), (80, 70, 60)[strength])


def _round(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A small circle on a plain ground."""
    part = longest(squared(picture, scene.rng.uniform(0, 0.6), scene), (128, 96, 72)[strength])
    canvas = Image.new("RGB", part.size, plain_colour(scene.rng))
    canvas.paste(part, (0, 0), rounded_mask(part.size, part.width))
    return jpeg(canvas, 80)


def _zoomed(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A part of it, as of a face, mirrored, in other colours and not large."""
    share = (0.6, 0.45, 0.33)[strength] * scene.rng.uniform(0.9, 1.1)
    width, height = picture.width * share, picture.height * share
    left = (picture.width - width) * scene.rng.uniform(0.3, 0.7)
    top = (picture.height - height) * scene.rng.uniform(0.05, 0.4)
    part = picture.crop((round(left), round(top), round(left + width), round(top + height)))
    toned = warm(ImageOps.mirror(part), scene.rng.choice((-1, 1)) * (0.1, 0.2, 0.3)[strength])
    return jpeg(longest(toned, (480, 320, 200)[strength]), 75)


EDITS = (
    Edit("thumbnail", "small", _thumbnail),
    Edit("round-avatar", "small", _round),
    Edit("zoom+mirror+filter", "small", _zoomed),
)
