"""How many ties of strangers a run is to be expected to have made, told by those that it has just refused.

A score is the probability that one pair is of copies where copies are as frequent as among the pairs the rule was
fitted to; a run compares many more strangers with each other, and how many look alike hangs on what its photos are of.
But strangers thin out evenly towards higher scores, at the same rate in a template and out of it, so that those who lie
well below what is accepted, where copies are few, tell how many lie above it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgmatch.catalog.pair_scores import count_pair_scores
from imgmatch.features import pair_model

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session

RATE = 0.59
"""For each of log odds more there are exp(-RATE) times as many strangers: of 14,039 pairs of photos and edited copies
out of sample 3,150 have -5 or more, 520 -2, 109 1 and 16 4; of 10,468 in one template 644, 126, 22 and 4
(``tests/bench/train_ties.py``)."""

COUNTED = (-5.0, -2.0)
"""Log odds between which pairs are counted. One in sixteen there is of copies, where a third of all pairs are; below,
there are fewer strangers than this rate says, for what shares less is not looked at."""

_SEEN = 1 - math.exp(-RATE * (COUNTED[1] - COUNTED[0]))
"""Of all strangers from the lower end on those that lie between the two."""

_BETWEEN = 0.05, 0.95
"""Shares of the distribution between which the interval lies."""

_CAUTION = 0.5
"""Is added to what was counted (Jeffreys' prior of a Poisson rate): where none was seen there may be some."""

LEAST_SCORE = 0.5
"""No pair is taken for copies that is more likely none, however few strangers there are."""

_STEP = 0.25
"""Log odds chosen are a multiple of these, so that one photo more does not make all groups anew."""


class ExpectedFalse(NamedTuple):
    """Ties of strangers: how many on average, and how many at the least and the most in nine runs of ten."""

    ties: float
    low: int
    high: int


def expected_false(session: Session, least: float) -> ExpectedFalse:
    """Pairs of strangers among those with log odds of ``least`` or more, of all that were judged."""
    if math.isinf(least) and least > 0:
        return ExpectedFalse(0.0, 0, 0)
    return expected_of(count_pair_scores(session, *COUNTED), least)


def expected_of(counted: int, least: float) -> ExpectedFalse:
    """The same, where so many were counted.

    What is counted and what is expected are both of a Poisson distribution, so that the interval is that of a negative
    binomial one.
    """
    share = _share_from(least)
    low, high = (_quantile(one, counted + _CAUTION, 1 / (1 + share)) for one in _BETWEEN)
    return ExpectedFalse(counted * share, low, high)


def score_for(session: Session, most: float) -> float:
    """The score from which no more than ``most`` ties of strangers are to be expected, 0..1; `LEAST_SCORE` or more.

    Args:
        session: the catalog.
        most: above 0.
    """
    return score_of(count_pair_scores(session, *COUNTED), most)


def score_of(counted: int, most: float) -> float:
    """The same, where so many were counted."""
    log_odds = log_odds_for(counted + _CAUTION, most)
    rounded = np.array([_STEP * math.ceil(log_odds / _STEP)])
    return max(float(pair_model.shipped_for_pairs().probabilities(rounded)[0]), LEAST_SCORE)


def log_odds_for(counted: float, most: float) -> float:
    """The log odds from which ``most`` ties of strangers are to be expected where so many were counted."""
    return COUNTED[0] + (math.log(counted) - math.log(most) - math.log(_SEEN)) / RATE


def _share_from(least: float) -> float:
    """Strangers from these log odds on, for each that was counted."""
    return math.exp(-RATE * (max(least, COUNTED[0]) - COUNTED[0])) / _SEEN


def _quantile(share: float, successes: float, probability: float) -> int:
    """The least number of failures before so many successes that is as many or more with probability ``share``."""
    log_failing = math.log1p(-probability)
    begin = successes * math.log(probability) - math.lgamma(successes)
    total, number = 0.0, -1
    while total < share:
        number += 1
        total += math.exp(begin + math.lgamma(successes + number) - math.lgamma(number + 1) + number * log_failing)
    return number
