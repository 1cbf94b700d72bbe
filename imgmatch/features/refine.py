"""The last pixel: an alignment by points, corrected on the pictures themselves.

Points place a picture to about a pixel of the thumbnail; then true copies correlate at 0.8, where only another photo of
the same floor should. A few Gauss-Newton steps on an affine correction (Lucas and Kanade, IJCAI 1981; Baker and
Matthews, IJCV 2004) bring copies to 0.95 and leave strangers where they are. Both pictures are first normalised
locally, so that filters do not count, and pixels that disagree hardly weigh, so that stickers do not pull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imgmatch.features.scalespace import F32, U8

F64 = npt.NDArray[np.float64]

STEPS = 4
WINDOW = 9
FURTHEST = 4.0  # pixels a corner may move by; more is another alignment, not a correction
SOFTNESS = 1.0  # difference of normalised grey at which a pixel weighs half


def normalise(picture: F32) -> F32:
    """Local mean zero and deviation one, softened where there is no texture."""
    mean = cv2.boxFilter(picture, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    square = cv2.boxFilter(picture * picture, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0)) + 4.0
    return np.asarray((picture - mean) / deviation, np.float32)


def correction(stored: F32, drawn: F32, mask: U8) -> F64 | None:
    """(2, 3) float64: affine, in pixels of the thumbnail, to apply after the alignment; None where it does not hold.

    stored, drawn: (height, width) float32, the thumbnail and the query drawn over it. mask: where the query is.
    """
    fixed, moving = normalise(stored), normalise(drawn)
    height, width = fixed.shape
    dx = cv2.Sobel(moving, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(moving, cv2.CV_32F, 0, 1, scale=1 / 8)
    inside = cv2.erode(mask, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    layers = cv2.merge([moving, dx, dy, inside.astype(np.float32) / 255])
    warp = np.eye(2, 3)
    for _ in range(STEPS):
        now = cv2.warpAffine(layers, warp, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        gap = fixed - now[..., 0]
        weight = now[..., 3] / (1 + (gap / SOFTNESS) ** 2)
        gx, gy = now[..., 1], now[..., 2]
        slopes = np.stack([gx * x, gx * y, gx, gy * x, gy * y, gy]).reshape(6, -1)
        weighed = slopes * weight.ravel()
        step = _solve(weighed @ slopes.T, weighed @ gap.ravel())
        if step is None:
            return None
        warp += _to_pixels(step, width, height)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float)
    if np.abs(corners @ (warp - np.eye(2, 3)).T).max() > FURTHEST:
        return None
    # `warp` says where each pixel of the thumbnail reads from: turn it round to move the query.
    return np.asarray(cv2.invertAffineTransform(warp), np.float64)


def _solve(square: F32, right: F32) -> F64 | None:
    """Six numbers from the normal equations, damped; None where they are singular."""
    matrix = square.astype(np.float64)
    matrix[np.diag_indices(6)] += 1e-3 * np.trace(matrix) + 1e-6
    try:
        return np.asarray(np.linalg.solve(matrix, right.astype(np.float64)), np.float64)
    except np.linalg.LinAlgError:
        return None


def _to_pixels(step: F64, width: int, height: int) -> F64:
    """A step over coordinates -1..1 as a (2, 3) step over pixels."""
    across, down = 2 / max(width - 1, 1), 2 / max(height - 1, 1)
    rows = step.reshape(2, 3)
    return np.column_stack([rows[:, 0] * across, rows[:, 1] * down, rows[:, 2] - rows[:, 0] - rows[:, 1]])
