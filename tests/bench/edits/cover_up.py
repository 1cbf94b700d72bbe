"""The middle of the picture, where the face is, covered by a bar, blurred or pixelated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from edits.base import Edit
from edits.tools import BLACK, WHITE, colour_of

if TYPE_CHECKING:
    from edits.base import Scene

SHARES = (0.03, 0.08, 0.16)
"""Of the area, by strength."""


def _block(picture: Image.Image, share: float, flat: float, scene: Scene) -> tuple[int, int, int, int]:
    """A block of this share of the area about where a face is; ``flat`` is how much wider than high it is."""
    height = (share * picture.width * picture.height / flat) ** 0.5
    width = min(height * flat, picture.width * 0.96)
    left = (picture.width - width) * scene.rng.uniform(0.35, 0.65)
    top = (picture.height - height) * scene.rng.uniform(0.25, 0.5)
    return round(left), round(top), round(left + width), round(top + height)


def _bar(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Over the eyes; mostly black."""
    canvas = picture.copy()
    colour = scene.rng.choice((BLACK, BLACK, WHITE, colour_of(scene.rng)))
    canvas.paste(colour, _block(picture, SHARES[strength], scene.rng.uniform(2.5, 4.5), scene))
    return canvas


def _blurred(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    box = _block(picture, SHARES[strength] * 1.5, scene.rng.uniform(0.7, 1.1), scene)
    canvas = picture.copy()
    canvas.paste(picture.crop(box).filter(ImageFilter.GaussianBlur(max(3, (box[2] - box[0]) / 10))), box)
    return canvas


def _pixelated(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    box = _block(picture, SHARES[strength] * 1.5, scene.rng.uniform(0.7, 1.1), scene)
    size = box[2] - box[0], box[3] - box[1]
    cells = scene.rng.randint(6, 9)
    coarse = picture.crop(box).resize((cells, max(1, round(cells * size[1] / size[0]))), Image.Resampling.BOX)
    canvas = picture.copy()
    canvas.paste(coarse.resize(size, Image.Resampling.NEAREST), box)
    return canvas


EDITS = (
    Edit("black-bar", "sticker", _bar),
    Edit("blurred-block", "sticker", _blurred),
    Edit("pixelated-block", "sticker", _pixelated),
)
