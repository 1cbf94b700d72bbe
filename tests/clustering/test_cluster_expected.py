"""How many ties of strangers are to be expected, and the score from which so many are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from imgmatch.clustering.expected import COUNTED, LEAST_SCORE, RATE, ExpectedFalse, expected_of, score_of
from imgmatch.features.pair_model import shipped_for_pairs


def log_odds_of(score: float) -> float:
    slope, shift = shipped_for_pairs().calibration
    return float((math.log(score / (1 - score)) - shift) / slope)


def test_strangers_that_thin_out_at_that_rate_are_foretold() -> None:
    """Of a thousand nights whose strangers thin out so, the number accepted lies in the interval in nine of ten."""
    rng = np.random.default_rng(3)
    within, means = 0, []
    for _ in range(1_000):
        odds = COUNTED[0] + rng.exponential(1 / RATE, rng.poisson(800))
        told = expected_of(int(((odds >= COUNTED[0]) & (odds < COUNTED[1])).sum()), 2.0)
        accepted = int((odds >= 2.0).sum())
        within += told.low <= accepted <= told.high
        means.append((told.ties, accepted))
    assert 880 <= within <= 970
    foretold, accepted_ = np.mean(means, axis=0)
    assert foretold == pytest.approx(accepted_, rel=0.03)


@given(st.integers(0, 3_000), st.floats(-6, 12))
def test_the_interval_is_that_of_a_negative_binomial_distribution(counted: int, least: float) -> None:
    told = expected_of(counted, least)
    share = expected_of(1, least).ties
    low, high = nbinom.ppf([0.05, 0.95], counted + 0.5, 1 / (1 + share))
    assert told.low == pytest.approx(low, abs=1)  # where the sum is 0.05 but for rounding
    assert told.high == pytest.approx(high, abs=1)
    assert told.ties == pytest.approx(counted * share)


def test_below_what_is_counted_as_many_are_expected_as_at_its_end() -> None:
    """How many strangers there are farther down is not known."""
    assert expected_of(10, -math.inf) == expected_of(10, COUNTED[0])


def test_where_nothing_was_counted_none_are_expected_but_there_may_be_some() -> None:
    """Where no stranger looks like a copy none is expected; low scores could let one in all the same."""
    assert expected_of(0, 5.0) == ExpectedFalse(0.0, 0, 0)
    assert expected_of(0, -2.0).high > 0


@given(st.integers(0, 10**7), st.floats(0.01, 1_000))
def test_at_the_score_chosen_no_more_are_expected_than_wanted(counted: int, most: float) -> None:
    score = score_of(counted, most)
    assert LEAST_SCORE <= score < 1
    assert expected_of(counted, log_odds_of(score)).ties <= most * 1.001


@pytest.mark.parametrize("most", [5e-324, 1e308])
def test_there_is_a_score_for_the_least_and_the_greatest_number(most: float) -> None:
    assert score_of(1_000, most) == (1 if most < 1 else LEAST_SCORE)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.01, 1_000))
def test_more_strangers_take_a_higher_score(one: int, other: int, most: float) -> None:
    assert score_of(min(one, other), most) <= score_of(max(one, other), most)


def test_a_few_strangers_more_do_not_change_the_score() -> None:
    """Else each night would make all groups anew."""
    assert len({score_of(counted, 1) for counted in range(1_000, 1_050)}) <= 2
