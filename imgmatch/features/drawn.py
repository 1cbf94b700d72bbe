"""Where a picture was drawn, not photographed: cards, frames, letters, codes, bars.

What is drawn has few greys: a cell of it is mostly one, whatever lies on it. A photo's cells go over from grey to grey.
Of 15,000 cells of photos with anything on them 9 % are mostly one grey, of cards and frames 85 to 98 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imgmatch.features.scalespace import U8

Cells = npt.NDArray[np.bool_]
"""Which of the cells of a picture are drawn, shape (n, n): a picture is cut into as many across as down."""

CELLS = 16
"""Along a side: 32 pixels of the small picture's longer side each."""

FINER_CELLS = 32
"""Along a side of a larger picture, which may show others as small parts."""

CELLS_BYTES = CELLS * CELLS // 8

_MOSTLY = 0.3
"""Share of a cell's pixels that one grey has, and those beside it."""


def drawn_cells(picture: U8, cells: int = CELLS) -> Cells:
    """Which cells of a grey picture (height, width) are drawn; those that are empty count as drawn."""
    height, width = picture.shape
    # Greys of cells side by side are told apart by what is added to them, so that a row of cells is counted at once.
    numbered = picture + (np.arange(width) * cells // width * 256).astype(np.uint16)
    edges = -(-np.arange(cells + 1) * height // cells)
    drawn = np.empty((cells, cells), np.bool_)
    for row in range(cells):
        band = numbered[edges[row] : edges[row + 1]].ravel()
        counts = np.bincount(band, minlength=cells * 256).reshape(cells, 256)
        near = counts.copy()
        near[:, 1:] += counts[:, :-1]
        near[:, :-1] += counts[:, 1:]
        drawn[row] = near.max(1) >= _MOSTLY * counts.sum(1)
    return drawn


def packed(cells: Cells) -> bytes:
    """So many bits, row by row, the first one highest."""
    return np.packbits(cells).tobytes()


def unpacked_cells(data: bytes) -> Cells:
    """The bytes of :func:`packed` for ``CELLS`` a side."""
    return np.unpackbits(np.frombuffer(data, np.uint8)).reshape(CELLS, CELLS).astype(np.bool_)
