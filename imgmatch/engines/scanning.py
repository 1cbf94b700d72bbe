"""The loops of the engine of features, compiled by numba when they are first called and kept in its cache.

What FAISS's scan of 4-bit codes computes, to the bit, in a third of its time: FAISS rounds its tables one number after
the other, which is most of what a search of short lists costs, and returns more codes than are kept, in no order. Only
:mod:`imgmatch.engines.packed` imports this module, and only for a search that is worth numba's start. As in
:mod:`imgmatch.joins.kernels` all of them stand in one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgmatch.compiled import Kernel, kernel
from imgmatch.engines.shuffles import (
    LANES,
    LEVELS,
    PAIRS,
    PART_LENGTH,
    first_bit,
    fma,
    part_table,
    round_part,
    sum_block,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


_PARTS = 2 * PAIRS
_PART_BYTES, _CENTROID_BYTES, _EXACT_BYTES = 4 * PART_LENGTH, 4 * PART_LENGTH * LEVELS, 4 * (LEVELS + 1)
_MOST_ENTRY, _MOST_SUM = np.float32(255), np.float32(65_535)
_HALF = np.float32(0.5)


_FREE = {"nnan", "nsz"}
"""There is no NaN here, and which zero it is makes no difference; no sum is added up otherwise."""


class PackedLists(NamedTuple):
    """Codes of a segment, list after list.

    Attributes:
        starts: the first code of each list in ``ids``, and where the last one ends, shape (lists + 1,), dtype int64.
        blocks: the first block of each list, shape (lists,), dtype int64.
        codes: 32 codes a block, byte by byte, shape (blocks, 16, 32), dtype uint8.
        ids: shape (n,), dtype int64.
    """

    starts: NDArray[np.int64]
    blocks: NDArray[np.int64]
    codes: NDArray[np.uint8]
    ids: NDArray[np.int64]


class Tables(NamedTuple):
    """What the digits of a code add to its distance, for each query and each of its lists.

    Attributes:
        entries: shape (n, probes, 32, 16), dtype uint8.
        shifts: what is added to a sum, shape (n, probes), dtype uint16.
        steps: what one of a sum stands for, shape (n,), dtype float32.
        least: the distance that a sum of 0 stands for, shape (n,), dtype float32.
    """

    entries: NDArray[np.uint8]
    shifts: NDArray[np.uint16]
    steps: NDArray[np.float32]
    least: NDArray[np.float32]


class Nearest(NamedTuple):
    """The codes nearest to each query so far, nearest first, of equally near ones the smaller ids.

    Attributes:
        counts: how many there are, shape (n,), dtype int64.
        sums: shape (n, kept), dtype uint16.
        ids: shape (n, kept), dtype int64.
    """

    counts: NDArray[np.int64]
    sums: NDArray[np.uint16]
    ids: NDArray[np.int64]


def _kernel(function: Kernel) -> Kernel:
    return kernel(function, fastmath=_FREE)


@_kernel
def pack(
    sizes: NDArray[np.int64],
    ids: NDArray[np.int64],
    codes: NDArray[np.uint8],
    filled: NDArray[np.int64],
    packed: PackedLists,
) -> None:
    """Put codes of some lists, in the order of the lists, behind the ``filled`` ones of each that are there."""
    at = 0
    for number in range(len(sizes)):
        start, block, before = packed.starts[number], packed.blocks[number], filled[number]
        for place in range(before, before + sizes[number]):
            packed.ids[start + place] = ids[at]
            for byte in range(PAIRS):
                packed.codes[block + place // LANES, byte, place % LANES] = codes[at, byte]
            at += 1
        filled[number] = before + sizes[number]


@_kernel
def make_tables(
    vectors: NDArray[np.float32],
    lists: NDArray[np.int64],
    centroids: NDArray[np.float32],
    parts: NDArray[np.float32],
    tables: Tables,
) -> None:
    """The tables of some queries, scaled for all lists of a query alike so that entries fill a byte, and sums two.

    Args:
        vectors: shape (n, 128).
        lists: shape (n, probes), none of them -1.
        centroids: the middles, shape (c, 128); as many lists in a row have each.
        parts: centroids of the parts, shape (32, 4, 16).
        tables: where they go.
    """
    probes = lists.shape[1]
    exact, residual = np.empty((probes, _PARTS, LEVELS + 1), np.float32), np.empty(_PARTS * PART_LENGTH, np.float32)
    shifts = np.empty(probes, np.float32)
    read, wanted = np.uintp(residual.ctypes.data), np.uintp(parts.ctypes.data)
    written, entries = np.uintp(exact.ctypes.data), np.uintp(tables.entries.ctypes.data)
    for query in range(len(vectors)):
        largest, widest = np.float32(0), np.float32(0)
        for probe in range(probes):
            centroid = centroids[lists[query, probe]]
            for place in range(_PARTS * PART_LENGTH):
                residual[place] = vectors[query, place] - centroid[place]
            shift, spans = np.float32(0), np.float32(0)
            for part in range(_PARTS):
                table = written + np.uintp((probe * _PARTS + part) * _EXACT_BYTES)
                span = part_table(read + np.uintp(part * _PART_BYTES), wanted + np.uintp(part * _CENTROID_BYTES), table)
                largest, spans = max(largest, span), np.float32(spans + span)
                shift = np.float32(shift + exact[probe, part, LEVELS])
            shifts[probe], widest = shift, max(widest, spans)
        least, most = shifts.min(), shifts.max()
        scale = min(_MOST_ENTRY / largest, _MOST_SUM / np.float32(np.float32(widest + most) - least))
        for probe in range(probes):
            for part in range(_PARTS):
                table = written + np.uintp((probe * _PARTS + part) * _EXACT_BYTES)
                round_part(table, scale, entries + np.uintp(((query * probes + probe) * _PARTS + part) * LEVELS))
            tables.shifts[query, probe] = np.uint16(np.int32((shifts[probe] - least) * scale + _HALF))
        tables.steps[query], tables.least[query] = np.float32(1) / scale, least


@_kernel
def _kept(sums: NDArray[np.uint16], ids: NDArray[np.int64], count: int, total: np.uint16, code: np.int64) -> int:
    """Put a code in its place among those that are kept, if it is nearer than the last; returns how many there are."""
    if count == len(sums):
        if total > sums[count - 1] or (total == sums[count - 1] and code >= ids[count - 1]):
            return count
        count -= 1
    place = count
    while place > 0 and (sums[place - 1] > total or (sums[place - 1] == total and ids[place - 1] > code)):
        sums[place], ids[place] = sums[place - 1], ids[place - 1]
        place -= 1
    sums[place], ids[place] = total, code
    return count + 1


@_kernel
def _bar(tables: Tables, query: int, cut: np.float32) -> np.int64:
    """A sum that is not below that of ``cut``, and at the most one above it."""
    return np.int64(
        min(max((cut - tables.least[query]) / tables.steps[query] + np.float32(1), np.float32(-1)), _MOST_SUM)
    )


@_kernel
def scan(packed: PackedLists, tables: Tables, lists: NDArray[np.int64], cut: np.float32, found: Nearest) -> None:
    """Look through the lists (n, probes) of some queries for codes nearer than ``cut``, and hardly farther ones."""
    room = np.empty(LANES, np.uint16)
    into, kept = np.uintp(room.ctypes.data), found.sums.shape[1]
    codes, entries = np.uintp(packed.codes.ctypes.data), np.uintp(tables.entries.ctypes.data)
    starts, blocks, every, shifts = packed.starts, packed.blocks, packed.ids, tables.shifts
    probes = lists.shape[1]
    for query in range(len(lists)):
        sums, ids, count, bar = found.sums[query], found.ids[query], found.counts[query], _bar(tables, query, cut)
        for probe in range(probes):
            number, shift = lists[query, probe], np.int64(shifts[query, probe])
            start, end = starts[number], starts[number + 1]
            table = entries + np.uintp((query * probes + probe) * _PARTS * LEVELS)
            block = codes + np.uintp(blocks[number] * PAIRS * LANES)
            while start < end and bar >= shift:
                near = sum_block(block, table, into, np.uint16(bar - shift))
                if end - start < LANES:
                    near &= np.uint32((np.int64(1) << (end - start)) - 1)
                while near:
                    lane = first_bit(near)
                    near &= near - np.uint32(1)
                    total = np.int64(room[lane]) + shift
                    if total <= bar:
                        count = _kept(sums, ids, count, np.uint16(total), every[start + lane])
                        if count == kept:
                            bar = min(bar, np.int64(sums[kept - 1]))
                start += LANES
                block += np.uintp(PAIRS * LANES)
        found.counts[query] = count


@_kernel
def measure(tables: Tables, found: Nearest, distances: NDArray[np.float32]) -> None:
    """The squared distances (n, kept) that sums stand for."""
    for query in range(len(distances)):
        for place in range(found.counts[query]):
            total = np.float32(found.sums[query, place])
            distances[query, place] = fma(total, tables.steps[query], tables.least[query])
