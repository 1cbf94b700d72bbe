"""What every hasher gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""A small upright grey picture, shape (height, width), dtype uint8, 0 is black."""

Codes = NDArray[np.uint8]
"""Fingerprints, shape (n, 32), dtype uint8: 256 bits a row, row-major, most significant bit first."""


class Hasher(Protocol):
    """A global perceptual hash of 256 bits.

    Instances hold no state and may be shared by threads.
    """

    name: str

    def fingerprint(self, grey: Grey) -> Codes:
        """Hash one picture; returns shape (32,)."""
        ...

    def orientations(self, grey: Grey) -> Codes:
        """Hash the picture brought back from each of ``model.ORIENTATIONS``; returns shape (8, 32).

        Row ``i`` is the fingerprint the upright picture has if ``grey`` shows it in orientation ``i``, so a stored
        fingerprint near row ``i`` means: the query is the stored photo in orientation ``i``. Row 0 equals
        ``fingerprint(grey)``.
        """
        ...

    def turned(self, codes: Codes) -> Codes:
        """Estimate row ``i`` of ``orientations`` from fingerprints alone; (n, 32) gives (8, n, 32).

        Row 0 is ``codes`` itself. Other rows may be off by a few bits.

        Raises:
            NotImplementedError: the hash does not carry enough to be turned.
        """
        ...
