"""Photos on a page, in a grid or askew on a plain ground are found where they are; in plain photos there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
import screens
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imgmatch.demo.portraits import portrait
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.panels import MOST_PANELS, area, cut_out, in_photo, is_page, panel_picture, panels_of
from imgmatch.imaging.picture import small_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from imgmatch.model import Outline

UNIT: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def grey(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("L"))


def box(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> NDArray[np.float64]:
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.array(corners, np.float64) / size


def nearest(panels: list[Outline], wanted: NDArray[np.float64]) -> float:
    """How far, at the most, the corners of that panel are off which lies nearest to what is wanted."""
    return min((float(np.abs(np.array(panel) - wanted).max()) for panel in panels), default=1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_round_face_and_the_friends_on_a_profile_page_are_panels(seed: int) -> None:
    page = grey(screens.profile(portrait(seed), seed))
    panels = panels_of(page)
    assert is_page(page)
    assert nearest(panels, box(*screens.FACE, screens.SIZE)) < 0.01
    for place in range(3):
        left = 24 + 170 * place
        assert nearest(panels, box(left, 860, left + 150, 1010, screens.SIZE)) < 0.01


@pytest.mark.parametrize("gap", [0, 2, 6])
def test_each_tile_of_a_grid_is_a_panel_also_where_tiles_touch(gap: int) -> None:
    page = screens.grid([portrait(seed) for seed in range(20, 29)], 3, 180, gap)
    panels = panels_of(grey(page))
    for place in range(9):
        left, top = place % 3 * (180 + gap), place // 3 * (180 + gap)
        assert nearest(panels, box(left, top, left + 180, top + 180, page.size)) < 0.012


@pytest.mark.parametrize("ground", [0, 110, 255])
def test_a_photo_askew_on_a_plain_ground_is_found_by_its_corners_and_brought_upright(ground: int) -> None:
    photo = portrait(4)
    page = grey(screens.askew(photo, ground))
    [panel] = panels_of(page)
    assert nearest([panel], np.array(screens.QUAD) / (600, 700)) < 0.03
    upright = cut_out(page, panel).astype(np.float64)
    wanted = grey(photo.resize((upright.shape[1], upright.shape[0]))).astype(np.float64)
    assert np.corrcoef(upright.ravel(), wanted.ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_few_portraits_have_panels_and_those_stand_before_shelves_and_windows() -> None:
    assert sum(bool(panels_of(grey(portrait(seed)))) for seed in range(60)) <= 6


def test_a_horizon_does_not_cut_a_picture_in_two() -> None:
    page = np.asarray(np.random.default_rng(5).normal(90, 12, (500, 400)).clip(0, 255), np.uint8)
    page[300:] += 100
    assert panels_of(page) == []


def test_no_more_panels_are_taken_than_are_allowed_and_the_largest_come_first() -> None:
    page = screens.grid([portrait(seed) for seed in range(30, 50)], 5, 120, 8)
    panels = panels_of(grey(page))
    assert len(panels) == MOST_PANELS
    areas = np.array([area(panel) for panel in panels])
    assert (np.diff(areas) < 1e-3).all()  # corners are given to a ten thousandth


@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (700, 2), (31, 31), (512, 512)])
def test_a_picture_of_one_grey_and_of_any_shape_has_none(shape: tuple[int, int]) -> None:
    assert panels_of(np.full(shape, 200, np.uint8)) == []


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90))))
def test_whatever_is_found_lies_within_the_picture_and_can_be_cut_out(picture: NDArray[np.uint8]) -> None:
    for panel in panels_of(picture):
        assert len(panel) == 4
        assert all(0 <= share <= 1 for corner in panel for share in corner)
        assert min(cut_out(picture, panel).shape) >= 1


def test_points_of_a_panel_are_placed_in_the_picture_it_is_a_part_of() -> None:
    panel: Outline = ((0.2, 0.1), (0.6, 0.1), (0.6, 0.9), (0.2, 0.9))
    assert in_photo(panel, UNIT) == panel
    assert in_photo(panel, ((0.5, 0.5),)) == ((0.4, 0.5),)
    slanted: Outline = ((0.2, 0.1), (0.9, 0.2), (0.8, 0.9), (0.1, 0.7))
    assert in_photo(slanted, UNIT) == slanted
    assert in_photo(UNIT, ((0.3, 0.7),)) == ((0.3, 0.7),)
    assert area(panel) == pytest.approx(0.32, abs=1e-4)


def test_a_panel_is_cut_from_the_larger_picture() -> None:
    page = screens.profile(portrait(7))
    whole = small_picture(photos.png(page.resize((1080, 2340))), Limits(), large=True)
    panel: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
    picture = panel_picture(whole, panel)
    assert picture.large.shape == (round(whole.large.shape[0] / 2), whole.large.shape[1])
    assert picture.grey.shape[0] > whole.grey.shape[0] * 0.7
    assert (picture.width, picture.height) == (1080, 2340)
