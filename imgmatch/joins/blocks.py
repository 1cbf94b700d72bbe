"""What passes between the parts of a join: fingerprints as words, pairs in blocks, how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from imgmatch.cores import usable_cores
from imgmatch.model import FINGERPRINT_BITS, FINGERPRINT_BYTES
from imgmatch.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.joins.plan import Band

Codes = NDArray[np.uint8]
"""Fingerprints, shape (n, 32), dtype uint8."""

Words = NDArray[np.uint64]
"""The same bits, shape (n, 4), dtype uint64, not to be written to."""

LEAST_PAIRS = 8
"""A kernel compares eight rows at once and must be able to put down all of them."""

JOIN_WORK = "fingerprints joined"
"""What progress on a join is called."""

PAIRS_AT_ONCE = 1 << 18
"""Bounds a block to about 5 MB: large enough that what is done a block costs nothing, small beside the fingerprints."""

_MOST_ROWS = 2**31 - 16


@dataclass(frozen=True, slots=True)
class PairBlock:
    """Some of the pairs of a join: three arrays of shape (p,).

    Attributes:
        left: row of the left side, dtype int64; where a set is joined with itself, the smaller of the two.
        right: row of the right side, dtype int64.
        distances: in bits, dtype int32.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.left)

    def swapped(self) -> PairBlock:
        """The same pairs, left and right exchanged."""
        return PairBlock(self.right, self.left, self.distances)


@dataclass(slots=True)
class JoinCounts:
    """What a join has done so far.

    Attributes:
        candidates: pairs of distinct fingerprints looked at so far; one pair counts in every band that offers it.
        found: pairs of distinct fingerprints that are near.
    """

    candidates: int = 0
    found: int = 0

    def add(self, candidates: int, found: int) -> None:
        """Count so many more."""
        self.candidates += candidates
        self.found += found


class JoinElsewhere(Protocol):
    """Has joins of two sets done elsewhere; see :class:`imgmatch.joins.sending.JoinSender`."""

    def takes(self, comparisons: int) -> bool:
        """Whether a join of so many comparisons is worth sending."""
        ...

    def join(
        self, left: Words, right: Words, radius: int, bands: Sequence[Band], options: JoinOptions
    ) -> Iterator[PairBlock]:
        """Pairs of distinct fingerprints within ``radius`` bits, each once."""
        ...


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """How a join is run; none of it changes which pairs are found.

    Attributes:
        pairs_at_once: no block has more pairs, at least 8.
        threads: how many compute; the processors this process may use, unless said.
        progress: hears now and then which share of it is done, in the thread that asks for the blocks.
        counts: where what is done is counted.
        sender: has large joins of two sets done elsewhere; ``None`` does them here.
    """

    pairs_at_once: int = PAIRS_AT_ONCE
    threads: int = field(default_factory=usable_cores)
    progress: Progress = SILENT
    counts: JoinCounts = field(default_factory=JoinCounts)
    sender: JoinElsewhere | None = None

    def __post_init__(self) -> None:
        if self.pairs_at_once < LEAST_PAIRS or self.threads < 1:
            raise ValueError(f"{self.pairs_at_once} pairs at once by {self.threads} threads: less than 8, or than 1")


def words_of(codes: Codes) -> Words:
    """Fingerprints as words; copies only what is not in order in memory.

    Raises:
        ValueError: the shape or type is not that of fingerprints, or there are more than two thousand million.
    """
    if codes.ndim != 2 or codes.shape[1] != FINGERPRINT_BYTES or codes.dtype != np.uint8:  # noqa: PLR2004
        raise ValueError(f"not fingerprints: {codes.dtype} of shape {codes.shape}")
    if len(codes) > _MOST_ROWS:
        raise ValueError(f"{len(codes):,} fingerprints are more than a join can count")
    words = np.ascontiguousarray(codes).view(np.uint64)
    aligned = np.require(words, requirements=["C", "A"])
    # Never writable, so that numba sees one type, whether they come from a database, a file or a computation.
    if aligned.flags.writeable:
        aligned = aligned.view()
        aligned.flags.writeable = False
    return aligned


def check_radius(max_distance: int) -> None:
    """Raise ValueError unless it is a distance two fingerprints can have."""
    if not 0 <= max_distance <= FINGERPRINT_BITS:
        raise ValueError(f"a distance of {max_distance} bits is not between 0 and {FINGERPRINT_BITS}")
