from __future__ import annotations

from typing import TYPE_CHECKING

import imagehash
import numpy as np
import pytest
from drawn import distances, drawn, flat, noise, striped, symmetric
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.hashers.phash import PHash

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey

PHASH = PHash()
ODD_ONES = {
    "flat": flat(),
    "black": flat(level=0),
    "white": flat(level=255),
    "striped": striped(),
    "lying stripes": np.ascontiguousarray(striped().T),
    "symmetric": symmetric(),
    "symmetric in both": np.maximum(symmetric(), symmetric()[::-1]),
    "diagonal": np.minimum(drawn(0, 128, 128), drawn(0, 128, 128).T),
    "one pixel": flat(1, 1),
    "one row": noise(0, 1, 300),
    "wide": drawn(0, 100, 900),
    "not contiguous": drawn()[::-2, ::3],
}


def by_imagehash(grey: Grey) -> Grey:
    return np.packbits(imagehash.phash(Image.fromarray(grey), hash_size=16).hash)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 500), width=st.integers(1, 500), coarse=st.booleans())
def test_every_bit_is_the_one_of_imagehash(seed: int, height: int, width: int, *, coarse: bool) -> None:
    height = min(height, width + width // 4)  # taller ones depend on the release of Pillow: see test_lanczos
    grey = noise(seed, height, width)
    if coarse:  # few levels make equal coefficients, and so ties with the median
        grey = (grey // 128) * np.uint8(255)
    assert np.array_equal(PHASH.fingerprint(grey), by_imagehash(grey))


@pytest.mark.parametrize("name", ODD_ONES)
def test_ties_fall_as_in_imagehash(name: str) -> None:
    assert np.array_equal(PHASH.fingerprint(ODD_ONES[name]), by_imagehash(ODD_ONES[name]))


@pytest.mark.parametrize("seed", range(12))
def test_drawn_pictures_hash_as_in_imagehash(seed: int) -> None:
    grey = drawn(seed, 300 + 7 * seed, 320 - 5 * seed)
    assert np.array_equal(PHASH.fingerprint(grey), by_imagehash(grey))


def test_a_flat_picture_has_one_bit_set() -> None:
    assert np.unpackbits(PHASH.fingerprint(flat())).sum() == 1


def test_half_of_the_bits_are_set_so_distances_are_even() -> None:
    codes = np.stack([PHASH.fingerprint(drawn(seed)) for seed in range(10)])
    assert (np.unpackbits(codes, axis=1).sum(axis=1) == 128).all()
    assert not (distances(codes[:1], codes) % 2).any()
