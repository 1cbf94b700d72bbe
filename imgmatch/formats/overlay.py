"""Where one picture lies on another: the affine map between two outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imgmatch.model import Outline

    Size = tuple[float, float]

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) as in SVG's ``matrix()``: x' = a x + c y + e, y' = b x + d y + f."""

_CORNERS = 3
_THIN = 1e-3
"""Corners whose spread across is so small a part of their spread along lie on a line: they say nothing of the rest."""


def affine(query: Outline, stored: Outline, query_size: Size, stored_size: Size) -> Affine | None:
    """The map from pixels of the query to those of the stored photo that takes corner to corner.

    Where the corners do not fit exactly, the sum of their squared distances in stored pixels is the least.

    Args:
        query: three or more corners, as shares of the query.
        stored: the same corners in the stored photo, in the same order.
        query_size: width and height of the query, in the pixels that are mapped.
        stored_size: likewise of the stored photo.

    Returns:
        ``None`` where the corners do not fix a map: too few, not as many here as there, on a line, or no numbers.
    """
    if len(query) != len(stored) or len(query) < _CORNERS:
        return None
    source = np.asarray(query, dtype=np.float64) * query_size
    target = np.asarray(stored, dtype=np.float64) * stored_size
    if not (_spread_out(source) and _spread_out(target)):
        return None
    known = np.column_stack([source, np.ones(len(source))])
    (a, b), (c, d), (e, f) = np.linalg.lstsq(known, target, rcond=None)[0].tolist()
    # Corners in two orders that do not fit may fold the picture to a line, on which nothing could be seen.
    if abs(a * d - b * c) <= _THIN * (a * a + b * b + c * c + d * d):
        return None
    return a, b, c, d, e, f


def _spread_out(corners: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    if not np.isfinite(corners).all():
        return False
    along, across = np.linalg.svd(corners - corners.mean(axis=0), compute_uv=False).tolist()
    return bool(across > _THIN * along)
