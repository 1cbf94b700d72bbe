"""What the kernels of the banded join are given: named tuples, which numba takes apart and Python can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Column(NamedTuple):
    """One side of a join in the order of one band: a row stands beside those whose band reads the same.

    Attributes:
        words: the fingerprints at their places, shape (n, 4), dtype uint64.
        order: which fingerprint is at each place, shape (n,), dtype int32.
        keys: the band of each place, rising, shape (n,), dtype int32.
        starts: the first place of each key and, one further, its end; shape (2 ** width + 2,), dtype int32.
        first: a word of each place's fingerprint that the band is not in, shape (n + 8,), dtype uint64.
        second: another one.
    """

    words: NDArray[np.uint64]
    order: NDArray[np.int32]
    keys: NDArray[np.int32]
    starts: NDArray[np.int32]
    first: NDArray[np.uint64]
    second: NDArray[np.uint64]


class Rule(NamedTuple):
    """What makes a pair.

    Attributes:
        itself: both sides are the same rows, and a pair counts once.
        radius: in bits, inclusive.
        band: which band the sides are sorted by.
        bands: every band as the bits it is made of, shape (m, 4), dtype uint64.
        flips: in how many bits a pair may differ in each band, shape (m,), dtype int32.
        masks: what may be between the keys of a pair in this band, shape (v,), dtype int32; the first is 0.
    """

    itself: bool
    radius: int
    band: int
    bands: NDArray[np.uint64]
    flips: NDArray[np.int32]
    masks: NDArray[np.int32]


class Area(NamedTuple):
    """What one call looks at: some places of either side, and about how many pairs before it comes back."""

    start: int
    stop: int
    begin: int
    end: int
    patience: int


class Found(NamedTuple):
    """Room for pairs: rows of either side and bits, shape (room,), dtype int32, int32, int16."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    distances: NDArray[np.int16]
