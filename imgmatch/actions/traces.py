"""Looking through files for many pieces of bytes at once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_HEAD = 8
"""Bytes by which a piece is first known; shorter pieces are not looked for."""

_FILTER_BITS = 22
_AT_ONCE = 1 << 23


def found_in(path: Path, needles: Collection[bytes]) -> set[bytes]:
    """Which of these pieces the file contains, at any place; one pass, however many pieces there are.

    Raises:
        ValueError: a piece is shorter than 8 bytes: the like of it is in any file.
        OSError: the file cannot be read.
    """
    if any(len(needle) < _HEAD for needle in needles):
        raise ValueError(f"pieces shorter than {_HEAD} bytes prove nothing")
    if not needles:
        return set()
    by_head: dict[int, list[bytes]] = defaultdict(list)
    for needle in needles:
        by_head[int.from_bytes(needle[:_HEAD], "little")].append(needle)
    heads = np.array(sorted(by_head), dtype=np.uint64)
    # Most places fall through a table of the lowest bits; the few others are looked up exactly.
    passing = np.zeros(1 << _FILTER_BITS, dtype=bool)
    passing[(heads & np.uint64((1 << _FILTER_BITS) - 1)).astype(np.int64)] = True
    overlap = max(map(len, needles)) - 1
    found: set[bytes] = set()
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_AT_ONCE):
            data = rest + block
            for place, head in _places(data, heads, passing):
                found.update(needle for needle in by_head[head] if data.startswith(needle, place))
            rest = data[-overlap:]
    return found


def _places(
    data: bytes, heads: np.typing.NDArray[np.uint64], passing: np.typing.NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Where some head stands, with the head."""
    places = []
    for shift in range(_HEAD):
        count = (len(data) - shift) // _HEAD
        if count <= 0:
            break
        words = np.frombuffer(data, dtype="<u8", count=count, offset=shift)
        near = np.flatnonzero(passing[(words & np.uint64(len(passing) - 1)).astype(np.int64)])
        known = near[np.isin(words[near], heads)]
        places += [(shift + int(word) * _HEAD, int(words[word])) for word in known]
    return places
