"""The picture out of focus, shaken, grainy, or sharpened until it glows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import ImageFilter

from edits.base import Edit
from edits.tools import generator, image_of, pixels

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene


def _reach(picture: Image.Image, share: float) -> float:
    """A length in pixels, so that a small and a large picture suffer alike."""
    return max(0.6, share * max(picture.size))


def _gaussian(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    share = (0.002, 0.0045, 0.009)[strength] * scene.rng.uniform(0.85, 1.15)
    return picture.filter(ImageFilter.GaussianBlur(_reach(picture, share)))


def _motion(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Shaken along a line in any direction."""
    length = max(3, round(_reach(picture, (0.01, 0.022, 0.04)[strength])))
    kernel = np.zeros((length + 2, length + 2), dtype=np.float32)
    kernel[(length + 2) // 2, 1:-1] = 1
    middle = (length + 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), scene.rng.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length + 2, length + 2)), dtype=np.float32)
    shaken = cv2.filter2D(pixels(picture), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return image_of(shaken)


def noisy(picture: Image.Image, spread: float, scene: Scene) -> Image.Image:
    """Grain as in the dark: the same in all channels, and some colour."""
    values, noise = pixels(picture), generator(scene)
    grain = noise.standard_normal((*values.shape[:2], 1), dtype=np.float32) * spread
    tint = noise.standard_normal(values.shape, dtype=np.float32) * (spread / 2)
    return image_of(values + grain + tint)


def _noise(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return noisy(picture, (8, 18, 36)[strength] * scene.rng.uniform(0.9, 1.1), scene)


def _salt_and_pepper(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    values = pixels(picture)
    chance = generator(scene).random(values.shape[:2], dtype=np.float32)
    share = (0.006, 0.02, 0.06)[strength] / 2
    values[chance < share] = 0
    values[chance > 1 - share] = 255
    return image_of(values)


def _sharpened(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """What phones call HDR: local contrast pulled up over a wide and a narrow radius."""
    percent = round((60, 110, 200)[strength] * scene.rng.uniform(0.9, 1.1))
    wide = picture.filter(ImageFilter.UnsharpMask(_reach(picture, 0.03), percent // 2, 0))
    return wide.filter(ImageFilter.UnsharpMask(_reach(picture, 0.003), percent, 2))


EDITS = (
    Edit("blurred", "blur", _gaussian),
    Edit("shaken", "blur", _motion),
    Edit("noise", "blur", _noise),
    Edit("salt-and-pepper", "blur", _salt_and_pepper),
    Edit("sharpened", "blur", _sharpened),
)
