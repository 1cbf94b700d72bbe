"""How alike the edges of two aligned pictures are, whatever became of light and shade.

A sketch, a cartoon or a very dark filter keeps where edges are and which way they face, and little else: windows and
pixels of such a copy agree no better than those of another shot of the same scene, its edges do by far. Both pictures
are reduced to their finest detail, divided by how strong that is round about (local contrast normalisation: Jarrett et
al., ICCV 2009), and compared in strength and direction (orientation correlation: Fitch et al., BMVC 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch.features.equal import medians
from imgmatch.features.regions import largest

if TYPE_CHECKING:
    from imgmatch.features.scalespace import F32, U8

_FINE, _COARSE, _AROUND = 0.7, 2.0, 5.0
"""Pixels of the thumbnail, standard deviations: detail lies between the first two, its strength within the third."""

_NOISE = 1.5
"""Grey levels: detail no stronger than this is not made so."""

_REACH = 5
"""Pixels of a square within which no border may lie."""

_WINDOW, _LIVELY, _FAINT = 9, 0.1, 0.02
"""Pixels of a window; mean square of the detail from which one is judged, and less than which nothing counts as."""

_EVERY = (slice(None, None, 2), slice(None, None, 2))
"""Windows and directions are looked at in every second pixel, across and down: its neighbours say the same."""

_AGREES, _DIFFERS = 0.7, 0.4
"""Correlation from which a window agrees, and below which it does not."""

_FACING = float(np.cos(np.pi / 8))
"""Cosine of the angle by which edges of one direction may differ."""

_LEAST_PIXELS, _LEAST_WINDOWS = 25, 12
"""Fewer of these say nothing."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class EdgeAgreement:
    """How alike the finest detail is; all NaN where the pictures share too little.

    correlation: of all pixels, -1..1. best_half: mean correlation of the better half of the windows with detail in the
    stored picture, -1..1. share: of these windows that agree, 0..1. clash: the largest connected region of windows with
    detail in both that do not, as a share of what the frames have in common: where a template holds another photo.
    lost: the same of detail in the stored picture alone, as under a cover; added: of detail in the query alone, as of
    print on a second shirt on one carpet. directions: of the pixels with strong edges in both pictures those whose
    edges face the same way, 0..1.
    """

    correlation: float = _NAN
    best_half: float = _NAN
    share: float = _NAN
    clash: float = _NAN
    lost: float = _NAN
    added: float = _NAN
    directions: float = _NAN


def edges(stored: F32, drawn: F32, mask: U8) -> EdgeAgreement:
    """Compare a query drawn over a stored picture; all are (height, width).

    Args:
        stored: grey levels of the stored picture.
        drawn: of the query.
        mask: not 0 where there is both.
    """
    square = np.ones((_REACH, _REACH), np.uint8)
    inside = cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    some = inside[_EVERY]
    if np.count_nonzero(some) < _LEAST_PIXELS:
        return EdgeAgreement()
    first, second = _detail(stored), _detail(drawn)
    a, b = first[inside], second[inside]
    correlation = _correlation((a * b).mean(), (a * a).mean(), (b * b).mean())
    return EdgeAgreement(float(correlation), *_windows(first, second, some), _directions(first, second, some))


def _detail(picture: F32) -> F32:
    """Finest detail by its strength round about."""
    detail = _blurred(picture, _FINE) - _blurred(picture, _COARSE)
    return np.asarray(detail / (np.sqrt(_blurred(detail * detail, _AROUND)) + _NOISE), np.float32)


def _blurred(picture: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _correlation(product: F32, power: F32, other: F32) -> F32:
    """From mean products and mean squares, where they are: an array of any shape, or one number."""
    return np.asarray(product / np.sqrt(np.maximum(power, _FAINT) * np.maximum(other, _FAINT)), np.float32)


def _windows(first: F32, second: F32, some: npt.NDArray[np.bool_]) -> tuple[float, float, float, float, float]:
    """See `EdgeAgreement.best_half`, `share`, `clash`, `lost` and `added`."""

    def mean(picture: F32) -> F32:
        return np.asarray(cv2.boxFilter(picture, -1, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT), np.float32)

    power, other, product = (mean(one)[_EVERY] for one in (first * first, second * second, first * second))
    here, there = power > _LIVELY, other > _LIVELY
    judged = some & here
    if np.count_nonzero(judged) < _LEAST_WINDOWS:
        return _NAN, _NAN, _NAN, _NAN, _NAN
    correlation = _correlation(product, power, other)
    values = correlation[judged]
    middle = len(values) // 2
    best_half = float(np.partition(values, middle)[middle:].mean())
    differs, count = some & (correlation < _DIFFERS), int(np.count_nonzero(some))
    clash, lost, added = (largest(differs & one) / count for one in (here & there, here & ~there, there & ~here))
    return best_half, float((values > _AGREES).mean()), clash, lost, added


def _directions(first: F32, second: F32, some: npt.NDArray[np.bool_]) -> float:
    """See `EdgeAgreement.directions`."""
    x1, y1, size1 = _slopes(first)
    x2, y2, size2 = _slopes(second)
    strong = some & (size1 > medians(size1[some])) & (size2 > medians(size2[some]))
    if np.count_nonzero(strong) < _LEAST_WINDOWS:
        return _NAN
    facing = (x1 * x2 + y1 * y2)[strong] > _FACING * (size1 * size2)[strong]
    return float(facing.mean())


def _slopes(picture: F32) -> tuple[F32, F32, F32]:
    """Slope across, down and altogether."""
    x, y = (np.asarray(cv2.Sobel(picture, cv2.CV_32F, *axis)[_EVERY], np.float32) for axis in ((1, 0), (0, 1)))
    return x, y, np.asarray(cv2.magnitude(x, y), np.float32)
