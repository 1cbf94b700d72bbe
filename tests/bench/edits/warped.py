"""The picture bent: no straight line of it stays one, so that no plane lies on it everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edits.base import Edit
from edits.tools import image_of, pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edits.base import Scene

    Places = NDArray[np.float64]


def _drawn_from(picture: Image.Image, across: Places, down: Places) -> Image.Image:
    """Each pixel taken from a place, in pixels; what lies beyond the edge is mirrored back."""
    found = cv2.remap(
        pixels(picture),
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return image_of(found)


def _places(picture: Image.Image) -> tuple[Places, Places]:
    down, across = np.mgrid[0 : picture.height, 0 : picture.width].astype(np.float64)
    return across, down


def _wave(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Rows and columns pushed to and fro."""
    rng, side = scene.rng, min(picture.size)
    across, down = _places(picture)
    reach = side * (0.006, 0.012, 0.022)[strength]
    period = side * rng.uniform(0.2, 0.5) / (2 * np.pi)
    pushed = across + reach * np.sin(down / period + rng.uniform(0, 6))
    if rng.random() < 0.6:
        down = down + reach * np.sin(across / period + rng.uniform(0, 6))
    return _drawn_from(picture, pushed, down)


def _polar(picture: Image.Image, scene: Scene) -> tuple[Places, Places, Places, tuple[float, float]]:
    """Steps from a point near the middle, across and down; how far that is, 1 at the nearer side; and the point."""
    centre = picture.width * scene.rng.uniform(0.42, 0.58), picture.height * scene.rng.uniform(0.42, 0.58)
    across, down = _places(picture)
    right, below = across - centre[0], down - centre[1]
    return right, below, np.hypot(right, below) / (min(picture.size) / 2), centre


def _swirl(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Turned about its middle, less and less towards the edge."""
    right, below, reach, centre = _polar(picture, scene)
    angle = np.radians((12, 22, 40)[strength]) * scene.rng.choice((-1, 1)) * np.clip(1 - reach, 0, 1) ** 1.5
    turned = right * np.cos(angle) - below * np.sin(angle), right * np.sin(angle) + below * np.cos(angle)
    return _drawn_from(picture, turned[0] + centre[0], turned[1] + centre[1])


def _lens(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """As through a wide lens, or its opposite; or a bulge or a dent in one place, as filters for faces make."""
    right, below, reach, centre = _polar(picture, scene)
    amount = (0.06, 0.12, 0.22)[strength] * scene.rng.choice((-1, 1))
    if scene.rng.random() < 0.5:
        factor = (1 + amount * reach**2) / (1 + max(amount, 0) * 2)
    else:
        factor = 1 - amount * 1.6 * np.clip(1 - reach / scene.rng.uniform(0.5, 0.9), 0, 1)
    return _drawn_from(picture, right * factor + centre[0], below * factor + centre[1])


EDITS = (
    Edit("wave", "warped", _wave),
    Edit("swirl", "warped", _swirl),
    Edit("lens", "warped", _lens),
)
