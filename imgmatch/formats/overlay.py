"""Where one picture lies on another: the outlines of what both show, and the affine map between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.model import Kind

if TYPE_CHECKING:
    from imgmatch.model import Evidence, Outline

    Size = tuple[float, float]

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) as in SVG's ``matrix()``: x' = a x + c y + e, y' = b x + d y + f."""

_WHOLE: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_RIGHT = 90
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


def after(second: Affine, first: Affine) -> Affine:
    """The map that takes what ``first`` gives to what ``second`` gives."""
    a, b, c, d, e, f = second
    g, h, i, j, k, m = first
    return (
        a * g + c * h,
        b * g + d * h,
        a * i + c * j,
        b * i + d * j,
        a * k + c * m + e,
        b * k + d * m + f,
    )


def outlines_of(evidence: Evidence) -> tuple[Outline, Outline] | None:
    """The shared part in the query and in the stored photo; of whole pictures their corners. ``None`` if not known."""
    if evidence.outline_query and evidence.outline_stored:
        return evidence.outline_query, evidence.outline_stored
    if evidence.kind not in {Kind.EXACT, Kind.NEAR} or evidence.rotation % _RIGHT:
        return None
    # The whole picture: its corners are where mirroring and quarter turns have brought them.
    corners = tuple((1 - x, y) for x, y in _WHOLE) if evidence.mirrored else _WHOLE
    for _ in range(evidence.rotation // _RIGHT % 4):
        corners = tuple((1 - y, x) for x, y in corners)
    return corners, _WHOLE


def _spread_out(corners: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    if not np.isfinite(corners).all():
        return False
    along, across = np.linalg.svd(corners - corners.mean(axis=0), compute_uv=False).tolist()
    return bool(across > _THIN * along)
