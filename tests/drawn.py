"""Pictures by formula, for the tests of hashers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.hashers.base import Codes, Grey
    from imgmatch.model import Orientation


@lru_cache(maxsize=128)
def drawn(seed: int = 0, height: int = 533, width: int = 400) -> Grey:
    """Sixty waves of random direction and length, longer ones stronger, as in photos; not to be written to."""
    random = np.random.default_rng(seed)
    (down, across), phase = random.uniform(-14, 14, (2, 60)), random.uniform(0, 2 * np.pi, 60)
    rows = 2j * np.pi * np.outer(np.arange(height) / height, down) + 1j * phase
    columns = 2j * np.pi * np.outer(across, np.arange(width) / width)
    waves = ((np.exp(rows) / (1 + np.hypot(down, across))) @ np.exp(columns)).real
    # A picture of one pixel has no contrast to set.
    levels: Grey = np.clip(128 + 60 * waves / (waves.std() or 1.0), 0, 255).astype(np.uint8)
    levels.setflags(write=False)
    return levels


def noise(seed: int, height: int, width: int) -> Grey:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def striped(height: int = 200, width: int = 300) -> Grey:
    return np.tile((np.arange(width) // 7 % 2 * 200 + 20).astype(np.uint8), (height, 1))


def symmetric(seed: int = 0, side: int = 128) -> Grey:
    half = drawn(seed, side, side // 2)
    return np.hstack([half, half[:, ::-1]])


def flat(height: int = 200, width: int = 300, level: int = 77) -> Grey:
    return np.full((height, width), level, dtype=np.uint8)


def placed(picture: Grey, orientation: Orientation) -> Grey:
    """Show an upright picture in an orientation, as the orientation's docstring words it."""
    mirrored = picture[:, ::-1] if orientation.mirrored else picture
    return np.ascontiguousarray(np.rot90(mirrored, -orientation.rotation // 90))


def distance(one: Codes, other: Codes) -> int:
    """Hamming distance in bits."""
    assert one.shape == other.shape == (FINGERPRINT_BYTES,)
    return int(np.unpackbits(one ^ other).sum())


def distances(one: Codes, other: Codes) -> NDArray[np.int64]:
    """The same for each row of (n, 32)."""
    bits: NDArray[np.int64] = np.unpackbits(one ^ other, axis=-1).sum(axis=-1, dtype=np.int64)
    return bits
