"""New fingerprints joined with all: every near pair is found once, by the later of its two, in any orientation.

Of two pictures one may be the negative of the other: the complements of fingerprints are joined like further
orientations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.near_pairs import NearPairRows
from imgmatch.clustering.nodes import in_orientations
from imgmatch.joins.blocks import JoinOptions, words_of
from imgmatch.joins.hamming import cross_join
from imgmatch.joins.near import BACK, least_way, with_negatives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imgmatch.hashers.base import Hasher
    from imgmatch.joins.blocks import PairBlock, Words


def join_new(
    hasher: Hasher,
    ids: NDArray[np.int64],
    bits: NDArray[np.uint8],
    first_new: int,
    max_distance: int,
    options: JoinOptions,
) -> Iterator[NearPairRows]:
    """Near pairs of which at least the later fingerprint is new, in blocks, each pair once.

    Turning a fingerprint changes the places of its bits, and which count as set, the same for all: it keeps distances.
    So it is enough to turn the new ones, however many there are of the others.

    Args:
        hasher: what they are fingerprints of.
        ids: row ids of all fingerprints, rising, shape (n,).
        bits: these, shape (n, 32), dtype uint8.
        first_new: place of the first new one.
        max_distance: in bits, inclusive.
        options: how to run.
    """
    new = bits[first_new:]
    if not len(new):
        return
    turned, ways = with_negatives(in_orientations(hasher, new))
    words = words_of(bits), [words_of(codes) for codes in turned]
    every = np.ascontiguousarray(turned.reshape(-1, turned.shape[2]))
    for block in cross_join(every, bits, max_distance, options):
        pairs = _later_first(block, ways, first_new, max_distance, *words)
        if len(pairs):
            yield NearPairRows(ids[pairs.low], ids[pairs.high], pairs.distances, pairs.orientations)


def _later_first(
    block: PairBlock,
    ways: NDArray[np.int64],
    first_new: int,
    max_distance: int,
    upright: Words,
    turned: list[Words],
) -> NearPairRows:
    """Of what was found those pairs that the later one found in its best orientation; by places, not row ids."""
    number, new = np.divmod(block.left, len(turned[0]))
    high, low = new + first_new, block.right
    later = high > low
    number, new, high, low = number[later], new[later], high[later], low[later]
    # The higher one turned by what undoes an orientation lies to the lower one as that, in the orientation, to it.
    distances = np.stack([np.bitwise_count(codes[new] ^ upright[low]).sum(axis=1, dtype=np.int64) for codes in turned])
    bits, way = least_way(distances, BACK[ways].astype(np.int64), max_distance)
    best = way == BACK[ways[number]]
    return NearPairRows(low[best], high[best], bits[best], way[best])
