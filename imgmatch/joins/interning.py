"""Equal fingerprints taken together: one default picture on 100,000 accounts is one row of a join, not a square.

Every pair of equal rows is a pair of the result all the same; it is written out at the end, block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch.joins.blocks import PairBlock, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Interned:
    """Fingerprints without repetition, and which rows have each.

    Attributes:
        words: the distinct fingerprints, shape (u, 4), dtype uint64.
        members: rows, fingerprint by fingerprint, shape (n,), dtype int64; ``None`` if no two rows
            are equal, and ``words`` are all of them in their own order.
        starts: the first member of each fingerprint and, one further, its end; shape (u + 1,), dtype int64.
    """

    words: Words
    members: NDArray[np.int64] | None
    starts: NDArray[np.int64]

    def sizes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many rows have each of some fingerprints."""
        return np.ones(len(numbers), np.int64) if self.members is None else np.diff(self.starts)[numbers]

    def rows(self, numbers: NDArray[np.int64], nth: NDArray[np.int64]) -> NDArray[np.int64]:
        """The n-th row of each of some fingerprints."""
        return numbers if self.members is None else self.members[self.starts[numbers] + nth]


def intern(words: Words) -> Interned:
    """Take equal rows together."""
    hashes = _hashes(words)
    order = np.argsort(hashes)
    hashes = hashes[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = hashes[1:] != hashes[:-1]
    if new.all():
        return Interned(words, None, np.empty(0, np.int64))
    same = np.flatnonzero(~new)
    if (words[order[same]] != words[order[same - 1]]).any():  # different rows of one hash: slowly, by all their bits
        order = np.lexsort(words.T)
        new[1:] = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    starts = np.append(np.flatnonzero(new), len(order))
    distinct = words[order[starts[:-1]]]
    distinct.flags.writeable = False
    return Interned(distinct, order, starts)


def twins(interned: Interned, most: int) -> Iterator[PairBlock]:
    """All pairs of equal rows, at most ``most`` a block."""
    if interned.members is None:
        return
    ends = np.repeat(interned.starts[1:], np.diff(interned.starts))
    rest = ends - np.arange(len(ends)) - 1  # a row makes a pair with every later one of its fingerprint
    for one, nth in _spread(rest, most):
        first, second = interned.members[one], interned.members[one + 1 + nth]
        yield PairBlock(np.minimum(first, second), np.maximum(first, second), np.zeros(len(one), np.int32))


def written_out(left: Interned, right: Interned, block: PairBlock, most: int) -> Iterator[PairBlock]:
    """Pairs of rows from pairs of distinct fingerprints, at most ``most`` a block.

    A set joined with itself is given as both sides, the same object.
    """
    if left.members is None and right.members is None:
        yield block
        return
    across = right.sizes(block.right)
    for pair, nth in _spread(left.sizes(block.left) * across, most):
        down, along = np.divmod(nth, across[pair])
        one, other = left.rows(block.left[pair], down), right.rows(block.right[pair], along)
        if left is right:
            one, other = np.minimum(one, other), np.maximum(one, other)
        yield PairBlock(one, other, block.distances[pair])


def _spread(counts: NDArray[np.int64], most: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Count off 0, 1, ... for each of ``counts``, at most ``most`` at a time: which count it is, and the number."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for begin in range(0, total, most):
        end = min(begin + most, total)
        some = np.arange(np.searchsorted(ends, begin, side="right"), np.searchsorted(ends, end - 1, side="right") + 1)
        starts = ends[some] - counts[some]
        which = np.repeat(some, np.minimum(ends[some], end) - np.maximum(starts, begin))
        yield which, np.arange(begin, end) - (ends[which] - counts[which])


def _hashes(words: Words) -> NDArray[np.uint64]:
    mixed = words[:, 0].copy()
    for column in words.T[1:]:
        mixed ^= mixed >> _HALF
        mixed *= _ODD
        mixed += column
    return mixed
