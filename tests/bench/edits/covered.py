"""A large part of the picture covered by what is opaque: bars, blocks, walls of text, scribbles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw

from edits.base import Edit
from edits.stripes import painted, waves
from edits.tools import BLACK, WHITE, colour_of, ink_on
from edits.words import PHRASES, face

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene

SHARES = (0.22, 0.4, 0.55)
"""Of the area, by strength."""


def _bars(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Stripes of one colour all over, upright, level or slanting."""
    rng = scene.rng
    period, angle = max(picture.size) * rng.uniform(0.08, 0.25), rng.choice((0, np.pi / 2, rng.uniform(0, np.pi)))
    mask = waves(picture, angle, period, SHARES[strength], rng.random())
    return painted(picture, mask, rng.choice((BLACK, WHITE, colour_of(rng), colour_of(rng))), 1)


def _blocks(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Rectangles and ovals of plain colours, up to that share of the area."""
    rng, canvas = scene.rng, picture.copy()
    pen = ImageDraw.Draw(canvas)
    count = rng.randint(2, 7)
    for _ in range(count):
        area = SHARES[strength] * picture.width * picture.height / count * rng.uniform(0.8, 1.3)
        shape = rng.uniform(0.5, 2)
        width, height = (area * shape) ** 0.5, (area / shape) ** 0.5
        left, top = rng.uniform(-0.1, 1.1) * (picture.width - width), rng.uniform(-0.1, 1.1) * (picture.height - height)
        draw = rng.choice((pen.rectangle, pen.ellipse))
        draw((left, top, left + width, top + height), fill=rng.choice((BLACK, WHITE, colour_of(rng))))
    return canvas


def _text_wall(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Lines of words from top to bottom."""
    rng, canvas = scene.rng, picture.copy()
    pen, colour = ImageDraw.Draw(canvas), rng.choice((WHITE, BLACK, colour_of(rng)))
    size = max(9, round(min(picture.size) * rng.uniform(0.05, 0.08)))
    gap = size * (2.6, 1.9, 1.5)[strength]
    top = rng.uniform(0, gap)
    while top < picture.height:
        words = " ".join(rng.choice(PHRASES) for _ in range(6))
        place = (-rng.uniform(0, size * 8), top)
        pen.text(
            place, words, fill=colour, font=face(size), stroke_width=max(1, size // 12), stroke_fill=ink_on(colour)
        )
        top += gap
    return canvas


def _scribbles(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Thick lines across the picture in many colours."""
    rng, canvas = scene.rng, picture.copy()
    pen, width = ImageDraw.Draw(canvas), max(2, round(max(picture.size) * 0.012))
    for _ in range((10, 22, 36)[strength]):
        ends = [(rng.uniform(-0.1, 1.1) * picture.width, rng.uniform(-0.1, 1.1) * picture.height) for _ in range(3)]
        pen.line(ends, fill=colour_of(rng), width=width, joint="curve")
    return canvas


EDITS = (
    Edit("bars", "covered", _bars),
    Edit("blocks", "covered", _blocks),
    Edit("text-wall", "covered", _text_wall),
    Edit("scribbles", "covered", _scribbles),
)
