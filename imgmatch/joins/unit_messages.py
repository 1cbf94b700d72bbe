"""What a unit of a join is told and answers, as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgmatch.arrays import check_arrays, pack_arrays, unpack_arrays
from imgmatch.joins.blocks import LEAST_PAIRS
from imgmatch.joins.plan import MOST_FLIPS, WIDEST, Band
from imgmatch.model import FINGERPRINT_BITS

MOST_ROOM = 1 << 22
"""Pairs for which a unit makes room, at most."""

State = tuple[int, int, int]
"""Where a unit begins: mask, place of the left side, place of the right side; see ``kernels.scan``."""


@dataclass(frozen=True, slots=True)
class JoinUnit:
    """Some rows of two blocks of fingerprints that are kept, by one band.

    Attributes:
        blocks: what the left block and the right one are called, the same whoever holds them.
        left: first row in its block, and the one after the last.
        right: likewise.
        radius: in bits, inclusive.
        bands: all bands of the join.
        band: which of them this unit is for.
        room: pairs it may find at most.
        state: where it begins.
    """

    blocks: tuple[str, str]
    left: tuple[int, int]
    right: tuple[int, int]
    radius: int
    bands: tuple[Band, ...]
    band: int
    room: int
    state: State = (0, 0, 0)

    def packed(self) -> bytes:
        """As bytes."""
        bands = [(band.start, band.width, band.flips) for band in self.bands]
        head = {"blocks": self.blocks, "radius": self.radius, "band": self.band, "room": self.room}
        numbers = np.array([*self.left, *self.right, *self.state], "<i8")
        return pack_arrays(head, [np.array(bands, "<i8").reshape(-1, 3), numbers])

    @classmethod
    def parsed(cls, data: bytes) -> JoinUnit:
        """What was packed.

        Raises:
            ValueError: it is no such unit.
        """
        head, arrays = unpack_arrays(data)
        check_arrays(arrays, [("<i8", (None, 3)), ("<i8", (7,))])
        bands = tuple(Band(*numbers) for numbers in arrays[0].tolist())
        start, stop, begin, end, *state = arrays[1].tolist()
        radius, band, room = (head.get(name) for name in ("radius", "band", "room"))
        names = head.get("blocks")
        if not (isinstance(radius, int) and isinstance(band, int) and isinstance(room, int)):
            raise ValueError("this is no unit of a join")  # noqa: TRY004 -- bytes that came from elsewhere
        if not (isinstance(names, list) and [type(name) for name in names] == [str, str]):
            raise ValueError("this is no unit of a join")
        unit = cls((names[0], names[1]), (start, stop), (begin, end), radius, bands, band, room, (*state,))
        unit.refuse_nonsense()
        return unit

    def refuse_nonsense(self) -> None:
        """Raise ValueError where a number is none that a join can have: compiled loops check nothing."""
        bands_fit = all(
            0 <= band.start <= FINGERPRINT_BITS - band.width
            and 0 <= band.width <= WIDEST
            and 0 <= band.flips <= MOST_FLIPS
            for band in self.bands
        )
        spans_fit = all(0 <= first <= last for first, last in (self.left, self.right))
        counts_fit = LEAST_PAIRS <= self.room <= MOST_ROOM and min(self.state) >= 0
        if not (bands_fit and spans_fit and counts_fit and 0 <= self.band < len(self.bands)):
            raise ValueError("this is no unit of a join")
        if not 0 <= self.radius <= FINGERPRINT_BITS:
            raise ValueError("this is no unit of a join")


@dataclass(frozen=True, slots=True)
class UnitFound:
    """What a unit has found.

    Attributes:
        state: where another unit is to go on; ``None`` where it is done.
        looked: pairs it has looked at.
        left: rows of the left block, shape (p,), dtype int32, counted from the first one of the unit.
        right: rows of the right block, likewise.
    """

    state: State | None
    looked: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]

    def packed(self) -> bytes:
        """As bytes."""
        head = {"state": self.state, "looked": self.looked}
        return pack_arrays(head, [self.left.astype("<i4"), self.right.astype("<i4")])

    @classmethod
    def parsed(cls, data: bytes, asked: JoinUnit) -> UnitFound:
        """What was packed, of a unit that was asked for.

        Raises:
            ValueError: it is no answer to that.
        """
        head, arrays = unpack_arrays(data)
        check_arrays(arrays, [("<i4", (None,)), ("<i4", (None,))])
        left, right = arrays
        fits = len(left) == len(right) <= asked.room
        if not (fits and _within(left, asked.left) and _within(right, asked.right)):
            raise ValueError("these are no pairs of the rows that were asked for")
        looked, state = head.get("looked"), head.get("state")
        if not isinstance(looked, int) or looked < 0:
            raise ValueError("it is not said how many pairs were looked at")
        if state is None:
            return cls(None, looked, left, right)
        if not (isinstance(state, list) and [type(one) for one in state] == [int] * 3 and tuple(state) > asked.state):
            raise ValueError("it is not said where to go on")
        return cls((state[0], state[1], state[2]), looked, left, right)


def _within(rows: NDArray[np.int32], span: tuple[int, int]) -> bool:
    return not len(rows) or bool(rows.min() >= 0 and rows.max() < span[1] - span[0])
