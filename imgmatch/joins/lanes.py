"""Two instructions numba has no words for: counting the bits of a word, and comparing eight rows with one.

Written in LLVM's own language, which turns them into what the machine has. Numba's cache looks at the file of a kernel
alone: who changes something here changes ``kernels.py`` too, or empties the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

LANES = 8
"""Rows compared together: as many as fill a 512-bit register with a word of each."""

_BIT, _BYTE, _WORD = ir.IntType(32), ir.IntType(LANES), ir.IntType(64)
_ROWS = ir.VectorType(_WORD, LANES)

_Generated = tuple[Any, "Callable[..., ir.Value]"]


def _count_bits(_context: object, _word: object) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


def _compare_rows(
    _context: object, _first: object, _one: object, _second: object, _other: object, _radius: object
) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        first, one, second, other, radius = arguments
        bits = builder.add(_differing(builder, first, one), _differing(builder, second, other))
        near = builder.icmp_unsigned("<=", bits, _in_all_lanes(builder, radius))
        return builder.zext(builder.bitcast(near, _BYTE), _WORD)

    word = types.uint64
    return word(types.uintp, word, types.uintp, word, word), generate


def _differing(builder: ir.IRBuilder, address: ir.Value, word: ir.Value) -> ir.Value:
    """Bits in which eight words in a row in memory differ from one."""
    kind = ir.FunctionType(_ROWS, [_ROWS])
    count = cast("Any", cgutils).get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{LANES}i64")
    rows = builder.load(builder.inttoptr(address, _ROWS.as_pointer()), align=8)
    return builder.call(count, [builder.xor(rows, _in_all_lanes(builder, word))])


def _in_all_lanes(builder: ir.IRBuilder, word: ir.Value) -> ir.Value:
    nothing = ir.Constant(_ROWS, ir.Undefined)
    one = builder.insert_element(nothing, word, ir.Constant(_BIT, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_BIT, LANES), [0] * LANES))


ones = cast("Callable[[np.uint64], np.uint64]", intrinsic(_count_bits))
"""How many bits of a word are set: LLVM's ``ctpop``, one instruction on nearly every machine."""

near_lanes = cast(
    "Callable[[np.uintp, np.uint64, np.uintp, np.uint64, np.uint64], np.uint64]", intrinsic(_compare_rows)
)
"""Which of eight rows may be near, one bit a row, the first row the lowest.

From the address of a word of each row, the word to compare them with, the same again for another word, and how many
bits of the two may differ. Eight counts at once where there is AVX-512, else look-ups in a register or eight counts;
LLVM does not find this form in a loop by itself, which made the join three times slower.
"""
