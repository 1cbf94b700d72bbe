from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.imaging.frames import EQUAL, Look, chosen

SIDE = 16


def grey(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(0, 255, SIDE * SIDE).astype(np.float32)


def looks(*shown: tuple[np.ndarray[tuple[int], np.dtype[np.float32]], float]) -> list[Look]:
    return [Look(frame, shown_ms, thumbnail) for frame, (thumbnail, shown_ms) in enumerate(shown, start=1)]


def frames(found: list[Look], most: int = 8) -> list[int]:
    return [one.frame for one in chosen(found, most)]


def test_the_frame_that_is_shown_longest_comes_first_and_the_others_in_order() -> None:
    assert frames(looks((grey(1), 100), (grey(2), 50), (grey(3), 300), (grey(4), 20))) == [3, 1, 2, 4]


def test_frames_that_look_alike_count_together_also_where_others_stand_between_them() -> None:
    found = chosen(looks((grey(1), 100), (grey(2), 250), (grey(1), 100), (grey(1) * 0.5, 100)), 8)
    assert [(one.frame, one.share) for one in found] == [(1, round(300 / 550, 4)), (2, round(250 / 550, 4))]


def test_frames_in_a_row_that_are_nearly_equal_count_as_one_that_stands_still() -> None:
    moved = grey(1) * 0.9
    found = looks((moved, 150), (grey(1), 100), (np.asarray(grey(1) + EQUAL / 2, np.float32), 100))
    assert frames(found) == [2]


def test_of_a_picture_that_fades_in_evenly_the_clearest_frame_is_taken() -> None:
    assert frames(looks(*((grey(1) * (part / 10), 100.0) for part in range(1, 11)))) == [10]


def test_plain_frames_are_left_out_unless_there_is_nothing_else() -> None:
    black, white = np.zeros(SIDE * SIDE, np.float32), np.full(SIDE * SIDE, 255, np.float32)
    assert frames(looks((black, 9_000), (grey(1), 10), (white, 9_000))) == [2]
    assert frames(looks((black, 10), (white, 20))) == [2]


def test_a_change_by_small_steps_is_no_picture_that_stands_still() -> None:
    steps = [np.asarray(grey(1) * (1 - part / 40) + grey(2) * (part / 40), np.float32) for part in range(41)]
    found = looks(*((step, 100) for step in steps))
    assert len(frames(found)) > 2


def test_where_more_differ_than_are_wanted_those_are_taken_that_all_others_are_nearest_to() -> None:
    groups = [[np.asarray(grey(seed) + grey(100 + seed + n) * 0.35, np.float32) for n in range(5)] for seed in range(8)]
    found = looks(*((one, 100.0) for group in groups for one in group))
    assert {(frame - 1) // 5 for frame in frames(found)} == set(range(8))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 500)), min_size=1, max_size=60), st.integers(1, 8))
def test_no_more_are_taken_than_wanted_none_twice_and_their_shares_are_no_more_than_all(
    shown: list[tuple[int, int]], most: int
) -> None:
    found = chosen(looks(*((grey(seed), float(shown_ms)) for seed, shown_ms in shown)), most)
    assert 1 <= len(found) <= min(most, len({seed for seed, _ in shown}))
    assert len({one.frame for one in found}) == len(found)
    assert sum(one.share for one in found) <= 1.001
    assert found[0].share == max(one.share for one in found)
    assert [one.frame for one in found[1:]] == sorted(one.frame for one in found[1:])
