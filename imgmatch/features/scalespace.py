"""Where the picture has blobs: extrema of the difference of Gaussians, at sub-pixel places.

The method is Lowe's (IJCV 2004, sections 3 and 4), written over whole arrays. Two things differ from the usual
implementations, both for speed: the picture is not doubled first (the caller chooses the size), and a point must be
the largest of its 27 neighbours in absolute value, which finds bright and dark blobs in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]

SIGMA = 1.6  # blur of the first level of an octave, in its own pixels
INPUT_SIGMA = 0.5  # blur a camera or a resize leaves in any picture
INTERVALS = 2  # levels an octave; 3 finds a little more and costs a third more
SMALLEST_OCTAVE = 16  # pixels on the shorter side
EDGE_RATIO = 10.0  # Lowe's bound on the ratio of principal curvatures
_TINY = np.float32(1e-6)  # curvatures below it are rounding
_NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Pyramid:
    """Blurred levels of one picture: `levels[octave][i]` is float32, blurred by SIGMA * 2**(i / INTERVALS)."""

    levels: list[list[F32]]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Detected points. All arrays have one entry a point.

    x, y: float32, pixels of the picture the pyramid was built from. scale: float32, blur sigma in the same pixels.
    response: float32, contrast in grey levels. octave, level: int32, where to sample the pyramid.
    """

    x: F32
    y: F32
    scale: F32
    response: F32
    octave: I32
    level: I32

    def take(self, rows: npt.NDArray[np.intp]) -> Blobs:
        """The points at `rows`, in that order."""
        return Blobs(
            self.x[rows], self.y[rows], self.scale[rows], self.response[rows], self.octave[rows], self.level[rows]
        )


def _blur(picture: F32, sigma: float) -> F32:
    radius = int(np.ceil(2.5 * sigma))
    return np.asarray(cv2.GaussianBlur(picture, (2 * radius + 1, 2 * radius + 1), sigma), np.float32)


def build(picture: U8) -> Pyramid:
    """Blur and halve a grey picture (height, width) until the shorter side would fall under SMALLEST_OCTAVE."""
    base = _blur(picture.astype(np.float32), float(np.sqrt(SIGMA**2 - INPUT_SIGMA**2)))
    octaves: list[list[F32]] = []
    while min(base.shape) >= SMALLEST_OCTAVE or not octaves:
        levels = [base]
        for i in range(INTERVALS + 2):
            sigma = SIGMA * 2 ** (i / INTERVALS)
            levels.append(_blur(levels[-1], sigma * float(np.sqrt(2 ** (2 / INTERVALS) - 1))))
        octaves.append(levels)
        base = np.ascontiguousarray(levels[INTERVALS][::2, ::2])
    return Pyramid(octaves)


def detect(pyramid: Pyramid, contrast: float) -> Blobs:
    """All blobs whose interpolated contrast reaches `contrast` grey levels, by octave and level."""
    sizes = [levels[0].size * (len(levels) - 1) for levels in pyramid.levels]
    # One flat array holds every difference, so that all points are refined in one go.
    flat = np.empty(sum(sizes), np.float32)
    peaks: list[tuple[Rows, int, int]] = []
    start = 0
    for octave, levels in enumerate(pyramid.levels):
        shape, size = levels[0].shape, levels[0].size
        for i, (a, b) in enumerate(pairwise(levels)):
            cv2.subtract(b, a, dst=flat[start + i * size : start + (i + 1) * size].reshape(shape))
        for i in range(1, INTERVALS + 1):
            places = _peaks(np.asarray(cv2.absdiff(levels[i], levels[i + 1]), np.float32), contrast) + (
                start + i * size
            )
            peaks.append((_highest(flat, places, shape), octave, i))
        start += sizes[octave]
    return _refine(flat, peaks, pyramid, contrast)


def _peaks(strength: F32, contrast: float) -> Rows:
    """Flat places that are the largest of their nine neighbours in one level; none on the border."""
    ceiling: F32 = np.asarray(cv2.dilate(strength, _NEIGHBOURS), np.float32)
    np.maximum(ceiling, np.float32(0.7 * contrast), out=ceiling)  # the fit may raise a point over the bar
    mask = cv2.compare(strength, ceiling, cv2.CMP_GE)
    mask[[0, -1], :] = 0
    mask[:, [0, -1]] = 0
    # Of bytes NumPy would first make what they are not: it takes seven times as long.
    return np.flatnonzero(mask.ravel() != 0)


def _highest(flat: F32, places: Rows, shape: tuple[int, ...]) -> Rows:
    """Those places whose strength is not exceeded by their nine neighbours in the level below or the one above."""
    height, width = shape
    for level in (-height * width, height * width):
        # The nearest neighbour decides most cases: look at it first.
        places = places[np.abs(flat[places + level]) <= np.abs(flat[places])]
        around = np.array([-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1]) + level
        places = places[np.abs(flat[places[:, None] + around]).max(1, initial=0) <= np.abs(flat[places])]
    return places


def _refine(flat: F32, peaks: list[tuple[Rows, int, int]], pyramid: Pyramid, contrast: float) -> Blobs:
    """One Newton step of the quadratic fit in (x, y, level), then the tests of contrast and edge."""
    counts = [len(places) for places, _, _ in peaks]
    at = np.concatenate([places for places, _, _ in peaks])
    octave = np.repeat(np.array([octave for _, octave, _ in peaks], np.int32), counts)
    level = np.repeat(np.array([level for _, _, level in peaks], np.int32), counts)
    width = np.array([levels[0].shape[1] for levels in pyramid.levels])[octave]
    height = np.array([levels[0].shape[0] for levels in pyramid.levels])[octave]
    deep = width * height
    centre = flat[at]
    east, west, south, north = flat[at + 1], flat[at - 1], flat[at + width], flat[at - width]
    up, down = flat[at + deep], flat[at - deep]
    dxx, dyy, dss = east + west - 2 * centre, south + north - 2 * centre, up + down - 2 * centre
    dxy = (flat[at + width + 1] + flat[at - width - 1] - flat[at - width + 1] - flat[at + width - 1]) / 4
    gx, gy, gs = (east - west) / 2, (south - north) / 2, (up - down) / 2
    determinant = dxx * dyy - dxy**2
    safe = np.where(np.abs(determinant) > _TINY, determinant, _TINY)
    # The cross terms with the level are small; leaving them out saves eight gathers.
    ox = np.clip((dxy * gy - dyy * gx) / safe, -0.6, 0.6)
    oy = np.clip((dxy * gx - dxx * gy) / safe, -0.6, 0.6)
    ol = np.clip(-gs / np.where(np.abs(dss) > _TINY, dss, _TINY), -0.6, 0.6)
    response = np.abs(centre + 0.5 * (gx * ox + gy * oy + gs * ol))
    round_enough = (dxx + dyy) ** 2 * EDGE_RATIO < (EDGE_RATIO + 1) ** 2 * determinant
    keep = np.flatnonzero((determinant > 0) & round_enough & (response >= contrast))
    step = (2.0 ** octave[keep]).astype(np.float32)
    inside = at[keep] - _starts(pyramid)[octave[keep]] - level[keep] * deep[keep]
    return Blobs(
        ((inside % width[keep] + ox[keep]) * step).astype(np.float32),
        ((inside // width[keep] + oy[keep]) * step).astype(np.float32),
        (SIGMA * 2 ** ((level[keep] + ol[keep]) / INTERVALS) * step).astype(np.float32),
        response[keep].astype(np.float32),
        octave[keep],
        level[keep],
    )


def _starts(pyramid: Pyramid) -> Rows:
    sizes = [levels[0].size * (len(levels) - 1) for levels in pyramid.levels]
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
