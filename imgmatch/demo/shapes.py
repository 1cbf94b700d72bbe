"""What drawings are made of: colours, outlines, smooth noise.

Points are float arrays of shape ``(n, 2)`` in pixels, x to the right and y down.
Colours are red, green, blue in 0..255.
"""

from __future__ import annotations

from functools import cache
from math import cos, radians, sin
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Colour: TypeAlias = tuple[float, float, float]
Points: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]
Field: TypeAlias = NDArray[np.float32]

_AROUND = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=1)


def chance(rng: np.random.Generator, share: float) -> bool:
    """Whether something that happens in ``share`` (0..1) of all cases happens now."""
    return bool(rng.random() < share)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """The colour that lies ``share`` (0..1) of the way from one to the other."""
    r, g, b = one
    return r + (other[0] - r) * share, g + (other[1] - g) * share, b + (other[2] - b) * share


def darker(colour: Colour, factor: float) -> Colour:
    """The colour times ``factor``; above 1 it becomes lighter, up to white."""
    r, g, b = colour
    return min(255.0, r * factor), min(255.0, g * factor), min(255.0, b * factor)


def ellipse(x: float, y: float, width: float, height: float, turn: float = 0.0) -> Points:
    """The outline of an ellipse.

    Args:
        x: centre.
        y: centre.
        width: half its width.
        height: half its height.
        turn: degrees clockwise.

    Returns:
        Shape ``(40, 2)``.
    """
    c, s = cos(radians(turn)), sin(radians(turn))
    axes = np.array([[c * width, s * width], [-s * height, c * height]])
    outline: Points = _CIRCLE @ axes + (x, y)
    return outline


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """The outline of an upright rectangle, shape ``(4, 2)``."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def spline(points: ArrayLike, *, closed: bool = True, per: int = 8) -> Points:
    """A smooth (Catmull-Rom) curve through points.

    Args:
        points: shape ``(n, 2)``, at least three.
        closed: whether it comes back to its first point.
        per: how many points to give for every point taken.

    Returns:
        Shape ``(n * per, 2)`` if closed, else ``((n - 1) * per, 2)``.
    """
    p = np.asarray(points, dtype=np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    windows = np.stack([p[:-3], p[1:-2], p[2:-1], p[3:]], axis=1)
    curve: Points = _weights(per) @ windows
    return curve.reshape(-1, 2)


@cache
def _weights(per: int) -> NDArray[np.float64]:
    """How much each of four neighbouring points counts at ``per`` steps between the middle two, shape ``(per, 4)``."""
    t = np.arange(per) / per
    ones = np.ones(per)
    powers = np.stack([ones, t, t**2, t**3], axis=1)
    basis = np.array([(0, 2, 0, 0), (-1, 0, 1, 0), (2, -5, 4, -1), (-1, 3, -3, 1)]) / 2
    return np.asarray(powers @ basis, dtype=np.float64)


def clouds(rng: np.random.Generator, shape: tuple[int, int], cells: int = 3, octaves: int = 5) -> Field:
    """Smooth noise at several scales, each twice as fine and two thirds as strong as the one before.

    Args:
        rng: where the randomness comes from.
        shape: height and width, pixels.
        cells: cells of the coarsest scale.
        octaves: how many scales.

    Returns:
        ``float32`` of shape ``shape``, mean about 0, spread about 1.
    """
    field: Field = np.zeros((cells, cells), dtype=np.float32)
    for octave in range(octaves):
        side = cells << octave
        grain = rng.standard_normal((side, side), dtype=np.float32)
        coarse = cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR)
        field = np.asarray(coarse, dtype=np.float32) + grain * np.float32((2 / 3) ** octave)
    large = cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, dtype=np.float32) * np.float32(0.75)
