"""Which pixels two aligned pictures have in common, once the tone of one is fitted to the other's.

Stickers, scribbles and bars spoil every window of a copy that they touch, and where they are strewn they touch nearly
all. But the pixels between them are still those of the original, and what they hide are regions of their own; of
another photo hardly any pixel is equal where there is detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch.features.regions import largest

if TYPE_CHECKING:
    from imgmatch.features.scalespace import F32, U8

F64 = npt.NDArray[np.float64]

_FITTED = 1_000
"""Pixels that the tone is fitted to, spread over all that the pictures share."""

_STARTS, _APART, _JUDGED = 32, 12.0, 100
"""Lines that are tried, each through two pixels so many grey levels apart, and pixels by which the best is told. Where
half of the pixels are hidden, a quarter of the lines runs through two that are not."""

_PLACES = np.random.default_rng(0).random((2, _STARTS))
"""Which two pixels each runs through, as shares of all of them."""

_STEPS = 3
_STEEPEST = 3.0
"""No filter changes contrast more; below zero is a negative."""

_SURELY = 4.0
"""Grey levels: pixels no farther off than this are always fitted to."""

_TOLERATED = 8.0, 0.2
"""Grey levels, and share of their standard deviation, by which equal pixels may differ: compression, small shifts."""

_DETAIL = 12
"""Grey levels within 3x3 pixels from which there is detail."""

_ONE_TONE, _LEAST_DIFFERING = 13, 50
"""Grey levels next to each other that count as one, and pixels of which it is worth saying."""


@dataclass(frozen=True, slots=True)
class Equality:
    """How much is equal: of all pixels, and of those with detail in both pictures, shares of 0..1.

    unequal: the largest connected region of pixels that are not, as a share of the whole. error: median difference from
    the fitted tone, in standard deviations of the stored picture. one_tone: of the query's pixels that are not equal
    those that nearly have one grey, as bars and words have; NaN of fewer than some tens.
    """

    share: float
    detail: float
    unequal: float
    error: float
    one_tone: float


def equality(stored: F32, drawn: F32, mask: U8) -> Equality:
    """Compare a query drawn over a stored picture pixel by pixel; all are (height, width).

    Args:
        stored: grey levels of the stored picture.
        drawn: of the query.
        mask: not 0 where there is both, which must be somewhere.
    """
    inside = mask > 0
    slope, shift, error = _tone(drawn[inside], stored[inside])
    spread = float(stored[inside].std())
    least, share = _TOLERATED
    differs = inside & (np.abs(stored - slope * drawn - shift) > max(least, share * spread))
    detailed = inside & _detailed(stored) & _detailed(drawn)
    count, details = int(inside.sum()), max(int(detailed.sum()), 1)
    regions = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return Equality(
        share=1 - int(differs.sum()) / count,
        detail=int((detailed & ~differs).sum()) / details,
        unequal=largest(regions) / count,
        error=error / max(spread, 1.0),
        one_tone=_one_tone(drawn[differs]),
    )


def _one_tone(greys: F32) -> float:
    """See `Equality.one_tone`."""
    if len(greys) < _LEAST_DIFFERING:
        return float("nan")
    counts = np.bincount(np.clip(greys, 0, 255).astype(np.uint8), minlength=256)
    return int(np.convolve(counts, np.ones(_ONE_TONE, np.int64)).max()) / len(greys)


def _tone(drawn: F32, stored: F32) -> tuple[float, float, float]:
    """Slope and shift of the straight line from `drawn` to `stored` that half of the pixels lie nearest to.

    The third is the median distance from it. Least trimmed squares by concentration from lines through two pixels
    (Rousseeuw and Van Driessen, 2006); the same pixels give the same line.
    """
    step = max(1, len(drawn) // _FITTED)
    x, y = drawn[::step].astype(np.float64), stored[::step].astype(np.float64)
    slope, shift = _best_start(x, y)
    for _ in range(_STEPS):
        distance = np.abs(y - slope * x - shift)
        kept = distance <= max(float(medians(distance)), _SURELY)
        slope, shift = _least_squares(x[kept], y[kept])
    return slope, shift, float(medians(np.abs(y - slope * x - shift)))


def _best_start(x: F64, y: F64) -> tuple[float, float]:
    """Of some lines through two pixels each the one that half of the pixels lie nearest to."""
    first, second = (_PLACES * len(x)).astype(np.intp)
    apart = x[second] - x[first]
    usable = np.abs(apart) >= _APART
    if not usable.any():
        return _least_squares(x, y)
    slopes = np.clip((y[second] - y[first])[usable] / apart[usable], -_STEEPEST, _STEEPEST)
    shifts = y[first][usable] - slopes * x[first][usable]
    some = slice(None, None, max(1, len(x) // _JUDGED))
    distances = medians(np.abs(y[some] - slopes[:, None] * x[some] - shifts[:, None]))
    best = int(distances.argmin())
    return float(slopes[best]), float(shifts[best])


def medians(values: npt.NDArray[np.floating]) -> F64:
    """The upper median of each row (numpy's own takes three times as long)."""
    middle = values.shape[-1] // 2
    return np.asarray(np.partition(values, middle)[..., middle], np.float64)


def _least_squares(x: F64, y: F64) -> tuple[float, float]:
    x_mean, y_mean = float(x.sum()) / len(x), float(y.sum()) / len(y)
    from_mean = x - x_mean
    slope = float((from_mean * (y - y_mean)).sum()) / max(float((from_mean * from_mean).sum()), 1e-6)
    slope = min(max(slope, -_STEEPEST), _STEEPEST)
    return slope, y_mean - slope * x_mean


def _detailed(picture: F32) -> npt.NDArray[np.bool_]:
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > _DETAIL, np.bool_)
