"""A join cut into units that may be done elsewhere: a band, some rows of one side, a block of rows of the other.

Which of several bands gives a pair is decided by the two fingerprints alone (see ``kernels``), so how rows are cut, and
in which order units come back, changes nothing. A unit that has found very many pairs, or has looked at very many, says
where it stopped, and another one goes on there, wherever that is done. The fingerprints travel once, in blocks.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.joins.blocks import JOIN_WORK, PairBlock, Words
from imgmatch.joins.unit_messages import MOST_ROOM, JoinUnit, UnitFound
from imgmatch.tasks import SentUnit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.joins.blocks import JoinOptions
    from imgmatch.joins.plan import Band
    from imgmatch.tasks import Tasks

KIND = "join"

BLOCK_ROWS = 1 << 21
"""Rows of one side that a unit looks at, at most: sorted by a band they take 56 bytes each, 117 MB."""

LEAST_PART_ROWS = 1 << 12
"""A unit of fewer rows would spend its time on sorting the other side."""

UNITS_A_SLOT = 8
"""A join is cut into so many units for each slot, or more, so that none waits long for the last one."""

WORTH_COMPARISONS = 4_000_000_000
"""Fewer comparisons take this process less than a second: they are not sent anywhere."""


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows of one side that were sent.

    Attributes:
        first: which of the side is the first of them.
        words: these, shape (n, 4), dtype uint64.
        name: what whoever answers calls them.
        number: what whoever holds them calls them.
    """

    first: int
    words: Words
    name: str
    number: int


class JoinSender:
    """Has joins done by whoever answers units, and remembers which fingerprints it has sent there.

    One join at a time. To be closed when it is done with.
    """

    def __init__(self, tasks: Tasks, worth: int | None = None) -> None:
        """Joins of fewer than ``worth`` comparisons are not sent."""
        self._tasks = tasks
        self._worth = WORTH_COMPARISONS if worth is None else worth
        self._kept: dict[tuple[int, int], KeptRows] = {}

    def takes(self, comparisons: int) -> bool:
        """Whether a join of so many comparisons is worth sending."""
        return comparisons >= self._worth

    def join(
        self, left: Words, right: Words, radius: int, bands: Sequence[Band], options: JoinOptions
    ) -> Iterator[PairBlock]:
        """Pairs of distinct fingerprints within ``radius`` bits, each once, never an empty block.

        Args:
            left: shape (n, 4), dtype uint64, none twice.
            right: shape (m, 4), dtype uint64, none twice.
            radius: in bits, inclusive.
            bands: which satisfy the pigeonhole.
            options: how to run.

        Raises:
            ImgmatchError: nobody answers.
        """
        of_left, of_right = self._sent(left, right)
        units = list(_cut(of_left, of_right, radius, tuple(bands), options.pairs_at_once, self._tasks.slots))
        total = sum(unit.size for unit in units)
        waiting: deque[_Running] = deque()
        done = 0
        coming = iter(units)
        try:
            while done < total:
                for unit in islice(coming, 2 * self._tasks.slots + 1 - len(waiting)):
                    waiting.append(_Running(self._tasks, unit))
                yield from waiting[0].blocks(radius, options)
                done += waiting.popleft().unit.size
                options.progress.step(JOIN_WORK, done / total, 1)
        finally:
            for one in waiting:
                one.sent.cancel()

    def _sent(self, *sides: Words) -> list[list[KeptRows]]:
        """The blocks of either side; what was sent for an earlier join and is not needed for this one is forgotten.

        A run joins ever more of the same fingerprints: the blocks before the last one are the same memory each time.
        """
        wanted = [
            [(first, words[first : first + BLOCK_ROWS]) for first in range(0, len(words), BLOCK_ROWS)]
            for words in sides
        ]
        keys = {_place(words) for side in wanted for _, words in side}
        for key in self._kept.keys() - keys:
            self._tasks.forget(self._kept.pop(key).number)
        for side in wanted:
            for first, words in side:
                if _place(words) not in self._kept:
                    number = self._tasks.keep(words.view(np.uint8).reshape(-1))
                    self._kept[_place(words)] = KeptRows(first, words, secrets.token_hex(8), number)
        return [[replace(self._kept[_place(words)], first=first) for first, words in side] for side in wanted]

    def close(self) -> None:
        """Have forgotten what was sent."""
        for block in self._kept.values():
            self._tasks.forget(block.number)
        self._kept.clear()


def _place(words: Words) -> tuple[int, int]:
    """Where in memory rows lie, which says what they are for as long as somebody holds them: nobody writes to them."""
    return words.ctypes.data, len(words)


@dataclass(frozen=True, slots=True)
class PlacedUnit:
    """A unit, and the blocks it is of."""

    left: KeptRows
    right: KeptRows
    unit: JoinUnit

    @property
    def size(self) -> int:
        """Pairs there are."""
        return (self.unit.left[1] - self.unit.left[0]) * (self.unit.right[1] - self.unit.right[0])


def _cut(
    left: Sequence[KeptRows], right: Sequence[KeptRows], radius: int, bands: tuple[Band, ...], room: int, slots: int
) -> Iterator[PlacedUnit]:
    """Units that sort the same block of the right side by the same band stand together."""
    rows = max(len(block.words) for block in left)
    parts = -(-UNITS_A_SLOT * slots // (len(bands) * len(right) * len(left)))
    step = max(LEAST_PART_ROWS, -(-rows // parts))
    for other in right:
        for band in range(len(bands)):
            for one in left:
                for start in range(0, len(one.words), step):
                    unit = JoinUnit(
                        (one.name, other.name),
                        (start, min(start + step, len(one.words))),
                        (0, len(other.words)),
                        radius,
                        bands,
                        band,
                        min(room, MOST_ROOM),
                    )
                    yield PlacedUnit(one, other, unit)


class _Running:
    """A unit that was given out, and those that go on where it stops."""

    def __init__(self, tasks: Tasks, placed: PlacedUnit) -> None:
        self._tasks, self.unit = tasks, placed
        self.sent = self._given(placed.unit)

    def _given(self, unit: JoinUnit) -> SentUnit[UnitFound]:
        kept = self.unit.left.number, self.unit.right.number
        return SentUnit(self._tasks, KIND, unit.packed(), lambda data: UnitFound.parsed(data, unit), kept)

    def blocks(self, radius: int, options: JoinOptions) -> Iterator[PairBlock]:
        """What is found, as it comes."""
        unit, found = self.unit.unit, self.sent.result()
        while True:
            if found.state is not None:  # goes on while the caller is busy with this block
                self.sent = self._given(replace(unit, state=found.state))
            block = self._block(found, radius)
            options.counts.add(found.looked, len(block))
            if len(block):
                yield block
            if found.state is None:
                return
            found = self.sent.result()

    def _block(self, found: UnitFound, radius: int) -> PairBlock:
        """Pairs with their distances, which are not taken on trust."""
        one, other, unit = self.unit.left, self.unit.right, self.unit.unit
        left = found.left.astype(np.int64) + unit.left[0]
        right = found.right.astype(np.int64) + unit.right[0]
        distances = np.bitwise_count(one.words[left] ^ other.words[right]).sum(axis=1, dtype=np.int32)
        near = distances <= radius
        return PairBlock(left[near] + one.first, right[near] + other.first, distances[near])
