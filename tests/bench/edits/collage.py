"""The picture as one part of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from edits.base import Edit
from edits.tools import at_least, cover, plain_colour

if TYPE_CHECKING:
    from edits.base import Scene

CELLS = (480, 360, 260)
"""The longer side of a cell of four, by strength."""


def _laid_out(picture: Image.Image, columns: int, rows: int, cell: tuple[int, int], scene: Scene) -> Image.Image:
    """The picture and others in equal cells with a gap between, the picture in any of them."""
    rng = scene.rng
    gap = rng.choice((0, round(max(cell) * 0.02), round(max(cell) * 0.04)))
    size = columns * cell[0] + (columns + 1) * gap, rows * cell[1] + (rows + 1) * gap
    canvas = Image.new("RGB", size, plain_colour(rng))
    shown = rng.sample(list(scene.others), columns * rows - 1)
    shown.insert(rng.randrange(columns * rows), picture)
    for place, part in enumerate(shown):
        left, top = gap + place % columns * (cell[0] + gap), gap + place // columns * (cell[1] + gap)
        canvas.paste(cover(part, *cell, (rng.uniform(0.4, 0.6), rng.uniform(0.25, 0.6))), (left, top))
    return canvas


def _of_two(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Side by side or stacked; heavier: cells of other proportions than the picture, so that more is cut away."""
    side = min(max(at_least(picture, 300).size), 640)
    beside = scene.rng.random() < 0.6
    long = (1.2, 1.0, 0.75)[strength]
    cell = (round(side * 0.75), round(side * 0.75 * long)) if beside else (side, round(side * 0.7 * long))
    return _laid_out(picture, 2 if beside else 1, 1 if beside else 2, cell, scene)


def _of_four(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Two by two; heavier: smaller."""
    side = CELLS[strength]
    cell = scene.rng.choice(((side, side), (round(side * 0.8), side)))
    return _laid_out(picture, 2, 2, cell, scene)


EDITS = (
    Edit("collage-2", "collage", _of_two),
    Edit("collage-4", "collage", _of_four),
)
