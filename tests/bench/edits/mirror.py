"""Left and right exchanged, alone or with one more thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageOps

from edits.base import ONE, Edit
from edits.colour import grey
from edits.crop import cropped

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _mirrored(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
    return ImageOps.mirror(picture)


def _mirrored_grey(picture: Image.Image, _strength: int, _scene: Scene) -> Image.Image:
    return grey(ImageOps.mirror(picture))


def _mirrored_cropped(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return ImageOps.mirror(cropped(picture, (0.8, 0.6, 0.4)[strength], strength, scene))


EDITS = (
    Edit("mirror", "mirror", _mirrored, ONE),
    Edit("mirror-grey", "mirror", _mirrored_grey, ONE),
    Edit("mirror-crop", "mirror", _mirrored_cropped),
)
