"""What a blob looks like: its direction, and a SIFT descriptor, for all points of a picture at once.

Lowe's descriptor (IJCV 2004, section 6): 4x4 cells of 8 gradient directions in a frame turned to the point's own
direction, here sampled as one 18x18 patch a point by a single `remap`. Descriptors are root-normalised (Arandjelovic
and Zisserman, CVPR 2012), so that Euclidean distance compares histograms by Hellinger's kernel.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch.features.scalespace import F32, INTERVALS, U8, Blobs, Pyramid

CELLS = 4
BINS = 8
LENGTH = CELLS * CELLS * BINS
CELL_WIDTH = 3.0  # in sigmas of the point, as in the paper
SAMPLES = 16  # samples along a side of the patch
UNIT = 512  # a descriptor of length one is stored as uint8 of length about 512
_CLIP = 0.2
_DIRECTIONS = 36
_AT_ONCE = 32  # points whose samples are spread over directions at once: 256 KB, which stays in a near cache
_TURN = 2 * np.pi


@cache
def _offsets(side: int) -> tuple[F32, F32]:
    """Columns and rows of a side x side grid centred on zero, each flattened to (side * side,)."""
    axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
    columns, rows = np.meshgrid(axis, axis)
    return columns.ravel(), rows.ravel()


@cache
def _cell_weights() -> F32:
    """(16 cells, SAMPLES**2): how much each sample counts in each cell, fading with distance from the middle."""
    axis = (np.arange(SAMPLES, dtype=np.float32) + 0.5) * CELLS / SAMPLES - 0.5
    near = np.maximum(0, 1 - np.abs(axis[None, :] - np.arange(CELLS)[:, None]))
    fade = np.exp(-((axis - (CELLS - 1) / 2) ** 2) / (2 * (0.5 * CELLS) ** 2))
    weights = near * fade
    cells = np.einsum("ri,cj->rcij", weights, weights).reshape(CELLS * CELLS, SAMPLES * SAMPLES)
    return np.asarray(cells, np.float32)


class Atlas:
    """All levels of a pyramid that points live on, stacked in one picture so that one remap reads them all."""

    def __init__(self, pyramid: Pyramid) -> None:
        width = pyramid.levels[0][0].shape[1]
        used = [level for levels in pyramid.levels for level in levels[1 : INTERVALS + 1]]
        heights = [level.shape[0] for level in used]
        self._top = np.concatenate([[0], np.cumsum(heights)[:-1]]).astype(np.float32)
        self._height = np.array(heights, np.float32)
        self._width = np.array([level.shape[1] for level in used], np.float32)
        # Not empty: remap reads one pixel beyond a narrow level, with weight zero, and zero times NaN is NaN.
        self._sheet = np.zeros((sum(heights), width), np.float32)
        for top, level in zip(self._top.astype(int), used, strict=True):
            self._sheet[top : top + level.shape[0], : level.shape[1]] = level

    def patches(self, blobs: Blobs, angle: F32, side: int) -> F32:
        """(n, side, side) float32: the surroundings of each point, turned by -angle, CELL_WIDTH cells wide.

        Beyond the picture's edge its last row or column goes on.
        """
        page = blobs.octave * INTERVALS + blobs.level - 1
        step = (2.0 ** -blobs.octave.astype(np.float32)).astype(np.float32)
        pitch = blobs.scale * step * np.float32(CELL_WIDTH * CELLS / SAMPLES)
        columns, rows = _offsets(side)
        cosine, sine = (np.cos(angle) * pitch)[:, None], (np.sin(angle) * pitch)[:, None]
        x = (blobs.x * step)[:, None] + cosine * columns - sine * rows
        y = (blobs.y * step)[:, None] + sine * columns + cosine * rows
        np.clip(x, 0, (self._width[page] - 1)[:, None], out=x)
        np.clip(y, 0, (self._height[page] - 1)[:, None], out=y)
        y += self._top[page][:, None]
        # remap takes maps up to 32,767 rows and columns: one row a point keeps any number of points within it.
        return np.asarray(cv2.remap(self._sheet, x, y, cv2.INTER_LINEAR), np.float32).reshape(-1, side, side)


def _gradients(patches: F32) -> tuple[F32, F32]:
    """Length and direction (radians, 0..2 pi) of the gradient inside each patch, flattened: (n, (side - 2)**2)."""
    dx = patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2]
    dy = patches[:, 2:, 1:-1] - patches[:, :-2, 1:-1]
    flat = dx.reshape(len(patches), -1), dy.reshape(len(patches), -1)
    length, direction = cv2.cartToPolar(*flat)
    return np.asarray(length, np.float32), np.asarray(direction, np.float32)


def orient(atlas: Atlas, blobs: Blobs, second: float) -> tuple[npt.NDArray[np.intp], F32]:
    """The main direction of each point, and further ones that reach the share `second` of the main one's weight.

    Returns rows (m,) into `blobs` and angles (m,) in radians, m >= n; a `second` above 1 gives one direction a point.
    """
    count = len(blobs.x)
    if not count:
        return np.zeros(0, np.intp), np.zeros(0, np.float32)
    length, direction = _gradients(atlas.patches(blobs, np.zeros(count, np.float32), SAMPLES + 2))
    columns, rows = _offsets(SAMPLES)
    pitch = CELL_WIDTH * CELLS / SAMPLES
    fade = np.exp(-(columns**2 + rows**2) * pitch**2 / (2 * 1.5**2 * 1.5**2)).astype(np.float32)
    bins = (direction * (_DIRECTIONS / _TURN)).astype(np.int32)
    bins[bins == _DIRECTIONS] = 0  # a whole turn
    bins += (np.arange(count, dtype=np.int32) * _DIRECTIONS)[:, None]
    sums = np.bincount(bins.ravel(), (length * fade).ravel(), count * _DIRECTIONS)
    histogram: npt.NDArray[np.float64] = sums.reshape(count, _DIRECTIONS).astype(np.float64)
    for _ in range(2):
        histogram = (np.roll(histogram, 1, 1) + 2 * histogram + np.roll(histogram, -1, 1)) / 4
    before, after = np.roll(histogram, 1, 1), np.roll(histogram, -1, 1)
    peak = (histogram > before) & (histogram >= after)
    bar = np.where(histogram == histogram.max(1, keepdims=True), 0, second * histogram.max(1, keepdims=True))
    point, place = np.nonzero(peak & (histogram >= bar))
    left, middle, right = before[point, place], histogram[point, place], after[point, place]
    shift = 0.5 * (left - right) / np.minimum(left + right - 2 * middle, -1e-9)
    return point, ((place + 0.5 + shift) * (_TURN / _DIRECTIONS)).astype(np.float32)


def describe(atlas: Atlas, blobs: Blobs, angle: F32) -> U8:
    """(n, 128) uint8 descriptors in the order [row][column][direction] of the turned frame."""
    count = len(blobs.x)
    if not count:
        return np.zeros((0, LENGTH), np.uint8)
    length, direction = _gradients(atlas.patches(blobs, angle, SAMPLES + 2))
    cells = np.empty((count, CELLS * CELLS, BINS), np.float32)
    spread = np.empty((min(count, _AT_ONCE), SAMPLES * SAMPLES, BINS), np.float32)
    for start in range(0, count, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        weight, turned = length[some].ravel(), direction[some].ravel()
        into = spread[: len(weight) // SAMPLES**2]
        _put_in_bins(weight, turned, into)
        np.matmul(_cell_weights(), into, out=cells[some])
    return root_normalise(cells.reshape(count, LENGTH))


def _put_in_bins(weight: F32, direction: F32, spread: F32) -> None:
    """Share each gradient between the two directions beside its own; `spread` gets (n, samples, BINS)."""
    place = direction * np.float32(BINS / _TURN)
    lower = place.astype(np.int32)
    part = place - lower
    flat = spread.reshape(-1)
    flat[:] = 0
    row = np.arange(0, len(flat), BINS)
    flat[row + (lower & (BINS - 1))] = weight * (1 - part)
    flat[row + (lower + 1 & (BINS - 1))] = weight * part


def root_normalise(histograms: F32) -> U8:
    """Clip what one edge can weigh, then take the square root of the shares; (n, 128) float32 to uint8."""
    norm = np.linalg.norm(histograms, axis=1, keepdims=True)
    clipped = np.minimum(histograms / np.maximum(norm, 1e-9), _CLIP)
    share = clipped / np.maximum(clipped.sum(1, keepdims=True), 1e-9)
    return np.asarray(np.minimum(np.sqrt(share) * UNIT + 0.5, 255), np.uint8)


def mirror_order() -> npt.NDArray[np.intp]:
    """(128,) permutation that turns a descriptor into that of the same point in the mirrored picture.

    Mirroring turns the frame over: rows swap ends and directions change sign; no pixel needs to be read again.
    """
    index = np.arange(LENGTH).reshape(CELLS, CELLS, BINS)
    return index[::-1, :, (-np.arange(BINS)) % BINS].ravel()


def negative_order() -> npt.NDArray[np.intp]:
    """(128,) permutation that turns a descriptor into that of the same point in the negative.

    Every gradient points the other way there, so the frame is turned by half a circle: its cells swap ends, and the
    directions in it stay.
    """
    return np.arange(LENGTH).reshape(CELLS, CELLS, BINS)[::-1, ::-1].ravel()
