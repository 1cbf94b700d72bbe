"""What the tests of joins share: fingerprints in clusters, and the double loop that is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from imgmatch.joins.blocks import PairBlock

Triple = tuple[int, int, int]


def clustered(seed: int, count: int, *, flips: int = 48, copies: float = 0.5, equal: float = 0.0) -> NDArray[np.uint8]:
    """Shape (count, 32): random rows, among them copies with 0 to ``flips`` bits flipped, and rows that are equal."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (count, 256), dtype=np.uint8)
    few = rng.integers(0, 2, (max(1, count // 12), 256), dtype=np.uint8)
    for row in np.flatnonzero(rng.random(count) < copies):
        bits[row] = few[rng.integers(len(few))]
        bits[row, rng.choice(256, rng.integers(0, flips + 1), replace=False)] ^= 1
    for row in np.flatnonzero(rng.random(count) < equal):
        bits[row] = few[0]
    return np.packbits(bits, axis=1)


def by_comparing_all(left: NDArray[np.uint8], right: NDArray[np.uint8] | None, max_distance: int) -> set[Triple]:
    """Every near pair, row by row."""
    pairs = set()
    for row, code in enumerate(left):
        others = left[row + 1 :] if right is None else right
        first = row + 1 if right is None else 0
        distances = np.bitwise_count(others ^ code).sum(axis=1, dtype=np.int64)
        pairs |= {(row, first + int(near), int(distances[near])) for near in np.flatnonzero(distances <= max_distance)}
    return pairs


def pairs_of(blocks: Iterable[PairBlock], at_most: int | None = None) -> set[Triple]:
    """All pairs of a join; fails if one comes twice, a block is empty or too large, or a type is wrong."""
    pairs: list[Triple] = []
    for block in blocks:
        assert 0 < len(block) <= (at_most or len(block))
        columns = (block.left, block.right, block.distances)
        assert [column.dtype for column in columns] == [np.int64, np.int64, np.int32]
        pairs += zip(*(column.tolist() for column in columns), strict=True)
    assert len(set(pairs)) == len(pairs)
    return set(pairs)
