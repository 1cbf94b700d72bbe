"""What every hasher gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""A small upright grey picture, shape (height, width), dtype uint8, 0 is black."""

Rgb = NDArray[np.uint8]
"""The same picture in colour, shape (height, width, 3), dtype uint8."""

Codes = NDArray[np.uint8]
"""Fingerprints, shape (n, 32), dtype uint8: 256 bits a row, row-major, most significant bit first."""


_LARGEST = 700.0  # whose exponential is still a number

Input = Literal["grey", "rgb"]
"""What a hasher looks at: the small upright picture in grey, or in colour."""


@dataclass(frozen=True, slots=True)
class HasherProfile:
    """What the distances of one hasher mean; measured by ``tests/bench/bench_profiles.py``.

    Every number is the hasher's own: those of one hasher say nothing about another.

    Attributes:
        max_distance: bits in which a copy's fingerprint may differ unless the asker says otherwise.
        sure_distance: bits within which fingerprints alone are enough to call two pictures copies; no two strangers are
            as near as that.
        reach: bits within which fingerprints are candidates where their pictures can be verified.
        near_slope: of the line from bits to the log odds that a pair are copies, where nothing but the bits is known.
        near_shift: the value of that line at 0 bits.
        input: which picture it looks at.
    """

    max_distance: int
    sure_distance: int
    reach: int
    near_slope: float
    near_shift: float
    input: Input = "grey"

    def near_score(self, distance: int) -> float:
        """The probability, 0..1, that two pictures with so many bits between their fingerprints are copies."""
        odds = self.near_slope * distance + self.near_shift
        return 1 / (1 + math.exp(min(-odds, _LARGEST)))


class Hasher(Protocol):
    """A global perceptual hash of 256 bits.

    Instances hold no state and may be shared by threads.
    """

    name: str
    profile: HasherProfile

    def fingerprint(self, picture: Grey | Rgb, /) -> Codes:
        """Hash one picture, of the kind that ``profile.input`` names; returns shape (32,)."""
        ...

    def orientations(self, picture: Grey | Rgb, /) -> Codes:
        """Hash the picture brought back from each of ``model.ORIENTATIONS``; returns shape (8, 32).

        Row ``i`` is the fingerprint the upright picture has if ``picture`` shows it in orientation ``i``, so a stored
        fingerprint near row ``i`` means: the query is the stored photo in orientation ``i``. Row 0 equals
        ``fingerprint(picture)``.
        """
        ...

    def estimated_orientations(self, codes: Codes) -> Codes:
        """Estimate row ``i`` of ``orientations`` from fingerprints alone; (n, 32) gives (8, n, 32).

        Row 0 is ``codes`` itself. Other rows may be off by a few bits.

        Raises:
            NotImplementedError: the hash does not carry enough for that.
        """
        ...
