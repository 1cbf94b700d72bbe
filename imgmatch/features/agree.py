"""Whether two aligned pictures show the same thing: block by block, so that a sticker spoils only its own blocks.

The query is laid over the stored thumbnail and every 9x9 window with texture is compared by normalised
cross-correlation. A correlation over the whole picture would lose masked, framed and overlaid copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch.features.refine import correction
from imgmatch.features.scalespace import F32, U8

F64 = npt.NDArray[np.float64]

WINDOW = 9  # pixels of the thumbnail
TEXTURE = 4.0  # grey levels: standard deviation from which a window says something
AGREES = 0.6  # correlation from which a window agrees
AGREES_WELL = 0.85
SMALL_WINDOW = 5
AGREES_FULLY = 0.9
HASH_SIDE = 16
WORTH_CORRECTING = 0.1  # share below which no correction is tried
LEAST_WINDOWS = 12


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the shared part is.

    share, share_well: of the textured windows, 0..1, at AGREES and AGREES_WELL. mean: correlation, -1..1. fine: share
    of small windows that agree almost perfectly, which fit between letters and stripes.
    windows: textured windows as a share of the thumbnail's area. overlap_stored, overlap_query: share of each picture
    that lies within the other's frame. bits: differing signs of 255 low frequencies of the shared part, as a share.
    matrix: (2, 3) float64, the alignment after correction.
    outline_stored, outline_query: (k, 2) float64 corners of the shared part, in longest sides of each picture.
    """

    share: float
    share_well: float
    mean: float
    fine: float
    windows: float
    overlap_stored: float
    overlap_query: float
    bits: float
    matrix: F64
    outline_stored: F64
    outline_query: F64


class Layers:
    """A query picture and its halvings, to be warped without aliasing."""

    def __init__(self, picture: U8) -> None:
        self.side = max(picture.shape)
        self.width, self.height = picture.shape[1] / self.side, picture.shape[0] / self.side
        self._levels: list[U8] = [picture]

    def level(self, step: float) -> tuple[U8, float]:
        """The picture shrunk so that one pixel of the target covers less than two of it, and the factor (<= 1)."""
        depth = max(0, int(np.floor(np.log2(max(step, 1e-6)) + 0.3)))
        while len(self._levels) <= depth and min(self._levels[-1].shape) > 8:  # noqa: PLR2004 -- see the comment or docstring here
            last = self._levels[-1]
            size = (last.shape[1] + 1) // 2, (last.shape[0] + 1) // 2
            self._levels.append(np.asarray(cv2.resize(last, size, interpolation=cv2.INTER_AREA), np.uint8))
        chosen = self._levels[min(depth, len(self._levels) - 1)]
        return chosen, max(chosen.shape) / self.side

    def warped(self, matrix: F64, size: tuple[int, int]) -> tuple[F32, U8]:
        """The picture drawn into `size` (width, height) by `matrix` (2, 3: longest sides -> pixels), and its mask."""
        step = self.side / max(float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 1e-6)
        chosen, factor = self.level(step)
        scaled = matrix.copy()
        scaled[:, :2] /= self.side * factor
        # Pixel i covers i..i+1 and its middle lies at i + 0.5, on both sides.
        scaled[:, 2] += scaled[:, :2] @ [0.5, 0.5] - 0.5
        drawn = cv2.warpAffine(chosen, scaled, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = np.full(chosen.shape, 255, np.uint8)
        mask = cv2.warpAffine(inside, scaled, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        return drawn.astype(np.float32), np.asarray(mask, np.uint8)


@dataclass(frozen=True, slots=True)
class _Laid:
    """The query laid over the thumbnail: pixels (height, width) float32 of both, mask, values (k,) of the windows."""

    stored: F32
    drawn: F32
    mask: U8
    values: F32

    @property
    def share(self) -> float:
        return float((self.values > AGREES).mean())


def compare(query: Layers, thumbnail: U8, matrix: F64) -> Agreement | None:
    """Lay `query` over `thumbnail` by `matrix` (2, 3, query -> stored in longest sides), corrected to the last pixel.

    None where the pictures share too little to fill a window.
    """
    side = max(thumbnail.shape)
    laid = _lay(query, thumbnail, matrix * side)
    if laid is None:
        return None
    if laid.share > WORTH_CORRECTING:
        moved = correction(laid.stored, laid.drawn, laid.mask)
        better = None if moved is None else _after(moved, matrix * side)
        again = None if better is None else _lay(query, thumbnail, better)
        if better is not None and again is not None and again.values.mean() > laid.values.mean():
            laid, matrix = again, better / side
    shape = polygons(matrix, (query.width, query.height), (thumbnail.shape[1] / side, thumbnail.shape[0] / side))
    if shape is None:
        return None
    outline_stored, outline_query, overlap_stored, overlap_query = shape
    return Agreement(
        laid.share,
        float((laid.values > AGREES_WELL).mean()),
        float(laid.values.mean()),
        _fine(laid),
        len(laid.values) / thumbnail.size,
        overlap_stored,
        overlap_query,
        _bits(laid.stored, laid.drawn, laid.mask),
        matrix,
        outline_stored,
        outline_query,
    )


def _lay(query: Layers, thumbnail: U8, to_pixels: F64) -> _Laid | None:
    """Draw the query over the thumbnail and compare the windows; None where fewer than a dozen say something."""
    height, width = thumbnail.shape
    drawn, mask = query.warped(to_pixels, (width, height))
    stored = thumbnail.astype(np.float32)
    enlarged = float(np.sqrt(abs(np.linalg.det(to_pixels[:, :2])))) / query.side
    if enlarged > 1.3:  # the query is the coarser picture here: take from the thumbnail what it cannot show  # noqa: PLR2004 -- see the comment or docstring here
        stored = np.asarray(cv2.GaussianBlur(stored, (0, 0), 0.45 * enlarged), np.float32)
    windows = correlate(stored, drawn, mask)
    if windows is None:
        return None
    correlation, textured = windows
    values = correlation[textured]
    return _Laid(stored, drawn, mask, values) if len(values) >= LEAST_WINDOWS else None


def _fine(laid: _Laid) -> float:
    """Share of textured 5x5 windows whose correlation exceeds AGREES_FULLY."""
    windows = correlate(laid.stored, laid.drawn, laid.mask, SMALL_WINDOW)
    if windows is None or not windows[1].any():
        return 0.0
    return float((windows[0][windows[1]] > AGREES_FULLY).mean())


def _after(moved: F64, to_pixels: F64) -> F64:
    """`to_pixels` followed by an affine map of pixel numbers (whose middles lie half a pixel further)."""
    moved = moved.copy()
    moved[:, 2] += 0.5 - moved[:, :2] @ [0.5, 0.5]
    return np.column_stack([moved[:, :2] @ to_pixels[:, :2], moved[:, :2] @ to_pixels[:, 2] + moved[:, 2]])


def correlate(first: F32, second: F32, mask: U8, window: int = WINDOW) -> tuple[F32, npt.NDArray[np.bool_]] | None:
    """Correlation of every window of two pictures (height, width), and which windows have texture inside the mask."""
    inside = cv2.erode(mask, np.ones((window, window), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if not inside.any():
        return None

    def mean(picture: F32) -> F32:
        return np.asarray(cv2.boxFilter(picture, -1, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)

    first, second = first - first.mean(), second - second.mean()
    m1, m2 = mean(first), mean(second)
    v1, v2 = mean(first * first) - m1 * m1, mean(second * second) - m2 * m2
    both = mean(first * second) - m1 * m2
    correlation = both / np.sqrt(np.maximum(v1, 0.25) * np.maximum(v2, 0.25))
    return correlation, inside & (v1 > TEXTURE**2)


def polygons(
    matrix: F64, query: tuple[float, float], stored: tuple[float, float]
) -> tuple[F64, F64, float, float] | None:
    """The part both frames share, as corners in the stored photo and in the query, and its share of each."""
    corners = np.array([[0, 0], [query[0], 0], [query[0], query[1]], [0, query[1]]])
    moved = (corners @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    frame = np.array([[0, 0], [stored[0], 0], [stored[0], stored[1]], [0, stored[1]]], np.float32)
    area, shared = cv2.intersectConvexConvex(moved, frame)
    if area <= 0:
        return None
    outline = np.asarray(shared, np.float64).reshape(-1, 2)
    back = (outline - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    size = abs(float(np.linalg.det(matrix[:, :2])))
    return outline, back, min(1.0, area / (stored[0] * stored[1])), min(1.0, area / (size * query[0] * query[1]))


def _bits(first: F32, second: F32, mask: U8) -> float:
    """Share of low DCT frequencies whose sign differs inside the box round the mask: a fingerprint after alignment."""
    x, y, width, height = cv2.boundingRect(mask)
    signs = []
    for picture in (first, second):
        part = cv2.resize(picture[y : y + height, x : x + width], (32, 32), interpolation=cv2.INTER_AREA)
        low = cv2.dct(part)[:HASH_SIDE, :HASH_SIDE].ravel()[1:]
        signs.append(low > np.median(low))
    return float((signs[0] != signs[1]).mean())
