from __future__ import annotations

from typing import TYPE_CHECKING

import imagehash
import numpy as np
import pytest
from drawn import drawn, flat, noise, striped
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.hashers.dhash import DHash

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey

DHASH = DHash()


def by_imagehash(grey: Grey) -> Grey:
    return np.packbits(imagehash.dhash(Image.fromarray(grey), hash_size=16).hash)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 400), width=st.integers(1, 400))
def test_every_bit_is_the_one_of_imagehash(seed: int, height: int, width: int) -> None:
    height = min(height, width + width // 4)  # taller ones depend on the release of Pillow: see test_lanczos
    grey = noise(seed, height, width)
    assert np.array_equal(DHASH.fingerprint(grey), by_imagehash(grey))


@pytest.mark.parametrize("grey", [drawn(), flat(), striped()], ids=["drawn", "flat", "striped"])
def test_pictures_hash_as_in_imagehash(grey: Grey) -> None:
    assert np.array_equal(DHASH.fingerprint(grey), by_imagehash(grey))


def test_fingerprints_alone_cannot_be_turned() -> None:
    with pytest.raises(NotImplementedError, match="left to right only"):
        DHASH.estimated_orientations(np.zeros((1, 32), dtype=np.uint8))
