"""The picture as if drawn, printed coarsely, or with hardly any light or shade left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edits.base import Edit
from edits.tools import at_least, image_of, longest, pixels

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _cartoon(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Smooth areas of few colours, and dark lines where edges are."""
    values = pixels(longest(picture, 900) if max(picture.size) > 900 else picture)
    for _ in range((2, 4, 6)[strength]):
        values = np.asarray(cv2.bilateralFilter(values, 7, 40, 7), np.uint8)
    steps = (12, 8, 5)[strength]
    smooth = np.round(values / 255 * steps) * 255 / steps
    grey = cv2.medianBlur(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, scene.rng.choice((3, 5)))
    return image_of(smooth * (lines[..., None] > 0))


def _sketch(picture: Image.Image, strength: int, _scene: Scene) -> Image.Image:
    """Pencil on paper: each grey divided by what is around it."""
    grey = cv2.cvtColor(pixels(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    around = cv2.GaussianBlur(grey, (0, 0), max(2.0, max(picture.size) * (0.03, 0.018, 0.01)[strength]))
    return image_of(np.clip(grey / np.maximum(around, 1) * 235, 0, 255)).convert("RGB")


def _halftone(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Dots of a coarse print: black where the picture is darker than a pattern."""
    picture = at_least(picture, 500)
    down, across = np.mgrid[0 : picture.height, 0 : picture.width]
    period, angle = max(picture.size) / (220, 150, 100)[strength], scene.rng.uniform(0.3, 1.2)
    first = np.cos(2 * np.pi * (across * np.cos(angle) + down * np.sin(angle)) / period)
    second = np.cos(2 * np.pi * (down * np.cos(angle) - across * np.sin(angle)) / period)
    screen = 127.5 + 63 * (first + second)
    ink = 255 / (1 + np.exp(-(pixels(picture.convert("L")) - screen) / 14))
    return image_of(ink).convert("RGB")


def _curved(picture: Image.Image, gamma: float, low: float, high: float) -> Image.Image:
    return picture.point([round(low + (high - low) * (value / 255) ** gamma) for value in range(256)] * 3)


def _dark(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Hardly any light."""
    return _curved(picture, (1.4, 1.8, 2.2)[strength] * scene.rng.uniform(0.9, 1.1), 0, (120, 70, 40)[strength])


def _bright(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Hardly any shade: faded, or with so much light that the brightest parts are lost."""
    if scene.rng.random() < 0.5:
        return _curved(picture, 0.9, (60, 110, 150)[strength], 245)
    gain = (1.4, 1.8, 2.3)[strength]
    return picture.point([min(255, round(value * gain)) for value in range(256)] * 3)


EDITS = (
    Edit("cartoon", "redrawn", _cartoon),
    Edit("sketch", "redrawn", _sketch),
    Edit("halftone", "redrawn", _halftone),
    Edit("very-dark", "redrawn", _dark),
    Edit("very-bright", "redrawn", _bright),
)
