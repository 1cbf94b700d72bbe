"""The picture turned: a little by hand, or by quarters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from edits.base import ONE, Edit
from edits.tools import plain_colour, turned

if TYPE_CHECKING:
    from edits.base import Draw, Scene

DEGREES = (3, 7, 12)
TURNS = {
    "rotate-90": Image.Transpose.ROTATE_270,
    "rotate-180": Image.Transpose.ROTATE_180,
    "rotate-270": Image.Transpose.ROTATE_90,
}


def _angle(strength: int, scene: Scene) -> float:
    return DEGREES[strength] * scene.rng.choice((-1, 1)) * scene.rng.uniform(0.85, 1.15)


def tilted(picture: Image.Image, degrees: float) -> Image.Image:
    """Turned and cropped to the largest part of the same proportions that has no empty corner."""
    whole = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    wide, high = picture.size
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    factor = min(wide / (wide * cosine + high * sine), high / (wide * sine + high * cosine))
    width, height = int(wide * factor), int(high * factor)
    left, top = (whole.width - width) // 2, (whole.height - height) // 2
    return whole.crop((left, top, left + width, top + height))


def _tilted_cropped(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return tilted(picture, _angle(strength, scene))


def _tilted_filled(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    fill = plain_colour(scene.rng)
    return turned(picture, _angle(strength, scene), fill)


def _turned(turn: Image.Transpose) -> Draw:
    def draw(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
        return picture.transpose(turn)

    return draw


EDITS = (
    Edit("tilt-cropped", "rotation", _tilted_cropped),
    Edit("tilt-filled", "rotation", _tilted_filled),
    *(Edit(name, "rotation", _turned(turn), ONE) for name, turn in TURNS.items()),
)
