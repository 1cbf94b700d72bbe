"""Pictures within a picture: photos on a screenshot, in a collage, in a frame, or askew on a plain ground.

Two things tell where one ends. Around it lies a ground of one grey, as pages, cards and frames have: what the ground
leaves over are islands, of which those count that are a rectangle, a disc or a slanted quadrangle. And where pictures
touch, as in a grid, a line of sudden change goes through from side to side: an island, and the whole picture, is cut
along such lines.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch.imaging.scaling import shrunk
from imgmatch.imaging.sizes import KEPT, SMALL_SIDE
from imgmatch.model import outline_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.imaging.picture import SmallPicture
    from imgmatch.model import Outline

    Grey = NDArray[np.uint8]
    Quad = NDArray[np.float32]
    """Corners, shape (4, 2), of x and y, clockwise from the upper left one."""

MOST_PANELS = 12
"""So many are taken of one picture at the most, the largest: a grid of posts shows as many."""

MOST_AREA, MOST_SLANTED = 0.5, 0.9
"""Share of a picture up to which a panel is worth a look of its own, and of one that is to be brought upright: a larger
one is found by the picture itself, which shows little else."""

_PAGE, _PAGE_SIDE = 1.6, 1024
"""Times as long as wide from which a picture may be a screen; and its longer side, in pixels, as it is looked at: the
shorter one has as many then as that of a photo, and gaps of a few pixels are seen."""

_LEAST_SIDE = 40
"""Pixels of the shorter side of what is looked at: smaller ones are icons, and would be smears of grey."""

_LONGEST = 4.0
"""Times as long as wide: more is a bar."""

_FLAT, _NEAR_GROUND, _GROUND_BAND = 6, 5, 3
"""Grey levels within which neighbours lie on a plain ground, pixels belong to it, and its own greys lie."""

_GROUNDS, _LEAST_GROUND = 3, 0.15
"""Grounds of different grey, such as a page and the cards on it, and the share of the picture each has at least."""

_SOLID, _BOX_FILL, _DISC_FILL = 0.85, 0.93, (0.74, 0.85)
"""Of an island's hull at least so much is the island's; and of its box the hull has so much if it is a rectangle, or a
disc (π / 4)."""

_ROUND = 1.25
"""Times as wide as high, or as high as wide, up to which a disc is one."""

_CORNERS_OFF, _AREA_OFF = 0.02, 0.05
"""Of its length the outline, and of its area the hull, may so much differ from the quadrangle that is put for it."""

_AT_CORNER = 3
"""Pixels within which a corner is the picture's own."""

_STEP, _THROUGH, _BEYOND, _TIMES = 12, 0.55, 0.15, 2.2
"""Grey levels of a sudden change; the share of a line that has it; and how much more than usual around there."""

_LEAST_LINES, _LINES_APART, _LINE_WIDTH, _AROUND = 2, 20, 4, 25
"""Lines that cut a picture; pixels between two, of one line, and of what is usual around it."""

_LEAST_CUT = 0.15
"""Share of the picture from which an island may be a grid: a smaller one is a photo with shelves."""

_SAME = 0.8
"""Intersection over union of the boxes of two panels that are one."""


def panels_of(picture: Grey) -> list[Outline]:
    """Where other pictures lie in a grey picture (height, width): four corners each, the largest first.

    What is drawn, or shows nothing, is among them: that is for the caller to tell.
    """
    small = _looked_at(picture)
    islands: list[Quad] = []
    height, width = small.shape
    for island in (*_islands(small), _box(0, 0, width, height)):
        islands.append(island)
        if _is_upright(island) and _area(island) >= _LEAST_CUT * small.size:
            islands += _pieces(small, island)
    found: list[Quad] = []
    for quad in sorted(islands, key=_area, reverse=True):
        if _is_fit(quad, small) and not any(_overlap(quad, other) > _SAME for other in found):
            found.append(quad)
    sides = np.array([width, height], np.float32)
    return [outline_of(np.divide(quad, sides, dtype=np.float32)) for quad in found[:MOST_PANELS]]


def panel_picture(picture: SmallPicture, panel: Outline) -> SmallPicture:
    """A panel of a picture as a picture of its own, cut from the larger one; width and height are still the photo's."""
    large = cut_out(picture.large, panel)
    height, width = large.shape
    grey = shrunk(large, width, height, SMALL_SIDE)
    rgb = None if picture.rgb is None else cut_out(picture.rgb, panel)
    has_more = max(height, width) > KEPT * SMALL_SIDE
    return replace(picture, grey=grey, large=large if has_more else grey, colours=None, rgb=rgb)


def cut_out(picture: NDArray[np.uint8], panel: Outline) -> NDArray[np.uint8]:
    """A panel of a picture of shape (height, width), or with channels, brought upright; at least one pixel each way."""
    height, width = picture.shape[:2]
    quad = np.array(panel, np.float32)
    corners = quad * np.array([width, height], np.float32)
    if _is_upright(quad):
        left, top, right, bottom = np.rint([*corners[0], *corners[2]]).astype(int).tolist()
        return np.ascontiguousarray(picture[top : max(bottom, top + 1), left : max(right, left + 1)])
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    wide, high = (max(1, round(float(sides[k] + sides[k + 2]) / 2)) for k in (0, 1))
    onto = cv2.getPerspectiveTransform(corners, _box(0, 0, wide, high))
    return np.asarray(cv2.warpPerspective(picture, onto, (wide, high), flags=cv2.INTER_LINEAR), np.uint8)


def in_photo(panel: Outline, points: Outline) -> Outline:
    """Where points of a panel, in shares of its sides, lie in the picture that it is a part of."""
    onto = cv2.getPerspectiveTransform(_box(0, 0, 1, 1), np.array(panel, np.float32))
    placed = cv2.perspectiveTransform(np.array([points], np.float32), onto)[0]
    return outline_of(placed)


def area(panel: Outline) -> float:
    """The share of a picture that a panel of it takes, 0..1."""
    return _area(np.array(panel, np.float32))


def is_page(picture: Grey) -> bool:
    """Whether a grey picture may be a screen or a page, of which a larger one shows panels that this one does not."""
    return max(picture.shape) >= _PAGE * min(picture.shape) and bool(_grounds(picture))


def _looked_at(picture: Grey) -> Grey:
    side = _PAGE_SIDE if max(picture.shape) >= _PAGE * min(picture.shape) else SMALL_SIDE
    scale = side / max(picture.shape)
    if scale * KEPT >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _islands(picture: Grey) -> Iterator[Quad]:
    """What the plain grounds of a picture leave over, each of them and all together."""
    greys = _grounds(picture)
    for some in [greys, *([one] for one in greys)] if len(greys) > 1 else [greys] if greys else []:
        yield from _islands_in(picture, some)


def _islands_in(picture: Grey, greys: Sequence[int]) -> Iterator[Quad]:
    land = np.full(256, 255, np.uint8)
    for grey in greys:
        land[max(0, grey - _NEAR_GROUND) : grey + _NEAR_GROUND + 1] = 0
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(cv2.LUT(picture, land), connectivity=4)
    large = np.flatnonzero(boxes[1:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_AREA].min(axis=1) >= _LEAST_SIDE) + 1
    for label in large.tolist():
        left, top, width, height = boxes[label, : cv2.CC_STAT_AREA].tolist()
        here = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
        quad = _shape(here)
        if quad is not None:
            yield quad + np.array([left, top], np.float32)


def _grounds(picture: Grey) -> list[int]:
    """The greys of the plain grounds of a picture, the largest first."""
    around = np.ones((3, 3), np.uint8)
    varied = cv2.subtract(cv2.dilate(picture, around), cv2.erode(picture, around))
    flat = cv2.threshold(varied, _FLAT, 255, cv2.THRESH_BINARY_INV)[1]
    numbers = cv2.calcHist([picture], [0], flat, [256], [0, 256]).ravel()
    greys: list[int] = []
    while len(greys) < _GROUNDS:
        band = np.convolve(numbers, np.ones(2 * _GROUND_BAND + 1), "same")
        grey = int(band.argmax())
        if band[grey] < _LEAST_GROUND * picture.size:
            break
        greys.append(grey)
        numbers[max(0, grey - 2 * _NEAR_GROUND) : grey + 2 * _NEAR_GROUND + 1] = 0
    return greys


def _shape(island: Grey) -> Quad | None:
    """The rectangle, the box of the disc, or the quadrangle that an island fills, in its own pixels."""
    height, width = island.shape
    outlines, _ = cv2.findContours(island, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    area = cv2.contourArea(hull)
    covered = cv2.drawContours(np.zeros_like(island), outlines, -1, 1, -1).sum()
    if covered < _SOLID * area:
        return None
    fill = area / (width * height)
    disc = _DISC_FILL[0] < fill < _DISC_FILL[1] and max(width, height) < _ROUND * min(width, height)
    if fill > _BOX_FILL or disc:
        return _box(0, 0, width, height)
    tolerance = _CORNERS_OFF * cv2.arcLength(hull, closed=True)
    corners = cv2.approxPolyDP(hull, tolerance, closed=True)[:, 0].astype(np.float32)
    if len(corners) != 4 or abs(cv2.contourArea(corners) - area) > _AREA_OFF * area:  # noqa: PLR2004 -- corners
        return None
    x, y = (corners - corners.mean(axis=0)).T
    corners = corners[np.argsort(np.arctan2(y, x))]
    return np.roll(corners, -int(corners.sum(axis=1).argmin()), axis=0)


def _pieces(picture: Grey, box: Quad) -> list[Quad]:
    """A rectangle cut along the lines that go through it; nothing where there is but one, which is a horizon."""
    left, top, right, bottom = np.rint([*box[0], *box[2]]).astype(int).tolist()
    within = picture[top:bottom, left:right]
    upright, level = _lines(within, axis=1), _lines(within, axis=0)
    if len(upright) + len(level) < _LEAST_LINES:
        return []
    columns, rows = [left, *(left + line for line in upright), right], [top, *(top + line for line in level), bottom]
    return [
        _box(*start, *end)
        for start, end in zip(product(columns[:-1], rows[:-1]), product(columns[1:], rows[1:]), strict=True)
    ]


def _lines(picture: Grey, axis: int) -> list[int]:
    """Places along an axis where a line of sudden change goes through the picture from side to side."""
    if picture.shape[axis] < 2 * _LEAST_SIDE:
        return []
    one, next_one = (picture[:-1], picture[1:]) if axis == 0 else (picture[:, :-1], picture[:, 1:])
    changes = cv2.threshold(cv2.absdiff(one, next_one), _STEP, 255, cv2.THRESH_BINARY)[1]
    share = cv2.reduce(changes, 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255
    usual = cv2.medianBlur(np.rint(share * 255).astype(np.uint8)[None], _AROUND)[0] / 255
    places = np.flatnonzero((share > _THROUGH) & (share > _TIMES * usual + _BEYOND)) + 1
    lines = np.split(places, np.flatnonzero(np.diff(places) > _LINE_WIDTH) + 1)
    within = range(_LINES_APART + 1, picture.shape[axis] - _LINES_APART)
    return [int(line[len(line) // 2]) for line in lines if len(line) and line[0] in within and line[-1] in within]


def _box(left: float, top: float, right: float, bottom: float) -> Quad:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _is_upright(quad: Quad) -> bool:
    (left, top), (right, above), (_, bottom), (beside, below) = quad.tolist()
    return bool(left == beside and top == above and bottom == below and right > left)


def _is_fit(quad: Quad, picture: Grey) -> bool:
    """Whether a panel is neither too small, nor a bar, nor nearly all of the picture, nor what a ground has cut off."""
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    if sides.min() < _LEAST_SIDE or sides.max() > _LONGEST * sides.min():
        return False
    height, width = picture.shape
    if _is_upright(quad):
        return _area(quad) < MOST_AREA * picture.size
    in_corners = np.abs(quad - _box(0, 0, width, height)).max(axis=1) <= _AT_CORNER
    return _area(quad) < MOST_SLANTED * picture.size and int(in_corners.sum()) < 2  # noqa: PLR2004 -- a side's ends


def _area(quad: Quad) -> float:
    return float(cv2.contourArea(quad))


def _overlap(one: Quad, other: Quad) -> float:
    """Intersection over union of their boxes."""
    low, high = np.maximum(one.min(axis=0), other.min(axis=0)), np.minimum(one.max(axis=0), other.max(axis=0))
    both = float(np.prod(np.maximum(high - low, 0)))
    return both / (sum(float(np.prod(np.ptp(quad, axis=0))) for quad in (one, other)) - both)
