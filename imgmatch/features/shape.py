"""The part that two aligned frames share, as a polygon in each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """The part that both frames share.

    query, stored: (k, 2) float64 corners in longest sides of each picture, in the same order. overlap_query,
    overlap_stored: share of each picture that it is, 0..1.
    """

    query: F64
    stored: F64
    overlap_query: float
    overlap_stored: float


def shape_of(matrix: F64, query: tuple[float, float], stored: tuple[float, float]) -> Shape | None:
    """The part both frames share; None where there is none.

    matrix: (2, 3), query -> stored. query, stored: width and height. All in longest sides.
    """
    corners = np.array([[0, 0], [query[0], 0], [query[0], query[1]], [0, query[1]]], np.float64)
    outline = _clipped(corners @ matrix[:, :2].T + matrix[:, 2], stored)
    area = _area(outline)
    if area <= 0:
        return None
    back = (outline - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    size = abs(float(np.linalg.det(matrix[:, :2])))
    of_stored, of_query = area / (stored[0] * stored[1]), area / (size * query[0] * query[1])
    return Shape(back, outline, min(1.0, of_query), min(1.0, of_stored))


def _clipped(corners: F64, frame: tuple[float, float]) -> F64:
    """A convex polygon (k, 2) cut to the frame 0..width, 0..height, side after side (Sutherland and Hodgman, 1974).

    OpenCV's own intersection gives the whole frame where two edges all but coincide.
    """
    for axis in (0, 1):
        for sign, limit in ((1.0, 0.0), (-1.0, -frame[axis])):
            depth = sign * corners[:, axis] - limit
            kept: list[F64] = []
            for here in range(len(corners)):
                before = here - 1
                if (depth[here] >= 0) != (depth[before] >= 0):
                    part = depth[before] / (depth[before] - depth[here])
                    kept.append(corners[before] + part * (corners[here] - corners[before]))
                if depth[here] >= 0:
                    kept.append(corners[here])
            corners = np.array(kept).reshape(-1, 2)
    return corners


def _area(corners: F64) -> float:
    """Of a polygon (k, 2); 0 for fewer than three corners."""
    x, y = corners.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
