"""Light and dark exchanged, alone or with one more thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageOps

from edits.base import ONE, Edit
from edits.colour import grey
from edits.tools import jpeg

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _negative(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
    return ImageOps.invert(picture)


def _negative_grey(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
    return grey(ImageOps.invert(picture))


def _negative_mirrored(picture: Image.Image, strength: int, _scene: Scene) -> Image.Image:
    return jpeg(ImageOps.invert(ImageOps.mirror(picture)), (60, 40, 20)[strength])


EDITS = (
    Edit("negative", "negative", _negative, ONE),
    Edit("negative-grey", "negative", _negative_grey, ONE),
    Edit("negative+mirror+jpeg", "negative", _negative_mirrored),
)
