"""Join by bands: sort both sides by some of the bits, compare only rows that are near there; once for every band.

The bands are those of :mod:`imgmatch.joins.plan`, the loops those of :mod:`imgmatch.joins.kernels`. The work is cut
into tasks of some thousand rows. A task is called again and again, each time for less than about a third of a
second, so that an interrupt is seen soon and no thread outlives the join, and it stops where its block of pairs is
full, so that a result of any size is held only as far as the caller takes it.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch.joins import kernels
from imgmatch.joins.blocks import JOIN_WORK, JoinOptions, PairBlock, Words
from imgmatch.joins.interning import intern, twins, written_out
from imgmatch.joins.plan import MOST_FLIPS, Band, Sizes, plan
from imgmatch.joins.shapes import Area, Column, Found, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future


_ROWS_A_TASK = 1 << 15
"""Two words of as many rows fit half of a core's own cache, beside a stretch of the other side."""

_LEAST_ROWS_A_TASK = 1 << 10

_PATIENCE = 1 << 26
"""Pairs a call may look at: a hundredth of a second with AVX-512, a third where every pair is compared in full."""

_SAMPLE, _LEAST_SAMPLE = 1 << 17, 1 << 12
"""Pairs the plan is measured on: what one in 10,000 does, a dozen of them do; fewer where the join itself is short."""


def banded_join(
    left: Words, right: Words | None, max_distance: int, options: JoinOptions, bands: Sequence[Band] | None = None
) -> Iterator[PairBlock]:
    """Pairs within ``max_distance`` bits (inclusive), each once, in an order that is the same on every run.

    Args:
        left: shape (n, 4), dtype uint64.
        right: shape (m, 4), dtype uint64; ``None`` joins ``left`` with itself.
        max_distance: in bits.
        options: how to run.
        bands: use these, which must satisfy the pigeonhole; planned unless given.
    """
    if right is not None and len(right) < len(left):
        for block in banded_join(right, left, max_distance, options, bands):
            yield block.swapped()
        return
    one = intern(left)
    other = one if right is None else intern(right)
    if right is None:
        yield from twins(one, options.pairs_at_once)
    if not len(one.words) or not len(other.words):
        return
    chosen = bands or choose(one.words, other.words, max_distance)
    if right is not None and options.sender is not None and options.sender.takes(len(one.words) * len(other.words)):
        blocks = options.sender.join(one.words, other.words, max_distance, chosen, options)
    else:
        join = _Join(one.words, other.words, max_distance, tuple(chosen), options, itself=right is None)
        blocks = join.blocks()
    for block in blocks:
        yield from written_out(one, other, block, options.pairs_at_once)


def choose(left: Words, right: Words, max_distance: int) -> tuple[Band, ...]:
    """The cheapest bands for these fingerprints; the same object as both sides is a set joined with itself."""
    itself = left is right
    rng = np.random.default_rng(0)
    some = min(_SAMPLE, _LEAST_SAMPLE + (len(left) + len(right)) // 64)
    pairs = np.stack([rng.integers(0, len(side), some) for side in (left, right)], axis=1)
    if itself:
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]

    def measured(cut: Sequence[Band]) -> NDArray[np.float64]:
        places = np.array([(band.start, band.width) for band in cut], np.int64)
        counts = kernels.tally(left, right, pairs, places, MOST_FLIPS)
        return np.cumsum(counts, axis=1) / max(1, len(pairs))

    return plan(Sizes(len(left), len(right), itself), max_distance, measured)


@dataclass(slots=True)
class _Task:
    """Some rows of the left side against some of the right, by one band."""

    left: Column
    right: Column
    rule: Rule
    area: Area
    state: NDArray[np.int64]
    share: float
    found: Found

    def step(self) -> bool:
        """Go on for a while; returns whether it is done."""
        return kernels.scan(self.left, self.right, self.rule, self.area, self.state, self.found)

    def block(self) -> PairBlock:
        """What the last step found."""
        part = slice(int(self.state[4]))
        left, right, distances = (column[part] for column in self.found)
        return PairBlock(left.astype(np.int64), right.astype(np.int64), distances.astype(np.int32))


@dataclass(slots=True)
class _Join:
    """A join of distinct fingerprints under way."""

    left: Words
    right: Words
    max_distance: int
    bands: tuple[Band, ...]
    options: JoinOptions
    itself: bool
    _done: float = field(default=0.0)

    def blocks(self) -> Iterator[PairBlock]:
        """Pairs of distinct fingerprints, never an empty block."""
        pool = ThreadPoolExecutor(self.options.threads, thread_name_prefix="imgmatch-join")
        try:
            yield from self._blocks(pool)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _blocks(self, pool: ThreadPoolExecutor) -> Iterator[PairBlock]:
        waiting: deque[tuple[_Task, Future[bool]]] = deque()
        for task in self._tasks(pool):
            waiting.append((task, pool.submit(task.step)))
            if len(waiting) > 2 * self.options.threads:
                yield from self._finish(pool, *waiting.popleft())
        while waiting:
            yield from self._finish(pool, *waiting.popleft())
        self._advance(1 - self._done)

    def _finish(self, pool: ThreadPoolExecutor, task: _Task, future: Future[bool]) -> Iterator[PairBlock]:
        done = False
        while not done:
            done = future.result()
            block = task.block()
            self.options.counts.add(int(task.state[3]), len(block))
            self._advance(task.share if done else 0)
            if not done:
                future = pool.submit(task.step)
            if len(block):
                yield block

    def _advance(self, share: float) -> None:
        self._done = min(1.0, self._done + share)
        self.options.progress.step(JOIN_WORK, self._done, 1)

    def _tasks(self, pool: ThreadPoolExecutor) -> Iterator[_Task]:
        sides = (self.left,) if self.itself else (self.left, self.right)

        def sort(number: int) -> list[Future[Column]]:
            band = self.bands[number]
            return [pool.submit(kernels.sort_by_band, side, band.start, band.width) for side in sides]

        upcoming = sort(0)
        for number in range(len(self.bands)):
            columns = [future.result() for future in upcoming]
            if number + 1 < len(self.bands):  # sorted while this one is scanned
                upcoming = sort(number + 1)
            yield from self._tasks_of(number, columns[0], columns[-1])

    def _tasks_of(self, number: int, left: Column, right: Column) -> Iterator[_Task]:
        flips = np.array([band.flips for band in self.bands], np.int32)
        band = self.bands[number]
        bits = np.stack([one.bits() for one in self.bands])
        rule = Rule(self.itself, self.max_distance, number, bits, flips, band.masks())
        areas = list(self._areas(across=len(self.right) if band.width else _ROWS_A_TASK))
        room = self.options.pairs_at_once
        for area in areas:
            found = Found(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int16))
            state = np.array([0, area.start, 0, 0, 0], np.int64)
            yield _Task(left, right, rule, area, state, 1 / len(areas) / len(self.bands), found)

    def _areas(self, across: int) -> Iterator[Area]:
        """Some rows of the left side and ``across`` of the right; without a band, tiles that stay in the cache."""
        left, right = len(self.left), len(self.right)
        down = min(_ROWS_A_TASK, max(_LEAST_ROWS_A_TASK, -(-left // (4 * self.options.threads))))
        for start in range(0, left, down):
            for begin in range(0, right, across):
                if not (self.itself and begin + across <= start):
                    yield Area(start, min(start + down, left), begin, min(begin + across, right), _PATIENCE)
