from __future__ import annotations

import numpy as np
from drawn import noise, placed
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.hashers.turns import oriented
from imgmatch.model import ORIENTATIONS


@given(which=st.integers(0, 7), height=st.integers(1, 12), width=st.integers(1, 12))
def test_each_way_back_undoes_its_orientation(which: int, height: int, width: int) -> None:
    upright = noise(0, height, width)
    assert np.array_equal(oriented(placed(upright, ORIENTATIONS[which]))[which], upright)


def test_no_two_ways_back_give_the_same_picture() -> None:
    views = oriented(noise(0, 5, 5))
    assert len({view.tobytes() for view in views}) == len(ORIENTATIONS)


def test_the_first_way_back_leaves_the_picture_as_it_is() -> None:
    picture = noise(1, 3, 5)
    assert np.array_equal(oriented(picture)[0], picture)


def test_a_stack_of_pictures_is_turned_picture_by_picture() -> None:
    stack = np.stack([noise(seed, 3, 5) for seed in range(4)])
    for whole, *single in zip(oriented(stack), *(oriented(picture) for picture in stack), strict=True):
        assert np.array_equal(whole, np.stack(single))
