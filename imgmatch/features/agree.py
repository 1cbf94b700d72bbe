"""Whether two aligned pictures show the same thing: block by block, so that a sticker spoils only its own blocks.

The query is drawn over the stored thumbnail and every 9x9 window with texture is compared by normalised
cross-correlation. A correlation over the whole picture would lose masked, framed and overlaid copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from imgmatch.features.edges import edges
from imgmatch.features.equal import equality
from imgmatch.features.refine import correction
from imgmatch.features.regions import largest
from imgmatch.features.scalespace import F32, U8

if TYPE_CHECKING:
    from imgmatch.features.drawn import Cells

F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

WINDOW = 9  # pixels of the thumbnail
TEXTURE = 4.0  # grey levels: standard deviation from which a window says something
AGREES = 0.6  # correlation from which a window agrees
AGREES_WELL = 0.85
DIFFERS = 0.4  # correlation below which it does not
SMALL_WINDOW = 5
AGREES_FULLY = 0.9
AGREES_SMALL = 0.8
HASH_SIDE = 16
WORTH_CORRECTING = 0.1  # share below which no correction is tried
LEAST_WINDOWS = 12


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the shared part is.

    share, share_well: of the windows with texture, 0..1, at AGREES and AGREES_WELL. mean: correlation, -1..1. fine:
    share of small windows that agree almost perfectly, which fit between letters and stripes. both: share of the
    windows with texture in either picture. hole: the largest connected region of such windows that do not agree, as a
    share of what the frames have in common: a sticker makes a small one, the same room behind another person a large
    one. clash: the same of windows with texture in both. another: the same of those that are drawn in neither picture:
    where a template holds another photo. photo: share of what the frames have in common that agrees and is drawn in
    neither. photo_share: of the windows that are drawn in neither those that agree; NaN without any. best_half:
    mean correlation of the better half of the windows, -1..1. fine_third: correlation from which the best third of the
    small windows is. small: of the small windows with texture in both those above AGREES_SMALL. small_photo: the same
    of those that are drawn in neither; both NaN without any. equal to tone_error: see `Equality`. windows: windows with
    texture as a share of the thumbnail's area. bits: differing signs of 255 low frequencies of the shared part, as a
    share. one_tone: see `Equality`. edges to edges_added: see `EdgeAgreement`. matrix: (2, 3) float64, the alignment
    after correction.
    """

    share: float
    share_well: float
    mean: float
    fine: float
    both: float
    hole: float
    clash: float
    another: float
    photo: float
    photo_share: float
    best_half: float
    fine_third: float
    small: float
    small_photo: float
    equal: float
    equal_detail: float
    unequal: float
    tone_error: float
    windows: float
    bits: float
    one_tone: float
    edges: float
    edges_half: float
    edges_share: float
    edges_clash: float
    directions: float
    edges_lost: float
    edges_added: float
    matrix: F64


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
class _Windows:
    """Around every pixel of two pictures (height, width).

    correlation: float32. inside: whether the window lies in the mask. stored, drawn: whether it has texture, inside, in
    each of the two.
    """

    correlation: F32
    inside: Bool
    stored: Bool
    drawn: Bool


@dataclass(frozen=True, slots=True)
class _Laid:
    """The query drawn over the thumbnail: pixels (height, width) float32 of both, mask, windows, their values (k,)."""

    stored: F32
    drawn: F32
    mask: U8
    windows: _Windows
    values: F32

    @property
    def share(self) -> float:
        return float((self.values > AGREES).mean())


def compare(
    query: Layers, thumbnail: U8, matrix: F64, drawn_query: Cells | None = None, drawn_stored: Cells | None = None
) -> Agreement | None:
    """Lay `query` over `thumbnail` by `matrix` (2, 3, query -> stored in longest sides), corrected to the last pixel.

    drawn_query, drawn_stored: which cells of the pictures are drawn, if that is known.

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
    there = None
    if drawn_query is not None and drawn_stored is not None:
        there = _drawn_there(query, matrix, thumbnail.shape, drawn_query, drawn_stored)
    return _agreement(laid, there, matrix)


def _drawn_there(query: Layers, matrix: F64, shape: tuple[int, ...], drawn_query: Cells, drawn_stored: Cells) -> Bool:
    """Which pixels of the thumbnail lie in a cell that is drawn, of it or of the query; `matrix` as in `compare`."""
    height, width = shape
    down, across = _middles(height), _middles(width)
    stored = drawn_stored[_cell(down / height, drawn_stored)[:, None], _cell(across / width, drawn_stored)]
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    x, y = across / max(shape), down[:, None] / max(shape)
    left, top = (row[0] * x + row[1] * y + row[2] for row in back)
    return stored | drawn_query[_cell(top / query.height, drawn_query), _cell(left / query.width, drawn_query)]


def _middles(side: int) -> F64:
    return np.arange(side, dtype=np.float64) + 0.5


def _cell(shares: F64, cells: Cells) -> npt.NDArray[np.intp]:
    return np.clip(shares * len(cells), 0, len(cells) - 1).astype(np.intp)


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
    values = windows.correlation[windows.stored]
    return _Laid(stored, drawn, mask, windows, values) if len(values) >= LEAST_WINDOWS else None


def _agreement(laid: _Laid, drawn_there: Bool | None, matrix: F64) -> Agreement:
    """What two pictures laid over each other come to; see the fields."""
    windows, size = laid.windows, max(int(laid.windows.inside.sum()), 1)
    either, differs = windows.stored | windows.drawn, windows.correlation < DIFFERS
    pictures = laid.stored, laid.drawn, laid.mask
    fine, equal, alike = _fine(laid, drawn_there), equality(*pictures), edges(*pictures)
    another, photo, photo_share = (float("nan"),) * 3
    if drawn_there is not None:
        another, photo, photo_share = _photographed(windows, drawn_there, size)
    return Agreement(
        share=laid.share,
        share_well=float((laid.values > AGREES_WELL).mean()),
        mean=float(laid.values.mean()),
        fine=fine.share,
        both=float((windows.correlation[either] > AGREES).mean()),
        hole=largest(either & differs) / size,
        clash=largest(windows.stored & windows.drawn & differs) / size,
        another=another,
        photo=photo,
        photo_share=photo_share,
        best_half=float(np.sort(laid.values)[len(laid.values) // 2 :].mean()),
        fine_third=fine.third,
        small=fine.small,
        small_photo=fine.small_photo,
        equal=equal.share,
        equal_detail=equal.detail,
        unequal=equal.unequal,
        tone_error=equal.error,
        windows=len(laid.values) / laid.stored.size,
        bits=_bits(*pictures),
        one_tone=equal.one_tone,
        edges=alike.correlation,
        edges_half=alike.best_half,
        edges_share=alike.share,
        edges_clash=alike.clash,
        directions=alike.directions,
        edges_lost=alike.lost,
        edges_added=alike.added,
        matrix=matrix,
    )


def _photographed(windows: _Windows, drawn_there: Bool, size: int) -> tuple[float, float, float]:
    """See `Agreement.another`, `photo` and `photo_share`."""
    photo = windows.stored & ~drawn_there
    another = largest(photo & windows.drawn & (windows.correlation < DIFFERS))
    alike = windows.correlation > AGREES
    return another / size, int((photo & alike).sum()) / size, _share(alike, photo)


@dataclass(frozen=True, slots=True)
class _Fine:
    """See `Agreement.fine`, `fine_third`, `small` and `small_photo`."""

    share: float
    third: float
    small: float
    small_photo: float


def _fine(laid: _Laid, drawn_there: Bool | None) -> _Fine:
    """How alike small windows are, which fit between what is strewn over a picture."""
    nan = float("nan")
    windows = correlate(laid.stored, laid.drawn, laid.mask, SMALL_WINDOW)
    if windows is None or not windows.stored.any():
        return _Fine(0.0, 0.0, nan, nan)
    values = windows.correlation[windows.stored]
    third = len(values) * 2 // 3
    both, alike = windows.stored & windows.drawn, windows.correlation > AGREES_SMALL
    return _Fine(
        float((values > AGREES_FULLY).mean()),
        float(np.partition(values, third)[third]),
        _share(alike, both),
        nan if drawn_there is None else _share(alike, both & ~drawn_there),
    )


def _share(alike: Bool, of: Bool) -> float:
    """The share of the windows `of` that are alike, NaN of fewer than a dozen."""
    count = int(of.sum())
    return int((alike & of).sum()) / count if count >= LEAST_WINDOWS else float("nan")


def _after(moved: F64, to_pixels: F64) -> F64:
    """`to_pixels` followed by an affine map of pixel numbers (whose middles lie half a pixel further)."""
    moved = moved.copy()
    moved[:, 2] += 0.5 - moved[:, :2] @ [0.5, 0.5]
    return np.column_stack([moved[:, :2] @ to_pixels[:, :2], moved[:, :2] @ to_pixels[:, 2] + moved[:, 2]])


def correlate(first: F32, second: F32, mask: U8, window: int = WINDOW) -> _Windows | None:
    """Compare every window of two pictures (height, width); None where none lies in the mask."""
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
    return _Windows(correlation, inside, inside & (v1 > TEXTURE**2), inside & (v2 > TEXTURE**2))


def _bits(first: F32, second: F32, mask: U8) -> float:
    """Share of low DCT frequencies whose sign differs inside the box round the mask: a fingerprint after alignment."""
    x, y, width, height = cv2.boundingRect(mask)
    signs = []
    for picture in (first, second):
        part = cv2.resize(picture[y : y + height, x : x + width], (32, 32), interpolation=cv2.INTER_AREA)
        low = cv2.dct(part)[:HASH_SIDE, :HASH_SIDE].ravel()[1:]
        signs.append(low > np.median(low))
    return float((signs[0] != signs[1]).mean())
