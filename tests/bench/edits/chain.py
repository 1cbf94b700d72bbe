"""Three things done one after the other, as a thief with ten minutes does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageEnhance, ImageOps

from edits.base import Edit
from edits.caption import captioned
from edits.colour import warm
from edits.crop import cropped, squared
from edits.frame import framed
from edits.rotation import tilted
from edits.screenshot_post import opened
from edits.stickers import stickered
from edits.tools import jpeg, longest

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _crop_mirror_jpeg(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    part = cropped(picture, (0.85, 0.65, 0.45)[strength], strength, scene)
    return jpeg(ImageOps.mirror(part), (60, 40, 20)[strength])


def _screenshot_crop_resize(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Cut out of a screenshot by hand: a little of the black round it stays, or a little of the picture goes."""
    screen, box = opened(picture, strength, scene)
    slip = (box[2] - box[0]) * (0.01, 0.03, 0.06)[strength]
    edges = [edge + round(scene.rng.uniform(-slip, slip)) for edge in box]
    left, top = max(0, edges[0]), max(0, edges[1])
    right, bottom = min(screen.canvas.width, edges[2]), min(screen.canvas.height, edges[3])
    part = screen.canvas.crop((left, top, right, bottom))
    return jpeg(longest(part, (600, 400, 240)[strength]), (80, 65, 45)[strength])


def _filter_sticker_small(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    amount = scene.rng.choice((-1, 1)) * (0.1, 0.18, 0.28)[strength]
    filtered = ImageEnhance.Contrast(warm(picture, amount)).enhance(1.15)
    stuck = stickered(filtered, strength + 1, (0.05, 0.1, 0.18)[strength], scene)
    return longest(stuck, (320, 240, 160)[strength])


def _square_frame_caption(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    part = squared(picture, (0.15, 0.6, 1.0)[strength], scene)
    return captioned(framed(part, (0.03, 0.06, 0.1)[strength], scene), (0.08, 0.12, 0.18)[strength], scene)


def _mirror_tilt_warm(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    degrees = (2, 5, 9)[strength] * scene.rng.choice((-1, 1)) * scene.rng.uniform(0.85, 1.15)
    return warm(tilted(ImageOps.mirror(picture), degrees), (0.08, 0.16, 0.26)[strength])


EDITS = (
    Edit("crop+mirror+jpeg", "chain", _crop_mirror_jpeg),
    Edit("screenshot+crop+resize", "chain", _screenshot_crop_resize),
    Edit("filter+sticker+small", "chain", _filter_sticker_small),
    Edit("square+frame+caption", "chain", _square_frame_caption),
    Edit("mirror+tilt+warm", "chain", _mirror_tilt_warm),
)
