"""The picture saved again: by a messenger, a site, or a program that knows 256 colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from edits.base import Edit
from edits.tools import jpeg, passed_through, resized, scaled

if TYPE_CHECKING:
    from edits.base import Scene

QUALITIES = (50, 30, 12)
COLOURS = (128, 48, 16)


def _jpeg(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return jpeg(picture, QUALITIES[strength] + scene.rng.randint(-3, 3))


def _webp(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return passed_through(picture, "WEBP", QUALITIES[strength] + scene.rng.randint(-3, 3))


def _messenger(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Forwarded: saved, made smaller, saved again, and shown at the old size by whoever saves it last."""
    first = jpeg(picture, QUALITIES[strength] + 15)
    small = scaled(first, scene.rng.uniform(0.75, 0.9) - 0.15 * strength)
    return jpeg(resized(jpeg(small, QUALITIES[strength] + 10), *picture.size), QUALITIES[strength] + 20)


def _palette(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """As a GIF holds it: few colours, and dots or steps where they go over into each other."""
    dither = scene.rng.choice((Image.Dither.FLOYDSTEINBERG, Image.Dither.NONE))
    palette = picture.quantize(COLOURS[strength], method=Image.Quantize.MEDIANCUT)
    return picture.quantize(palette=palette, dither=dither).convert("RGB")


EDITS = (
    Edit("jpeg", "recompression", _jpeg),
    Edit("webp", "recompression", _webp),
    Edit("messenger-twice", "recompression", _messenger),
    Edit("palette", "recompression", _palette),
)
