"""Compare all with all in numpy: obviously right, what the banded join is tested against, and fast enough for few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.joins.blocks import JOIN_WORK, PairBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imgmatch.joins.blocks import JoinOptions, Words


def brute_join(left: Words, right: Words | None, max_distance: int, options: JoinOptions) -> Iterator[PairBlock]:
    """Pairs within ``max_distance`` bits (inclusive), in order of their rows within each block.

    Args:
        left: shape (n, 4), dtype uint64.
        right: shape (m, 4), dtype uint64; ``None`` joins ``left`` with itself.
        max_distance: in bits.
        options: how to run.
    """
    other = left if right is None else right
    across = min(len(other), options.pairs_at_once)
    if not len(left) or not across:
        return
    down = options.pairs_at_once // across
    for top in range(0, len(left), down):
        for edge in range(0, len(other), across):
            bits = _distances(left[top : top + down], other[edge : edge + across])
            near = bits <= max_distance
            if right is None:
                near &= np.arange(top, top + bits.shape[0])[:, None] < np.arange(edge, edge + bits.shape[1])
            rows, columns = np.nonzero(near)
            options.counts.add(bits.size, len(rows))
            if len(rows):
                yield PairBlock(rows + top, columns + edge, bits[rows, columns].astype(np.int32))
        options.progress.step(JOIN_WORK, min(1, (top + down) / len(left)), 1)


def _distances(left: Words, right: Words) -> NDArray[np.uint16]:
    """Bits in which each of some rows differs from each of others, shape (rows, columns)."""
    total = np.zeros((len(left), len(right)), np.uint16)
    for one, other in zip(left.T, right.T, strict=True):
        total += np.bitwise_count(one[:, None] ^ other)
    return total
