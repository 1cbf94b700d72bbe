"""Which shard holds which rows.

Rows fall into slots by their ids (:mod:`imgmatch.catalog.slots`), and slots to shards by jump consistent hashing
(Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014): one shard more takes over its share of
each of the others, and nothing else moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.slots import SLOTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SHARDS = 256

_MULTIPLIER, _BITS = 2862933555777941757, (1 << 64) - 1
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""SplitMix64, by which neighbouring slots do not fall to shards together."""


@dataclass(frozen=True, slots=True)
class Division:
    """How many shards share the rows, in which of the divisions that there have been.

    Attributes:
        shards: how many.
        version: rises with each division that is made; a shard follows newer ones and refuses to answer for older.
    """

    shards: int
    version: int

    def slots_of(self, shard: int) -> frozenset[int]:
        """The slots whose rows a shard holds, which is counted from 0."""
        return frozenset(np.flatnonzero(shards_of_slots(self.shards) == shard).tolist())

    def holds(self, shard: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these row ids a shard holds, shape (n,)."""
        return np.asarray(shards_of_slots(self.shards)[rows % SLOTS] == shard)


@cache
def shards_of_slots(shards: int) -> NDArray[np.int64]:
    """The shard of each slot, shape (4096,), dtype int64."""
    return np.array([_jump(_mixed(slot), shards) for slot in range(SLOTS)], np.int64)


def _mixed(slot: int) -> int:
    key = slot + 1
    for shift, factor in _STEPS:
        key = (key ^ (key >> shift)) * factor & _BITS
    return key ^ (key >> 31)


def _jump(key: int, shards: int) -> int:
    place, ahead = -1, 0
    while ahead < shards:
        place = ahead
        key = (key * _MULTIPLIER + 1) & _BITS
        ahead = int((place + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return place


def shard_name(shard: int, shards: int) -> str:
    """What messages call a shard, which is counted from 0."""
    return f"shard {shard + 1} of {shards}"
