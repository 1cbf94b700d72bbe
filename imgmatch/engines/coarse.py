"""The loops that find the lists nearest to a descriptor, compiled by numba when they are first called.

What FAISS finds among the shelves of a codebook, in a fraction of its time. Coordinates are whole numbers, so that sums
are exact in whatever order they are added up. Where FAISS's answer would depend on rounding, or on its order of lists
that are equally near, a descriptor is left to FAISS. Only :mod:`imgmatch.engines.packed` imports this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.compiled import kernel
from imgmatch.engines.shuffles import LENGTH, LEVELS, first_bit, near_columns
from imgmatch.features.codebook import FAR_OFF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.features.codebook import Shelves


_UNIT = np.float32(512)
_UNSURE = np.float32(1e-5)
"""By which FAISS's rounded squared distances of shelves may differ from ours, and more than they do."""

_BLOCK_BYTES, _SQUARES_BYTES, _VECTOR_BYTES = LENGTH * LEVELS, 4 * LEVELS, 2 * LENGTH


@kernel
def _placed(distances: NDArray[Any], names: NDArray[np.int64], count: int, distance: Any, name: int) -> int:  # noqa: ANN401 -- whole numbers and others
    """Put one in its place among the least, where there are so many; returns how many there are then."""
    if count == len(distances):
        if distance >= distances[count - 1]:
            return count
        count -= 1
    at = count
    while at > 0 and distances[at - 1] > distance:
        distances[at], names[at] = distances[at - 1], names[at - 1]
        at -= 1
    distances[at], names[at] = distance, name
    return count + 1


@kernel
def _of_shelf(
    vector: np.uintp,
    shelves: Shelves,
    shelf: int,
    room: NDArray[np.int32],
    least: tuple[NDArray[np.int32], NDArray[np.int64]],
    count: int,
) -> int:
    """Put the centroids of a shelf among the least; returns how many there are then."""
    distances, names = least
    most = len(distances)
    blocks, squares = np.uintp(shelves.blocks.ctypes.data), np.uintp(shelves.squares.ctypes.data)
    into = np.uintp(room.ctypes.data)
    for block in range(shelves.starts[shelf], shelves.starts[shelf + 1]):
        bar = distances[most - 1] if count == most else np.int32(FAR_OFF)
        place = np.uintp(block)
        near = near_columns(
            vector, blocks + place * np.uintp(_BLOCK_BYTES), squares + place * np.uintp(_SQUARES_BYTES), into, bar
        )
        while near:
            lane = first_bit(near)
            near &= near - np.uint32(1)
            count = _placed(distances, names, count, room[lane], shelves.names[block, lane])
    return count


@kernel
def find_lists(
    vectors: NDArray[np.int16],
    along: NDArray[np.float32],
    shelves: Shelves,
    read: int,
    far: NDArray[np.float32],
    lists: NDArray[np.int64],
    sure: NDArray[np.bool_],
) -> None:
    """The lists nearest to some descriptors.

    Args:
        vectors: in whole units, shape (n, 128).
        along: how far each shelf is, but for what is alike for all of them, shape (n, shelves).
        shelves: what is looked through.
        read: how many of them for each.
        far: gets squared distances, of unit descriptors, shape (n, count).
        lists: gets the numbers of the lists, shape (n, count).
        sure: gets whether that is what FAISS finds, shape (n,).
    """
    room, count = np.empty(LEVELS, np.int32), lists.shape[1]
    near, which = np.empty(read + 1, np.float32), np.empty(read + 1, np.int64)
    least = np.empty(count + 1, np.int32), np.empty(count + 1, np.int64)
    first = np.uintp(vectors.ctypes.data)
    for query in range(len(vectors)):
        vector, square, held, found = first + np.uintp(query * _VECTOR_BYTES), np.int32(0), 0, 0
        for place in range(LENGTH):
            square += np.int32(vectors[query, place]) * np.int32(vectors[query, place])
        for shelf in range(along.shape[1]):
            held = _placed(near, which, held, along[query, shelf], shelf)
        for place in range(min(read, held)):
            found = _of_shelf(vector, shelves, which[place], room, least, found)
        distances, names = least
        sure[query] = (
            held > read
            and near[read] - near[read - 1] > _UNSURE
            and found > count
            and distances[count] > distances[count - 1]
        )
        for place in range(min(count, found)):
            far[query, place] = np.float32(square + distances[place]) / (_UNIT * _UNIT)
            lists[query, place] = names[place]
