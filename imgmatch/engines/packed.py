"""The nearest codes of many descriptors by compiled loops: to the bit what FAISS finds, in a third of its time.

FAISS answers the first questions of a process, so that one photo does not wait for numba, and all of them on machines
without the instructions that `shuffles` wants.
"""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import faiss
import numpy as np

from imgmatch.engines.neighbours import Neighbours
from imgmatch.features.codebook import Codebook, floats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

    from imgmatch.engines.neighbours import I64
    from imgmatch.engines.postings import Piece
    from imgmatch.engines.scanning import PackedLists
    from imgmatch.features.codebook import F32, U8

WORTH_NUMBA = 24_000
"""Descriptors from which a process loads numba, each counted for its lists and for its codes: of some ten photos."""

_WORTH_A_THREAD = 8_192
"""Descriptors from which each thread has enough to do."""

_asked = 0
_counting = threading.Lock()


@cache
def _kernels() -> ModuleType | None:
    """The compiled loops; none without a numba that works, or on a machine that they are not written for."""
    try:
        from imgmatch.engines import scanning, shuffles  # noqa: PLC0415 -- half a second that one photo does without
    except (ImportError, OSError) as error:
        warnings.warn(f"numba cannot be used, so searching is slower: {error}", RuntimeWarning, stacklevel=2)
        return None
    return scanning if shuffles.has_shuffles() else None


def are_worth_it(descriptors: int) -> bool:
    """Whether so many more descriptors are searched by compiled loops, and not by FAISS."""
    global _asked  # noqa: PLW0603 -- numba is loaded once a process, whichever engine is asked
    with _counting:
        _asked += descriptors
        return _asked >= WORTH_NUMBA and _kernels() is not None


def nearest_lists(codebook: Codebook, descriptors: U8, count: int) -> tuple[F32, I64]:
    """What :meth:`Codebook.nearest` gives for descriptors (n, 128); of equally near lists in another order."""
    if type(codebook) is not Codebook:  # one that cuts lists finer has a way of its own
        return codebook.nearest(floats(descriptors), count)
    from imgmatch.engines import coarse  # noqa: PLC0415 -- as the others, after them

    shelves, vectors = codebook.by_shelf, floats(descriptors)
    far, lists = np.empty((len(vectors), count), np.float32), np.empty((len(vectors), count), np.int64)
    sure = np.zeros(len(vectors), np.bool_)
    along = (shelves.middles**2).sum(1) - 2 * (vectors @ shelves.middles.T)
    coarse.find_lists(descriptors.astype(np.int16), along, shelves, codebook.shelves_read, far, lists, sure)
    if len(rest := np.flatnonzero(~sure)):
        far[rest], lists[rest] = codebook.nearest(vectors[rest], count)
    return far, lists


def packed(pieces: Iterable[Piece], sizes: I64) -> PackedLists:
    """The codes of a segment, ready to be scanned; ``sizes``: how many each list has in all pieces, shape (lists,)."""
    scanning = _loaded()
    blocks = -(-sizes // scanning.LANES)
    starts, first = (np.concatenate([[0], np.cumsum(some)]) for some in (sizes, blocks))
    codes = np.zeros((int(first[-1]), scanning.PAIRS, scanning.LANES), np.uint8)
    lists: PackedLists = scanning.PackedLists(starts, first[:-1].copy(), codes, np.empty(int(starts[-1]), np.int64))
    filled = np.zeros(len(sizes), np.int64)
    for piece in pieces:
        arrays = (np.require(array, requirements=("C", "W")) for array in (piece.sizes, piece.ids, piece.codes))
        scanning.pack(*arrays, filled, lists)
    return lists


def nearest_packed(
    segments: Sequence[PackedLists], codebook: Codebook, vectors: F32, lists: I64, *, count: int, cut: float
) -> Neighbours:
    """The ``count`` codes nearest to each vector and nearer than ``cut``, of those equally near the smaller ids.

    Args:
        segments: where the codes lie.
        codebook: that of the codes.
        vectors: unit descriptors, shape (n, 128).
        lists: which lists to look through, shape (n, probes), none of them -1.
        count: of codes.
        cut: squared distance from which a code does not count.
    """
    middles, parts = codebook.centroids, np.ascontiguousarray(codebook.parts.transpose(0, 2, 1))
    which = lists // (codebook.lists // len(middles))
    step = max(1, _TABLES_AT_ONCE // lists.shape[1])

    def some_nearest(start: int) -> tuple[I64, I64, F32]:
        some = slice(start, start + step)
        queries, ids, distances = _scanned(
            segments, (middles, parts), (vectors[some], which[some], lists[some]), count, cut
        )
        return queries + start, ids, distances

    starts = range(0, len(vectors), step)
    threads = min(faiss.omp_get_max_threads(), 1 + len(vectors) // _WORTH_A_THREAD)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(some_nearest, starts))
    else:
        found = [some_nearest(start) for start in starts]
    return Neighbours(*(np.concatenate(column) for column in zip(*found, strict=True)))


_TABLES_AT_ONCE = 2_048
"""1 MB of tables, which stay in a near cache while the codes are looked up."""


def _scanned(
    segments: Sequence[PackedLists],
    book: tuple[F32, F32],
    asked: tuple[F32, I64, I64],
    count: int,
    cut: float,
) -> tuple[I64, I64, F32]:
    """Of some vectors, the places of their lists' middles, and the lists: hits as of `Neighbours`."""
    scanning, (vectors, middles, lists) = _loaded(), asked
    size, probes = lists.shape
    tables = scanning.Tables(
        np.empty((size, probes, 2 * scanning.PAIRS, scanning.LEVELS), np.uint8),
        np.empty((size, probes), np.uint16),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    scanning.make_tables(vectors, middles, *book, tables)
    found = scanning.Nearest(
        np.zeros(size, np.int64), np.empty((size, count), np.uint16), np.empty((size, count), np.int64)
    )
    for segment in segments:
        scanning.scan(segment, tables, lists, np.float32(cut), found)
    distances = np.empty((size, count), np.float32)
    scanning.measure(tables, found, distances)
    queries, columns = np.nonzero((np.arange(count) < found.counts[:, None]) & (distances < np.float32(cut)))
    return queries, found.ids[queries, columns], distances[queries, columns]


def _loaded() -> ModuleType:
    kernels = _kernels()
    if kernels is None:
        raise RuntimeError("there are no compiled loops here: ask are_worth_it first")
    return kernels
