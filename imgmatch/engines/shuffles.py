"""Two instructions numba has no words for: looking up 32 codes at once, and a product that is rounded with its sum.

Written in LLVM's own language. Numba's cache looks at the file of a kernel alone: who changes something here changes
``scanning.py`` too, or empties the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

LANES = 32
"""Codes that are looked up together: as many bytes as an AVX2 register has."""

LENGTH = 128
"""Coordinates of a descriptor."""

PAIRS = 16
"""Bytes of a code, each with two digits of four bits."""

LEVELS, PART_LENGTH = 16, 4
"""Values of a digit, and coordinates that it stands for."""

_BYTE, _HALF, _WORD, _FLOAT = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.FloatType()
_BYTES, _HALVES = ir.VectorType(_BYTE, LANES), ir.VectorType(_HALF, LANES // 2)
_FLOATS, _WORDS = ir.VectorType(_FLOAT, LEVELS), ir.VectorType(_WORD, LEVELS)
_TABLE, _SUMS = ir.VectorType(_BYTE, LANES // 2), ir.VectorType(_HALF, LANES)

_Generated = tuple[Any, "Callable[..., ir.Value]"]


def has_shuffles() -> bool:
    """Whether this machine looks up 32 bytes with one instruction, and multiplies and adds with one."""
    features = binding.get_host_cpu_features()
    return bool(features.get("avx2") and features.get("fma"))


def _fma(_context: object, _first: object, _second: object, _third: object) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


def _part_table(_context: object, _residual: object, _centroids: object, _table: object) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        residual, centroids, table = arguments
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        fused = cast("Any", cgutils).get_or_insert_function(builder.module, kind, f"llvm.fma.v{LEVELS}f32")
        total = None
        for place in range(PART_LENGTH):
            one = builder.load(_at(builder, residual, 4 * place, _FLOAT), align=4)
            centroid = builder.load(_at(builder, centroids, 4 * LEVELS * place, _FLOATS), align=4)
            gap = builder.fsub(_in_all_lanes(builder, one, _FLOATS), centroid)
            total = builder.fmul(gap, gap) if total is None else builder.call(fused, [gap, gap, total])
        builder.store(total, builder.inttoptr(table, _FLOATS.as_pointer()), align=4)
        low, high = (_extreme(builder, total, sign) for sign in ("<", ">"))
        builder.store(low, _at(builder, table, 4 * LEVELS, _FLOAT), align=4)
        return builder.fsub(high, low)

    return types.float32(types.uintp, types.uintp, types.uintp), generate


def _extreme(builder: ir.IRBuilder, values: ir.Value, sign: str) -> ir.Value:
    """The least or the largest of sixteen."""
    width = LEVELS
    while width > 1:
        width //= 2
        halves = (
            builder.shuffle_vector(values, values, ir.Constant(ir.VectorType(_WORD, width), [*range(at, at + width)]))
            for at in (0, width)
        )
        one, other = halves
        values = builder.select(builder.fcmp_ordered(sign, one, other), one, other)
    return builder.extract_element(values, ir.Constant(_WORD, 0))


def _round_part(_context: object, _table: object, _scale: object, _entries: object) -> _Generated:
    def generate(context: Any, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:  # noqa: ANN401 -- numba's
        table, scale, entries = arguments
        exact = builder.load(builder.inttoptr(table, _FLOATS.as_pointer()), align=4)
        low = _in_all_lanes(builder, builder.load(_at(builder, table, 4 * LEVELS, _FLOAT), align=4), _FLOATS)
        scaled = builder.fmul(builder.fsub(exact, low), _in_all_lanes(builder, scale, _FLOATS))
        whole = builder.fptosi(builder.fadd(scaled, ir.Constant(_FLOATS, [0.5] * LEVELS)), _WORDS)
        builder.store(builder.trunc(whole, _TABLE), builder.inttoptr(entries, _TABLE.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, types.float32, types.uintp), generate


def _near_columns(
    _context: object, _vector: object, _block: object, _squares: object, _room: object, _bar: object
) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        vector, block, squares, room, bar = arguments
        halves = _products(builder, vector, block)
        product = builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(_WORD, LEVELS), [*range(LEVELS)]))
        square = builder.load(builder.inttoptr(squares, _WORDS.as_pointer()), align=4)
        found = builder.sub(square, builder.add(product, product))
        builder.store(found, builder.inttoptr(room, _WORDS.as_pointer()), align=4)
        near = builder.icmp_signed("<", found, _in_all_lanes(builder, bar, _WORDS))
        return builder.zext(builder.bitcast(near, _HALF), _WORD)

    return types.uint32(*(types.uintp,) * 4, types.int32), generate


def _products(builder: ir.IRBuilder, vector: ir.Value, block: ir.Value) -> list[ir.Value]:
    """The products of a vector with sixteen columns, eight and eight: two coordinates at a time."""
    words = ir.VectorType(_WORD, LEVELS // 2)
    kind = ir.FunctionType(words, [_HALVES, _HALVES])
    multiply = cast("Any", cgutils).get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd")
    sums = [ir.Constant(words, [0] * (LEVELS // 2))] * 2
    for pair in range(LENGTH // 2):
        two = builder.load(_at(builder, vector, 4 * pair, _WORD), align=4)
        both = builder.bitcast(_in_all_lanes(builder, two, words), _HALVES)
        for half in range(2):
            read = builder.load(_at(builder, block, (2 * pair + half) * LEVELS, _TABLE), align=1)
            found = builder.call(multiply, [both, builder.zext(read, _HALVES)])
            sums[half] = builder.add(sums[half], found)
    return sums


def _first_bit(_context: object, _bits: object) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        place = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.zext(place, ir.IntType(64))

    return types.int64(types.uint32), generate


def _sum_block(_context: object, _codes: object, _tables: object, _sums: object, _most: object) -> _Generated:
    def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: list[ir.Value]) -> ir.Value:
        codes, tables, sums, most = arguments
        total = _sums_of(builder, codes, tables)
        builder.store(total, builder.inttoptr(sums, _SUMS.as_pointer()), align=2)
        near = builder.icmp_unsigned("<=", total, _in_all_lanes(builder, most, _SUMS))
        return builder.bitcast(near, _WORD)

    return types.uint32(types.uintp, types.uintp, types.uintp, types.uint16), generate


def _sums_of(builder: ir.IRBuilder, codes: ir.Value, tables: ir.Value) -> ir.Value:
    """What the digits of 32 codes stand for, added up in two bytes each.

    Bytes are added two at a time: ``both`` gets the even ones, with what runs over from the odd ones above them, and
    ``odd`` those alone, which are then taken away again.
    """
    kind = ir.FunctionType(_BYTES, [_BYTES, _BYTES])
    look_up = cast("Any", cgutils).get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pshuf.b")
    low, eight = ir.Constant(_BYTES, [15] * LANES), ir.Constant(_HALVES, [8] * (LANES // 2))
    four = ir.Constant(_HALVES, [4] * (LANES // 2))
    both = odd = ir.Constant(_HALVES, [0] * (LANES // 2))
    for pair in range(PAIRS):
        read = builder.load(_at(builder, codes, pair * LANES, _BYTES), align=1)
        shifted = builder.bitcast(builder.lshr(builder.bitcast(read, _HALVES), four), _BYTES)
        for digit, digits in enumerate((builder.and_(read, low), builder.and_(shifted, low))):
            place = (2 * pair + digit) * PAIRS
            table = builder.load(_at(builder, tables, place, _TABLE), align=1)
            twice = builder.shuffle_vector(
                table, table, ir.Constant(ir.VectorType(_WORD, LANES), [*range(PAIRS), *range(PAIRS)])
            )
            found = builder.bitcast(builder.call(look_up, [twice, digits]), _HALVES)
            both, odd = builder.add(both, found), builder.add(odd, builder.lshr(found, eight))
    even = builder.sub(both, builder.shl(odd, eight))
    order = [place for lane in range(LANES // 2) for place in (lane, lane + LANES // 2)]
    return builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(_WORD, LANES), order))


def _at(builder: ir.IRBuilder, address: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
    return builder.inttoptr(builder.add(address, ir.Constant(address.type, offset)), kind.as_pointer())


def _in_all_lanes(builder: ir.IRBuilder, value: ir.Value, kind: ir.VectorType) -> ir.Value:
    nothing = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_WORD, kind.count), [0] * kind.count))


fma = cast("Callable[[np.float32, np.float32, np.float32], np.float32]", intrinsic(_fma))
"""The first times the second, plus the third, rounded once."""

part_table = cast("Callable[[np.uintp, np.uintp, np.uintp], np.float32]", intrinsic(_part_table))
"""Squared distances of a part of a residual from its sixteen centroids, added up in order, each product rounded with
the sum; returns how far the largest is from the least.

From the addresses of the part, (4,), of the centroids by coordinate, (4, 16), and of where the distances go and the
least of them behind these, (17,), all float32.
"""

round_part = cast("Callable[[np.uintp, np.float32, np.uintp], None]", intrinsic(_round_part))
"""How far each of sixteen distances is from the least, times a scale, to the nearest whole number.

From the address of what `part_table` wrote, the scale, and the address of where they go, (16,) uint8.
"""

near_columns = cast("Callable[[np.uintp, np.uintp, np.uintp, np.uintp, np.int32], np.uint32]", intrinsic(_near_columns))
"""How far a vector is from sixteen others, less its own square; which are below ``bar``, the first the lowest bit.

From the addresses of the vector, (128,) int16, of the others as columns, two coordinates beside each other, (64, 16, 2)
uint8, of their squares, (16,) int32, and of where the differences go, (16,) int32.
"""

first_bit = cast("Callable[[np.uint32], int]", intrinsic(_first_bit))
"""The place of the lowest bit that is set, of bits that are not all 0."""

sum_block = cast("Callable[[np.uintp, np.uintp, np.uintp, np.uint16], np.uint32]", intrinsic(_sum_block))
"""What 32 codes add up to by their tables: which sums are no more than ``most``, one bit each, the first the lowest.

From the addresses of the codes, byte by byte, (16, 32), of the tables, (32, 16), both uint8, and of where the sums go,
(32,) uint16. Wants AVX2, see `has_shuffles`.
"""
