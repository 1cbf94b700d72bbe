"""Shrinking a picture with one matrix per side.

Any resampling that treats rows and columns apart is ``down @ picture @ across``, and the matrices are almost empty: a
pixel of the small picture looks at a few neighbours only. Cut into bands of eight rows they stay small and dense,
which numpy multiplies several times faster than a general resize runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
"""A picture that is being worked on, shape (height, width), dtype float64, in grey levels 0..255."""

_BAND_ROWS = 8
# A product of this many multiplications fits the nearest cache, and stays below the size at which OpenBLAS would wake
# other threads: they cost more than they bring here, and the cores are taken by other photos anyway.
_PRODUCT = 90_000


@dataclass(frozen=True, slots=True)
class RowBand:
    """A few neighbouring pixels of the small side, and the stretch of the large side they look at.

    Attributes:
        source: the stretch that is read.
        target: the pixels that are made.
        weights: shape (targets, sources), dtype float64.
    """

    source: slice
    target: slice
    weights: Plane


Side = tuple[RowBand, ...]
"""The matrix of one side, cut into bands; its targets follow one another from 0."""


def cut(matrix: Plane) -> Side:
    """Cut a matrix of shape (small, large) into bands; every band must have a weight other than 0."""
    bands = []
    for start in range(0, len(matrix), _BAND_ROWS):
        rows = matrix[start : start + _BAND_ROWS]
        used = np.flatnonzero(rows.any(axis=0))
        source = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(RowBand(source, slice(start, start + len(rows)), np.ascontiguousarray(rows[:, source])))
    return tuple(bands)


def down(picture: NDArray[np.uint8] | Plane, side: Side) -> Plane:
    """Shrink (height, width) to (small, width)."""
    shrunk = np.empty((side[-1].target.stop, picture.shape[1]))
    for columns in _stretches(picture.shape[1], side):
        for band in side:
            part = picture[band.source, columns].astype(np.float64, copy=False)
            np.matmul(band.weights, part, out=shrunk[band.target, columns])
    return shrunk


def across(picture: NDArray[np.uint8] | Plane, side: Side) -> Plane:
    """Shrink (height, width) to (height, small)."""
    shrunk = np.empty((picture.shape[0], side[-1].target.stop))
    for rows in _stretches(picture.shape[0], side):
        part = picture[rows].astype(np.float64, copy=False)
        for band in side:
            np.matmul(part[:, band.source], band.weights.T, out=shrunk[rows, band.target])
    return shrunk


def _stretches(length: int, side: Side) -> list[slice]:
    step = max(1, _PRODUCT // max(band.weights.size for band in side))
    return [slice(start, start + step) for start in range(0, length, step)]
