"""The loops of the banded engine, compiled by numba when they are first called and kept in its cache.

Only :mod:`imgmatch.engines.banded` imports this module, and only for sets large enough to be worth numba's start. As in
:mod:`imgmatch.joins.kernels` all of them stand in one file, places are int32, and uint64 never meets int64. The named
tuples keep their names: numba's cache refers to them, and fails on an old file before it sees that it is old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from imgmatch.compiled import kernel
from imgmatch.joins.lanes import ones

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


BANDS = 16
WIDTH = 16
"""Bits of a band: a word has four of them."""

_VALUES = 1 << WIDTH
_LOWEST = np.uint64(_VALUES - 1)

STARTS = _VALUES + 2
"""Entries of a band's table: where each value starts, where the last one ends, and one that only sorting needs."""


class BandTables(NamedTuple):
    """A set of fingerprints sorted by each of its bands.

    Attributes:
        words: the fingerprints, shape (n, 4), dtype uint64, in the order they came in.
        starts: the first place of each value of each band, shape (16, 65538), dtype int32.
        order: which fingerprint is at each place, shape (16, n), dtype int32.
        follow: what the next band of that fingerprint reads, shape (16, n), dtype uint16; the first follows the last.
    """

    words: NDArray[np.uint64]
    starts: NDArray[np.int32]
    order: NDArray[np.int32]
    follow: NDArray[np.uint16]


class ProbeRule(NamedTuple):
    """What is looked for.

    Attributes:
        radius: in bits, inclusive.
        flips: in how many bits a fingerprint may differ in each band for that to offer it, shape (16,), dtype int32; in
            that band and the next together, in one more than both.
        masks: what may be between two values, those of fewer bits first, shape (v,), dtype int32.
        tried: how many of them each band tries, shape (16,), dtype int32.
        patience: a query that more candidates are offered to than this is left to another way.
    """

    radius: int
    flips: NDArray[np.int32]
    masks: NDArray[np.int32]
    tried: NDArray[np.int32]
    patience: int


class ProbeHits(NamedTuple):
    """Room for hits, shape (room,): row of the query, row of the fingerprint, bits; dtype int64, int64, int32."""

    queries: NDArray[np.int64]
    rows: NDArray[np.int64]
    distances: NDArray[np.int32]


def _read_ahead(_context: object, _address: object) -> tuple[Any, Callable[..., ir.Value]]:
    def generate(context: Any, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:  # noqa: ANN401 -- numba's
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cast("Any", cgutils).get_or_insert_function(builder.module, kind, "llvm.prefetch")
        # To be read, to stay in every cache, as data.
        builder.call(function, [builder.inttoptr(arguments[0], byte), *(ir.Constant(number, k) for k in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(types.uintp), generate


read_ahead = cast("Callable[[np.uintp], None]", intrinsic(_read_ahead))
"""Begin to fetch what is at an address: candidates lie anywhere in memory, and waiting for each is all they cost."""


@kernel
def _value(word: np.uint64, band: int) -> np.uint64:
    return np.uint64((word >> np.uint64(WIDTH * (band & 3))) & _LOWEST)


@kernel
def _next(band: int) -> int:
    return (band + 1) & (BANDS - 1)


@kernel
def sort_band(tables: BandTables, band: int) -> None:
    """Counting sort by one band; its row of ``tables.starts`` must be 0."""
    starts, order, follow = tables.starts[band], tables.order[band], tables.follow[band]
    word, after = band >> 2, _next(band)
    for row in range(len(tables.words)):
        starts[np.int64(_value(tables.words[row, word], band)) + 2] += 1
    for value in range(_VALUES):
        starts[value + 2] += starts[value + 1]
    for row in range(len(tables.words)):  # moves each start to its end, the start of the next value, one place further
        entry = np.int64(_value(tables.words[row, word], band)) + 1
        place = starts[entry]
        starts[entry] = place + 1
        order[place] = row
        follow[place] = np.uint16(_value(tables.words[row, after >> 2], after))


@kernel
def _spans(tables: BandTables, asked: NDArray[np.uint64], rule: ProbeRule, spans: NDArray[np.int32]) -> int:
    """Write where what a query's values lead to starts and ends, band by band; returns how many there are."""
    total, span, rows = 0, 0, tables.follow.shape[1]
    address = np.uintp(tables.follow.ctypes.data)
    for band in range(BANDS):
        value, starts = np.int32(_value(asked[band >> 2], band)), tables.starts[band]
        for mask in rule.masks[: rule.tried[band]]:
            begin, end = starts[value ^ mask], starts[(value ^ mask) + 1]
            spans[span, 0], spans[span, 1] = begin, end
            read_ahead(address + np.uintp(2 * (band * rows + begin)))
            total += end - begin
            span += 1
    return total


@kernel
def _gather(
    tables: BandTables,
    asked: NDArray[np.uint64],
    rule: ProbeRule,
    spans: NDArray[np.int32],
    rows: NDArray[np.int32],
    edges: NDArray[np.int64],
) -> None:
    """Write those rows in all spans that the next band does not rule out.

    ``edges`` gets where those of each band start and the last ones end.
    """
    count, span = 0, 0
    address = np.uintp(tables.words.ctypes.data)
    for band in range(BANDS):
        order, follow, after = tables.order[band], tables.follow[band], _next(band)
        value = _value(asked[after >> 2], after)
        both = rule.flips[band] + rule.flips[after] + 1
        for mask in rule.masks[: rule.tried[band]]:
            most = np.int64(both) - np.int64(ones(np.uint64(mask)))
            for place in range(spans[span, 0], spans[span, 1]):
                if np.int64(ones(np.uint64(follow[place]) ^ value)) <= most:
                    row = order[place]
                    rows[count] = row
                    count += 1
                    read_ahead(address + np.uintp(row) * np.uintp(32))
            span += 1
        edges[band + 1] = count


@kernel
def _bits(differ: tuple[np.uint64, np.uint64, np.uint64, np.uint64], band: int) -> np.int64:
    return np.int64(ones(_value(differ[band >> 2], band)))


@kernel
def _is_first(band: int, flips: NDArray[np.int32], differ: tuple[np.uint64, np.uint64, np.uint64, np.uint64]) -> bool:
    """Whether no earlier band offers this fingerprint."""
    for earlier in range(band):
        after, bits = _next(earlier), _bits(differ, earlier)
        if bits <= flips[earlier] and bits + _bits(differ, after) <= flips[earlier] + flips[after] + 1:
            return False
    return True


@kernel
def probe(
    tables: BandTables,
    queries: NDArray[np.uint64],
    rule: ProbeRule,
    state: NDArray[np.int64],
    found: ProbeHits,
    left: NDArray[np.bool_],
) -> int:
    """Find what is near each query, as far as room lasts; returns how many hits are written, each once.

    Args:
        tables: what is searched.
        queries: shape (q, 4).
        rule: what is looked for.
        state: where to go on, shape (2,): the next query and, where it is not the end, the room that one needs.
        found: where hits go.
        left: which queries are left to another way, shape (q,).
    """
    words, radius, written = tables.words, np.uint64(rule.radius), 0
    spans, edges = np.empty((rule.tried.sum(), 2), np.int32), np.zeros(BANDS + 1, np.int64)
    for query in range(state[0], len(queries)):
        asked = queries[query]
        total = _spans(tables, asked, rule, spans)
        if total > rule.patience:
            left[query] = True
            continue
        if written + total > len(found.rows):
            state[:] = query, total
            return written
        rows = np.empty(total, np.int32)
        _gather(tables, asked, rule, spans, rows, edges)
        for band in range(BANDS):
            for place in range(edges[band], edges[band + 1]):
                row = rows[place]
                differ = (
                    words[row, 0] ^ asked[0],
                    words[row, 1] ^ asked[1],
                    words[row, 2] ^ asked[2],
                    words[row, 3] ^ asked[3],
                )
                bits = ones(differ[0]) + ones(differ[1]) + ones(differ[2]) + ones(differ[3])
                if bits <= radius and _is_first(band, rule.flips, differ):
                    found.queries[written], found.rows[written], found.distances[written] = query, row, np.int32(bits)
                    written += 1
    state[0] = len(queries)
    return written
