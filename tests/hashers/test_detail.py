from __future__ import annotations

import numpy as np
import photos
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.hashers.detail import detail
from imgmatch.hashers.pdq import Pdq

ACROSS, DOWN = np.meshgrid(np.arange(64.0), np.arange(64.0))


def noise(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(128, 20, (64, 64))


@pytest.mark.parametrize(
    "nothing_in_two_directions", [np.full((64, 64), 7.0), ACROSS * 3, DOWN // 20 * 90, (ACROSS > 20) * 200.0]
)
def test_flat_pictures_gradients_and_stripes_have_no_detail(
    nothing_in_two_directions: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    assert detail(nothing_in_two_directions) == 0


@given(st.integers(0, 50), st.floats(0.01, 5))
def test_contrast_does_not_matter(seed: int, contrast: float) -> None:
    assert detail(noise(seed) * contrast) == pytest.approx(detail(noise(seed)))


@given(st.integers(0, 50))
def test_the_eight_orientations_have_the_same_detail(seed: int) -> None:
    picture = noise(seed)
    for turned in (picture[::-1], picture[:, ::-1], picture.T):
        assert detail(turned) == pytest.approx(detail(picture))


def test_the_same_mark_in_one_corner_has_less_detail_than_all_over() -> None:
    corner = np.full((64, 64), 128.0)
    corner[:8, :8] = noise(1)[:8, :8]
    assert detail(corner) < 0.1
    assert detail(noise(1)) > 0.5


def test_a_photo_like_picture_has_far_more_detail_than_a_disc() -> None:
    disc = np.where((ACROSS - 32) ** 2 + (DOWN - 32) ** 2 < 400, 220, 30).astype(np.uint8)
    photo = np.asarray(photos.picture(3).convert("L"))
    assert Pdq().measured(disc)[2] < 0.23
    assert Pdq().measured(photo)[2] > 0.5
