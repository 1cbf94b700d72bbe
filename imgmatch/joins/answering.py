"""The answer to a unit of a join: on the nodes of a cluster, and in tests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.joins import kernels
from imgmatch.joins.blocks import words_of
from imgmatch.joins.shapes import Area, Column, Found, Rule
from imgmatch.joins.unit_messages import JoinUnit, UnitFound
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imgmatch.joins.blocks import Words

PATIENCE = 1 << 34
"""Pairs a unit may look at: two seconds with AVX-512, a minute and a half where every pair is compared in full."""


class _Sorted(threading.local):
    """The columns that this thread has sorted last, one a side: the next unit is often of the same."""

    def __init__(self) -> None:
        self.columns: dict[str, tuple[object, Column]] = {}

    def column(self, side: str, key: tuple[object, ...], words: Words, start: int, width: int) -> Column:
        """The rows in the order of a band; ``key`` says which rows and band these are."""
        known, column = self.columns.get(side, (None, None))
        if column is None or known != key:
            column = None
            self.columns.pop(side, None)  # its memory goes before the next one takes as much
            column = kernels.sort_by_band(words, start, width)
            self.columns[side] = key, column
        return column


_SORTED = _Sorted()


def answer(unit: bytes, kept: Sequence[NDArray[np.uint8]]) -> bytes:
    """What a unit finds.

    Args:
        unit: as :class:`imgmatch.joins.unit_messages.JoinUnit` packs it.
        kept: the left block and the right one, shape (32 n,), dtype uint8.

    Raises:
        ValueError: it is no unit of these blocks.
    """
    asked = JoinUnit.parsed(unit)
    sides = [_rows(block, span) for block, span in zip(kept, (asked.left, asked.right), strict=True)]
    band = asked.bands[asked.band]
    columns = [
        _SORTED.column(side, (name, span, band), words, band.start, band.width)
        for side, name, span, words in zip(
            ("left", "right"), asked.blocks, (asked.left, asked.right), sides, strict=True
        )
    ]
    masks = band.masks()
    flips = np.array([one.flips for one in asked.bands], np.int32)
    bits = np.stack([one.bits() for one in asked.bands])
    rule = Rule(itself=False, radius=asked.radius, band=asked.band, bands=bits, flips=flips, masks=masks)
    area = Area(0, len(sides[0]), 0, len(sides[1]), PATIENCE)
    found = Found(np.empty(asked.room, np.int32), np.empty(asked.room, np.int32), np.empty(asked.room, np.int16))
    state = np.array([*asked.state, 0, 0], np.int64)
    done = kernels.scan(columns[0], columns[1], rule, area, state, found)
    mask, left, right, looked, written = state.tolist()
    result = UnitFound(None if done else (mask, left, right), looked, found.left[:written], found.right[:written])
    return result.packed()


def _rows(block: NDArray[np.uint8], span: tuple[int, int]) -> Words:
    words = words_of(block.reshape(-1, FINGERPRINT_BYTES))
    if span[1] > len(words):
        raise ValueError("a unit names rows that its block has not")
    return words[slice(*span)]
