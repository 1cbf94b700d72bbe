from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.formats.overlay import Affine, affine

if TYPE_CHECKING:
    from imgmatch.model import Outline

SQUARE: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
NUMBER = st.floats(-3, 3, allow_nan=False)


def taken(by: Affine, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = by
    return a * x + c * y + e, b * x + d * y + f


def test_a_mirrored_crop_lies_where_it_was_cut_out() -> None:
    found = affine(pages.QUERY_CORNERS, pages.STORED_CORNERS, (pages.CROP, pages.CROP), pages.SIZE)
    scale = pages.SIDE / pages.CROP
    assert found == pytest.approx((-scale, 0, 0, scale, pages.LEFT + pages.SIDE, pages.TOP), abs=1e-9)


@given(st.tuples(*[NUMBER] * 6), st.integers(3, 8), st.integers(1, 900), st.integers(1, 900))
def test_any_map_is_found_again_from_the_corners_it_moved(by: Affine, corners: int, width: int, height: int) -> None:
    a, b, c, d, _, _ = by
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    query = tuple((0.5 + 0.4 * math.cos(turn), 0.5 + 0.4 * math.sin(turn)) for turn in turns)
    moved = tuple(taken(by, x, y) for x, y in query)
    found = affine(query, moved, (1, 1), (1, 1))
    if found is None:
        assert abs(a * d - b * c) < 0.05
        return
    assert found == pytest.approx(by, abs=1e-6)
    scaled = affine(query, moved, (width, height), (height, width))
    if scaled is not None:  # a map so flat in these pixels that nothing could be seen
        for (x, y), (u, v) in zip(query, moved, strict=True):
            assert taken(scaled, x * width, y * height) == pytest.approx((u * height, v * width), abs=1e-3)


def test_corners_that_do_not_fit_are_met_as_well_as_can_be() -> None:
    pushed = ((0.1, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    found = affine(SQUARE, pushed, (100, 100), (100, 100))
    assert found is not None
    left = [math.dist(taken(found, 100 * x, 100 * y), (100 * u, 100 * v)) for (x, y), (u, v) in zip(SQUARE, pushed)]  # noqa: B905
    assert left == pytest.approx([2.5] * 4)


@pytest.mark.parametrize(
    ("query", "stored"),
    [
        (SQUARE[:2], SQUARE[:2]),
        (SQUARE, SQUARE[:3]),
        (((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), SQUARE[:3]),
        (SQUARE[:3], ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0))),
        (((0.5, 0.5),) * 3, SQUARE[:3]),
        (((0.0, math.nan), *SQUARE[1:]), SQUARE),
        (SQUARE, ((0.0, math.inf), *SQUARE[1:])),
        (SQUARE, (SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3])),
        ((), ()),
    ],
)
def test_corners_that_fix_no_map_give_none(query: Outline, stored: Outline) -> None:
    assert affine(query, stored, (100, 100), (100, 100)) is None
