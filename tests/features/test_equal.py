"""Which pixels two aligned pictures have in common."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from imgmatch.features.equal import equality

F32 = npt.NDArray[np.float32]

SIDE = 96
EVERYWHERE = np.full((SIDE, SIDE), 255, np.uint8)


def photo(seed: int) -> F32:
    """Greys that go over into each other, with detail all over."""
    rng = np.random.default_rng(seed)
    rough = sum(cv2.resize(rng.normal(0, 1, (n, n)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for n in (6, 12, 24))
    return np.asarray(128 + 28 * np.asarray(rough), np.float32).clip(0, 255)


def strewn(picture: F32, discs: int, radius: int, seed: int) -> tuple[F32, npt.NDArray[np.bool_]]:
    """With bright discs on it, and where they lie."""
    rng = np.random.default_rng(seed)
    hidden = np.zeros((SIDE, SIDE), np.uint8)
    for x, y in rng.integers(0, SIDE, (discs, 2)).tolist():
        cv2.circle(hidden, (x, y), radius, 1, -1)
    return np.where(hidden > 0, np.float32(255), picture), hidden > 0


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.6, 70.0), (1.3, -40.0), (-1.0, 255.0)])
def test_what_lies_between_stickers_is_equal_in_any_straight_tone(slope: float, shift: float) -> None:
    """Of a copy under stickers all is equal but the stickers, also darker, flatter or as a negative."""
    picture = photo(1)
    covered, hidden = strewn(picture, 20, 6, 2)
    found = equality(picture, (slope * covered + shift).astype(np.float32), EVERYWHERE)
    assert found.share == pytest.approx(1 - hidden.mean(), abs=0.02)
    assert found.detail > 0.6
    assert found.error < 0.01


def test_the_largest_sticker_is_the_largest_region_that_differs() -> None:
    """One disc among equal pixels is one region of its own size."""
    picture = photo(3)
    covered, hidden = strewn(picture, 1, 15, 4)
    assert equality(picture, covered, EVERYWHERE).unequal == pytest.approx(float(hidden.mean()), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_two_photos_under_the_same_stickers_have_little_detail_in_common(seed: int) -> None:
    """What is stuck on both is equal; where they have detail, strangers differ in one region that is nearly all."""
    one, hidden = strewn(photo(2 * seed), 15, 6, seed)
    other, _ = strewn(photo(2 * seed + 1), 15, 6, seed)
    found = equality(one, other, EVERYWHERE)
    assert found.share > hidden.mean()
    assert found.detail < 0.45
    assert found.unequal > 0.1


def test_only_what_both_show_counts() -> None:
    """Outside the mask nothing is compared."""
    picture = photo(5)
    half = EVERYWHERE.copy()
    half[:, SIDE // 2 :] = 0
    other = picture.copy()
    other[:, SIDE // 2 :] = photo(6)[:, SIDE // 2 :]
    found = equality(picture, other, half)
    assert (found.share, found.detail, found.unequal) == (1.0, 1.0, 0.0)


def test_pictures_without_contrast_have_no_detail_in_common() -> None:
    """Of two plain pictures all is equal, and none of it is detail."""
    plain = np.full((SIDE, SIDE), 90, np.float32)
    found = equality(plain, plain + 20, EVERYWHERE)
    assert (found.share, found.detail, found.unequal, found.error) == (1.0, 0.0, 0.0, 0.0)


def test_what_hides_a_copy_in_one_colour_is_of_one_tone() -> None:
    """All pixels under bars of one grey have that grey; those of another photo have many; equal ones have none."""
    picture = photo(7)
    barred = picture.copy()
    barred[(np.arange(SIDE) % 12) < 5] = 20
    assert equality(picture, barred, EVERYWHERE).one_tone > 0.85
    assert equality(picture, photo(8), EVERYWHERE).one_tone < 0.5
    assert np.isnan(equality(picture, picture, EVERYWHERE).one_tone)
