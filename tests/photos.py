"""Pictures for tests: drawn, photo-like, quick, and different for every seed. Nothing here knows imgmatch."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_SHAPES = 26


def picture(seed: int, size: tuple[int, int] = (480, 600)) -> Image.Image:
    """Draws a picture with structure at all scales.

    Args:
        seed: the same one always gives the same pixels; two give fingerprints at least 70 of 256 bits apart.
        size: width and height, pixels.

    Returns:
        RGB.
    """
    large = cv2.resize(_drawn(seed), size, interpolation=cv2.INTER_LINEAR)
    return Image.fromarray(np.asarray(large, dtype=np.uint8))


@lru_cache(maxsize=64)
def _drawn(seed: int) -> NDArray[np.uint8]:
    """The picture of a seed, shape ``(256, 256, 3)``."""
    rng = np.random.default_rng((seed, 0xF07))
    side = 256
    pixels = _noise(rng, side)
    for _ in range(_SHAPES):
        colour = tuple(rng.uniform(0, 255, 3))
        x, y = (int(v) for v in rng.integers(0, side, 2))
        if rng.random() < 0.5:
            axes = (int(rng.integers(5, 40)), int(rng.integers(5, 40)))
            cv2.ellipse(pixels, (x, y), axes, rng.uniform(0, 180), 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
        else:
            corners = np.array([(x, y)]) + rng.integers(-36, 37, (4, 2))
            cv2.fillPoly(pixels, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return pixels


def _noise(rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Clouds of colour in octaves from 4 to 128 cells, shape ``(side, side, 3)``."""
    field = np.zeros((4, 4, 3), dtype=np.float32)
    for octave in range(6):
        cells = 4 << octave
        layer = rng.standard_normal((cells, cells, 3), dtype=np.float32) * np.float32(44 * 0.72**octave)
        field = np.asarray(cv2.resize(field, (cells, cells), interpolation=cv2.INTER_LINEAR), dtype=np.float32) + layer
    whole = np.clip(field + 122, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def grainy(seed: int, size: tuple[int, int] = (360, 440)) -> Image.Image:
    """Soft light and shade with the noise of a camera; nothing in it is of one grey."""
    rng = np.random.default_rng((seed, 5))
    sides = [3 << octave for octave in range(7)]
    layers = [
        np.asarray(cv2.resize(rng.normal(0, 55 * 0.75**octave, (side, side)), size, interpolation=cv2.INTER_CUBIC))
        for octave, side in enumerate(sides)
    ]
    soft = np.sum(layers, axis=0)
    pixels = np.clip(soft + 120 + rng.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB")


def jpeg(image: Image.Image, quality: int = 85, **save: object) -> bytes:
    """The picture as the bytes of a JPEG file; ``save`` goes to Pillow."""
    packed = BytesIO()
    image.save(packed, "JPEG", quality=quality, **save)
    return packed.getvalue()


def png(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    packed = BytesIO()
    image.save(packed, "PNG", compress_level=1)  # five times quicker than the default
    return packed.getvalue()


def flat(size: tuple[int, int] = (480, 600), colour: tuple[int, int, int] = (128, 128, 128)) -> Image.Image:
    """A picture of one colour, RGB."""
    return Image.new("RGB", size, colour)


def write_accounts(folder: Path, accounts: Mapping[str, Mapping[str, Image.Image]]) -> None:
    """Writes pictures as ``folder/account/file``; the format follows the file's suffix."""
    for account, files in accounts.items():
        home = folder / account
        home.mkdir(parents=True, exist_ok=True)
        for name, image in files.items():
            packed = png(image) if Path(name).suffix.lower() == ".png" else jpeg(image)
            (home / name).write_bytes(packed)
