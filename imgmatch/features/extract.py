"""From one small upright grey picture to its local features.

Two efforts: `STORED` (what an index keeps of a photo) and `QUERY` (what a check spends on the photo it asks about).
Points are spread over the picture by a grid: the strongest points alone sit on one shirt or one caption, and a crop
that leaves it out finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from imgmatch.features.describe import Atlas, describe, mirror_order, negative_order, orient
from imgmatch.features.drawn import FINER_CELLS, Cells, drawn_cells
from imgmatch.features.scalespace import F32, U8, Blobs, build, detect


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look.

    side: pixels of the longest side the picture is brought to. enlarge: but not by more than this factor. count:
    points kept at most. grid: cells along a side of the grid that spreads them. octaves: whether each octave has a
    grid of its own. contrast: lowest response in grey levels. second: see `describe.orient`.
    """

    side: int
    enlarge: float
    count: int
    grid: int
    octaves: bool
    contrast: float
    second: float


STORED = Effort(side=432, enlarge=4.0, count=100, grid=6, octaves=False, contrast=1.5, second=2.0)
QUERY = Effort(side=560, enlarge=2.5, count=600, grid=14, octaves=True, contrast=0.8, second=2.0)
QUERY_LARGE = Effort(side=1300, enlarge=2.0, count=500, grid=14, octaves=True, contrast=1.5, second=2.0)


@dataclass(frozen=True, slots=True)
class Features:
    """Local features of one picture.

    points: (n, 4) float32 of x, y, scale, angle. x and y are shares of the longest side (so a picture of any size has
    the same coordinates), scale is the blur sigma in the same unit, angle is in radians, clockwise from east.
    descriptors: (n, 128) uint8. width, height: of the picture, as shares of its longest side. drawn: which cells of it
    are drawn; None where that is not known.
    """

    points: F32
    descriptors: U8
    width: float
    height: float
    drawn: Cells | None = None

    def __len__(self) -> int:
        return len(self.points)

    def mirrored(self) -> Features:
        """The features of the picture mirrored left to right, exactly, without its pixels."""
        points = self.points.copy()
        points[:, 0] = self.width - points[:, 0]
        points[:, 3] = np.pi - points[:, 3]
        drawn = None if self.drawn is None else self.drawn[:, ::-1]
        return Features(points, self.descriptors[:, mirror_order()], self.width, self.height, drawn)

    def negated(self) -> Features:
        """The features of the picture's negative, exactly, without its pixels: a blob stays one, and so do cells."""
        points = self.points.copy()
        points[:, 3] += np.pi
        return replace(self, points=points, descriptors=self.descriptors[:, negative_order()])


def fit(picture: U8, side: int) -> U8:
    """Bring the longest side to `side` pixels, up or down; the shorter one stays at least one pixel."""
    height, width = picture.shape
    factor = side / max(height, width)
    if factor == 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    # Averaging over areas costs 0.6 ms and shows only when much is left out.
    way = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR if factor < 1 else cv2.INTER_CUBIC  # noqa: PLR2004 -- see the comment or docstring here
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def spread(blobs: Blobs, shape: tuple[int, int], effort: Effort) -> Blobs:
    """The `effort.count` best points, taken in turn from the cells of a grid: first every cell's best, and so on."""
    if len(blobs.x) <= effort.count:
        return blobs
    height, width = shape
    # Coarse octaves have few points, which survive most: each octave has a grid of its own, half as fine.
    side = np.maximum(1, effort.grid >> blobs.octave) if effort.octaves else np.full(len(blobs.x), effort.grid)
    column = np.minimum((blobs.x * side / width).astype(np.int32), side - 1)
    row = np.minimum((blobs.y * side / height).astype(np.int32), side - 1)
    cell = row * effort.grid + column + (effort.grid**2 * blobs.octave if effort.octaves else 0)
    order = np.lexsort((-blobs.response, cell))
    starts = np.searchsorted(cell[order], np.arange(effort.grid**2 * 12))
    rank = np.arange(len(order)) - starts[cell[order]]
    best = np.lexsort((-blobs.response[order], rank))[: effort.count]
    return blobs.take(order[best])


def extract(picture: U8, effort: Effort = STORED) -> Features:
    """Find, choose and describe the points of a grey picture (height, width) of any size.

    A flat or tiny picture gives no points; that is an answer, not an error.
    """
    return replace(_points_of(picture, effort), drawn=drawn_cells(picture))


def _points_of(picture: U8, effort: Effort) -> Features:
    """The same, without what is drawn."""
    small = fit(picture, min(effort.side, round(max(picture.shape) * effort.enlarge)))
    height, width = small.shape
    pyramid = build(small)
    blobs = spread(detect(pyramid, effort.contrast), (height, width), effort)
    atlas = Atlas(pyramid)
    rows, angle = orient(atlas, blobs, effort.second)
    blobs = blobs.take(rows)
    side = max(small.shape)
    unit = np.float32(1 / side)
    # A pixel covers i..i+1: its middle is the same place at every size of the picture.
    points = np.stack([(blobs.x + 0.5) * unit, (blobs.y + 0.5) * unit, blobs.scale * unit, angle], axis=1).astype(
        np.float32
    )
    return Features(points, describe(atlas, blobs, angle), width / side, height / side)


def extract_query(small: U8, large: U8) -> Features:
    """The richer features of a photo that is asked about: its small picture and, if it has one, its larger one.

    Small pictures are scaled up; large ones (screenshots) are looked at a second time at a larger size, because the
    photo may be a small part of them.
    """
    if large is small:
        return extract(small, QUERY)
    first, second = _points_of(small, QUERY), _points_of(large, QUERY_LARGE)
    return Features(
        np.concatenate([first.points, second.points]),
        np.concatenate([first.descriptors, second.descriptors]),
        first.width,
        first.height,
        drawn_cells(large, FINER_CELLS),
    )
