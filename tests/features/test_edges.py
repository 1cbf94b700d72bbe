"""How alike the edges of two aligned pictures are."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from imgmatch.features.edges import edges

if TYPE_CHECKING:
    from collections.abc import Callable

F32 = npt.NDArray[np.float32]

SIDE = 96
EVERYWHERE = np.full((SIDE, SIDE), 255, np.uint8)


def photo(seed: int) -> F32:
    """Light and shade, and sharp shapes on it."""
    rng = np.random.default_rng(seed)
    rough = sum(cv2.resize(rng.normal(0, 1, (n, n)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for n in (4, 8, 24))
    grey = np.asarray(128 + 28 * np.asarray(rough), np.float32)
    for x, y, radius in rng.integers(4, SIDE - 4, (14, 3)).tolist():
        cv2.circle(grey, (x, y), radius // 6 + 3, float(rng.uniform(40, 220)), -1, cv2.LINE_AA)
    return grey.clip(0, 255)


def sketch(picture: F32) -> F32:
    """Each grey divided by what is around it."""
    around = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.8), np.float32)
    return np.asarray(np.clip(picture / np.maximum(around, 1) * 235, 0, 255), np.float32)


def dark(picture: F32) -> F32:
    return np.asarray(np.round((picture / 255) ** 2 * 70), np.float32)


def posterised(picture: F32) -> F32:
    return np.asarray(np.round(picture / 40) * 40, np.float32)


@pytest.mark.parametrize("redrawn", [sketch, dark, posterised])
@pytest.mark.parametrize("seed", range(4))
def test_a_copy_without_its_light_and_shade_keeps_its_edges(seed: int, redrawn: Callable[[F32], F32]) -> None:
    """Sketches, dark filters and few greys leave edges where they are; another photo has few of them."""
    picture = photo(seed)
    copy = edges(picture, redrawn(picture), EVERYWHERE)
    stranger = edges(picture, redrawn(photo(seed + 100)), EVERYWHERE)
    assert copy.correlation > 0.6
    assert copy.best_half > 0.75
    assert copy.share > 0.4
    assert copy.directions > 0.5
    assert abs(stranger.correlation) < 0.25
    assert stranger.best_half < 0.5
    assert stranger.share < 0.1
    assert stranger.directions < 0.3


def test_a_picture_is_wholly_like_itself_and_the_reverse_of_its_negative() -> None:
    """Of one picture all edges agree; in its negative all face the other way."""
    picture = photo(1)
    assert astuple(edges(picture, picture, EVERYWHERE)) == pytest.approx((1, 1, 1, 0, 0, 0, 1), abs=1e-4)
    negative = edges(picture, 255 - picture, EVERYWHERE)
    assert negative.correlation == pytest.approx(-1, abs=1e-4)
    assert negative.directions == 0


def test_what_covers_a_half_leaves_the_better_half_alone() -> None:
    """Beside a plain cover the edges agree as they did."""
    picture = photo(2)
    covered = picture.copy()
    covered[:, : SIDE // 2 - 8] = 255
    found = edges(picture, covered, EVERYWHERE)
    assert found.best_half > 0.9
    assert found.correlation < 0.8


def test_another_photo_in_the_same_template_is_one_region_that_differs() -> None:
    """Where two pictures agree but for a part, that part is told as a share of the whole; of a copy there is none."""
    picture = photo(7)
    framed = picture.copy()
    framed[24:72, 24:72] = photo(8)[24:72, 24:72]
    assert 0.1 < edges(picture, framed, EVERYWHERE).clash < 0.35
    assert edges(picture, sketch(picture), EVERYWHERE).clash < 0.02


def test_detail_that_one_picture_alone_has_is_one_region_told_of_either() -> None:
    """Where one shows print and the other plain cloth, the side that has it is told, as a share of the whole."""
    printed = photo(9)
    plain = printed.copy()
    plain[24:72, 24:72] = 120
    one, other = edges(printed, plain, EVERYWHERE), edges(plain, printed, EVERYWHERE)
    assert (one.lost, one.added) == (other.added, other.lost)
    assert 0.1 < one.lost < 0.3
    assert one.added < 0.1 * one.lost


def test_only_what_both_show_counts() -> None:
    """Outside the mask nothing is compared; a strip too narrow for a window says nothing."""
    picture, half = photo(3), EVERYWHERE.copy()
    half[:, SIDE // 2 :] = 0
    other = picture.copy()
    other[:, SIDE // 2 + 24 :] = photo(4)[:, SIDE // 2 + 24 :]
    assert edges(picture, other, half).correlation > 0.95
    strip = np.zeros_like(EVERYWHERE)
    strip[:, :4] = 255
    assert np.isnan([edges(picture, picture, strip).correlation, edges(picture, picture, strip).directions]).all()


def test_pictures_without_contrast_have_no_edges() -> None:
    """Of plain pictures nothing is said."""
    plain = np.full((SIDE, SIDE), 90, np.float32)
    found = edges(plain, plain + 20, EVERYWHERE)
    assert found.correlation == pytest.approx(0, abs=1e-4)
    assert np.isnan([found.best_half, found.share, found.directions]).all()
