"""Arrays as they travel between processes: a JSON head that says what they are, then their raw bytes."""

from __future__ import annotations

import json
import struct
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_LENGTH = struct.Struct(">I")

Expected = tuple[str, tuple[int | None, ...]]
"""A dtype, such as ``<i4``, and a shape, ``None`` where any number will do."""


def pack_arrays(head: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """A head that JSON can hold, and arrays, as bytes."""
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    encoded = json.dumps([dict(head), shapes], separators=(",", ":")).encode()
    return b"".join([_LENGTH.pack(len(encoded)), encoded, *(array.tobytes() for array in arrays)])


def unpack_arrays(data: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """What was packed; the arrays are copies, and may be written to.

    Raises:
        ValueError: it is something else, cut off or too long, or an array is not made of plain numbers.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + length
        head, shapes = json.loads(data[_LENGTH.size : start])
        kinds = [(_plain(kind), tuple(map(_count, shape))) for kind, shape in shapes]
    except (struct.error, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"these are no arrays: {error}") from None
    sizes = [kind.itemsize * prod(shape) for kind, shape in kinds]
    if not isinstance(head, dict) or len(data) != start + sum(sizes):
        raise ValueError("these are no arrays: their bytes are not as many as was said")
    arrays = []
    for (kind, shape), size in zip(kinds, sizes, strict=True):
        arrays.append(np.frombuffer(data[start : start + size], kind).reshape(shape).copy())
        start += size
    return head, arrays


def check_arrays(arrays: Sequence[NDArray[Any]], expected: Sequence[Expected]) -> None:
    """Raise ValueError unless arrays are what is expected, and as many."""
    if len(arrays) != len(expected):
        raise ValueError(f"{len(arrays)} arrays instead of {len(expected)}")
    for array, (kind, shape) in zip(arrays, expected, strict=True):
        alike = len(array.shape) == len(shape) and all(
            wanted in {None, found} for wanted, found in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.dtype(kind) or not alike:
            raise ValueError(f"an array of {array.dtype} and shape {array.shape} instead of {kind} and {shape}")


def _plain(kind: object) -> np.dtype[Any]:
    if not isinstance(kind, str):
        raise TypeError("a type is no text")
    found = np.dtype(kind)
    if found.kind not in "biuf" or found.shape:
        raise ValueError(f"an array of {kind}")
    return found


def _count(number: object) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"a shape with {number!r}")
    return number
