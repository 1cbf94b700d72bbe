from __future__ import annotations

import numpy as np
import PIL
import pytest
from drawn import drawn, flat, noise, striped
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.hashers.lanczos import shrunk

LANCZOS = Image.Resampling.LANCZOS
SIZES = [(64, 64), (17, 16), (16, 17)]


def by_pillow(grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], width: int, height: int) -> Image.Image:
    """Pillow's resize, one side at a time in the order that is kept here, whatever Pillow's own order is."""
    picture = Image.fromarray(grey)
    down_first = picture.height > height and picture.height - height > 2 * (picture.width - width)
    between = (picture.width, height) if down_first else (width, picture.height)
    return picture.resize(between, LANCZOS).resize((width, height), LANCZOS)


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 700), width=st.integers(1, 700), size=st.sampled_from(SIZES), harsh=st.booleans())
def test_any_size_shrinks_as_pillow_does_to_the_last_bit(
    height: int, width: int, size: tuple[int, int], *, harsh: bool
) -> None:
    grey = noise(height, height, width)
    if harsh:  # black and white only: the filter overshoots, and levels have to be cut off
        grey = (grey > 200).astype(np.uint8) * np.uint8(255)
    assert np.array_equal(shrunk(grey, *size), np.asarray(by_pillow(grey, *size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grey", [drawn(), drawn(1, 90, 1200), flat(), striped(), noise(0, 2000, 1500)], ids=str)
def test_pictures_shrink_as_pillow_does_in_one_call(
    grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], size: tuple[int, int]
) -> None:
    assert np.array_equal(shrunk(grey, *size), np.asarray(Image.fromarray(grey).resize(size, LANCZOS)))


@pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow takes tall pictures down first from 13 on")
@pytest.mark.parametrize("height", [136, 137, 900])
def test_tall_pictures_shrink_as_pillow_13_does(height: int) -> None:
    grey = noise(0, height, 100)
    assert np.array_equal(shrunk(grey, 64, 64), np.asarray(Image.fromarray(grey).resize((64, 64), LANCZOS)))


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    grey = noise(0, 64, 64)
    assert np.array_equal(shrunk(grey, 64, 64), grey)
