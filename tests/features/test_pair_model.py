"""The learned rule, whatever it was fitted to."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.features.pair_model import DEPTH, PairModel, shipped, shipped_for_pairs
from imgmatch.features.verify import PairFeatures

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [field.name for field in fields(PairFeatures)]
HIGH = {"points": 100, "distance": 0.8, "error": 0.06, "stretch": 2, "windows": 1, "bits": 1, "apart": 130}

ROWS = st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)).map(
    lambda shares: np.array([share * HIGH.get(name, 1) for share, name in zip(shares, NAMES, strict=True)], np.float32)
)


def slow_log_odds(rule: PairModel, row: np.ndarray) -> float:
    """One tree after the other, one node after the other."""
    total = rule.base
    for tree in range(len(rule.feature)):
        node = 0
        while (rule.left[tree, node], rule.right[tree, node]) != (node, node):
            figure = row[rule.feature[tree, node]]
            goes_left = rule.missing_left[tree, node] if np.isnan(figure) else figure <= rule.threshold[tree, node]
            node = int(rule.left[tree, node] if goes_left else rule.right[tree, node])
        total += float(rule.value[tree, node])
    return total


@given(ROWS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_fast_evaluation_is_that_of_walking_every_tree(row: np.ndarray, bare: bool) -> None:  # noqa: FBT001 -- hypothesis passes it
    if bare:
        row[NAMES.index("share") : NAMES.index("bits") + 1] = np.nan
    assert shipped().log_odds(row[None])[0] == pytest.approx(slow_log_odds(shipped(), row), abs=1e-4)


@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_every_score_is_a_probability(row: np.ndarray) -> None:
    scores = shipped().scores(row[None])
    assert ((scores >= 0) & (scores <= 1)).all()


def test_no_tree_is_deeper_than_the_evaluation_looks() -> None:
    rule = shipped()
    for tree in range(len(rule.feature)):
        level = {0}
        for _ in range(DEPTH):
            level = {int(side[tree, n]) for n in level for side in (rule.left, rule.right)}
        assert all(rule.left[tree, n] == n for n in level)


def test_a_rule_is_read_as_it_was_written() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rule.npz"
        shipped().save(path)
        again = PairModel.load(path)
    for field in fields(PairModel):
        assert np.array_equal(getattr(again, field.name), getattr(shipped(), field.name)), field.name


@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([shipped, shipped_for_pairs]))
@settings(max_examples=20, deadline=None)
def test_log_odds_stand_for_the_probabilities_that_are_the_scores(
    rows: list[np.ndarray], rule: Callable[[], PairModel]
) -> None:
    log_odds = rule().log_odds(np.stack(rows))
    probabilities = rule().probabilities(log_odds)
    assert np.array_equal(probabilities, rule().scores(np.stack(rows)))
    assert np.array_equal(np.argsort(log_odds, kind="stable"), np.argsort(probabilities, kind="stable"))


def test_no_log_odds_stand_for_no_probabilities() -> None:
    assert shipped_for_pairs().probabilities(np.empty(0)).shape == (0,)


def test_the_rule_for_stored_pictures_is_another() -> None:
    rule = shipped_for_pairs()
    assert rule is shipped_for_pairs()
    assert not np.array_equal(rule.value, shipped().value)
    assert 0 < rule.accept < 1


def test_the_more_pictures_are_compared_the_more_is_asked_of_a_pair() -> None:
    rule = shipped_for_pairs()
    asked = [rule.accepts_among(pictures) for pictures in (2, 256, 257, 10**9)]
    assert asked == sorted(asked)
    assert asked[0] == asked[1] < asked[2]
    assert asked[-1] == asked[-2] == rule.accept
    assert shipped().accepts_among(2) == shipped().accept
