"""Something all over the picture through which, or between which, it still shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edits.base import Edit
from edits.stickers import stickered
from edits.tools import WHITE, blended, colour_of, cover, generator, image_of, pixels

if TYPE_CHECKING:
    from edits.base import Scene


def _scattered(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Many small stickers."""
    return stickered(picture, (14, 24, 40)[strength], (0.15, 0.28, 0.42)[strength], scene)


def _strewn(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Many small stickers of one kind, wherever they fall."""
    rng = scene.rng
    count = round((15, 28, 45)[strength] * rng.uniform(0.8, 1.2))
    return stickered(picture, count, (0.15, 0.28, 0.42)[strength], scene, alike=True, tries=1)


def _double(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Another photo showing through, as of a film exposed twice."""
    other = cover(scene.rng.choice(scene.others), *picture.size)
    share = round(255 * (0.22, 0.35, 0.45)[strength] * scene.rng.uniform(0.9, 1.1))
    return blended(picture, other, Image.new("L", picture.size, share))


def _light(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Bright spots and streaks of light: glitter, flares, leaks."""
    rng, size = scene.rng, picture.size
    glow = Image.new("L", size)
    pen = ImageDraw.Draw(glow)
    for _ in range((12, 30, 60)[strength]):
        x, y, reach = rng.uniform(0, size[0]), rng.uniform(0, size[1]), max(size) * rng.uniform(0.004, 0.03)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=rng.randint(90, 255))
    for _ in range(strength + 1):
        angle, middle = rng.uniform(0, math.pi), (rng.uniform(0, size[0]), rng.uniform(0, size[1]))
        step = math.cos(angle) * sum(size), math.sin(angle) * sum(size)
        ends = (middle[0] - step[0], middle[1] - step[1], middle[0] + step[0], middle[1] + step[1])
        pen.line(ends, fill=rng.randint(60, 160), width=round(max(size) * rng.uniform(0.02, 0.1)))
    glow = glow.filter(ImageFilter.GaussianBlur(max(size) * 0.006))
    return blended(picture, Image.new("RGB", size, rng.choice((WHITE, colour_of(rng)))), glow)


def _torn(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Dust, scratches and stains, as of an old print."""
    numbers, (width, height) = generator(scene), picture.size
    stain = Image.fromarray(numbers.integers(0, 256, (7, 7), dtype=np.uint8)).resize(
        picture.size, Image.Resampling.BICUBIC
    )
    values = pixels(picture) * (1 - (0.15, 0.3, 0.5)[strength] * (pixels(stain)[..., None] / 255))
    drawn = image_of(values + (10, 20, 30)[strength])
    pen = ImageDraw.Draw(drawn)
    for _ in range((8, 18, 36)[strength]):
        x, y, angle = scene.rng.uniform(0, width), scene.rng.uniform(0, height), scene.rng.uniform(0, math.tau)
        reach = max(width, height) * scene.rng.uniform(0.02, 0.3)
        shade = scene.rng.choice((235, 215, 40))
        ends = (x, y, x + reach * math.cos(angle), y + reach * math.sin(angle))
        pen.line(ends, fill=(shade, shade, shade - 20), width=max(1, max(width, height) // 400))
    return drawn


EDITS = (
    Edit("scattered", "overlaid", _scattered),
    Edit("strewn", "overlaid", _strewn),
    Edit("double-exposure", "overlaid", _double),
    Edit("light-spots", "overlaid", _light),
    Edit("old-print", "overlaid", _torn),
)
