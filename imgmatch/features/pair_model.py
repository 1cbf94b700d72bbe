"""One learned rule from figures to a probability: are these two pictures copies of one?

Boosted decision trees (Friedman, Annals of Statistics 2001), fitted by ``tests/bench/train_rule.py`` on edited copies
and on the strangers that look most like copies, some in one template with them, then calibrated (Platt, 1999) on
pictures the trees have not seen. Evaluated here with NumPy alone: 200 small trees over some tens of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imgmatch.features.codebook import F32

F64 = npt.NDArray[np.float64]

PAIR_MODEL_FILE = Path(__file__).parent / "data" / "stored_pair_model.npz"
"""The model for stored pictures; pair scores on record say which one gave them."""

DEPTH = 6
"""No tree is deeper."""


@dataclass(frozen=True, slots=True)
class PairModel:
    """The fitted numbers.

    feature, left, right: (trees, nodes) int16; a leaf leads to itself. threshold: (trees, nodes) float32, rows with a
    figure up to it go left. missing_left: (trees, nodes) bool, where NaN goes. value: (trees, nodes) float32, log odds.
    base: log odds before the first tree. calibration: (2,) slope and shift applied to the log odds. accept: score from
    which a pair is called copies. accept_among: (k, 2) float64, the same where so few pictures are compared with each
    other: their greatest number, ascending, and the score; see `accepts_among`.
    """

    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int16]
    right: npt.NDArray[np.int16]
    missing_left: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float32]
    base: float
    calibration: F64
    accept: float
    accept_among: F64 = field(default_factory=lambda: np.zeros((0, 2)))

    @classmethod
    def load(cls, path: Path) -> PairModel:
        """Read an .npz written by `save`."""
        with np.load(path, allow_pickle=False) as data:
            arrays = {one.name: data[one.name] for one in fields(cls)}
        return cls(**arrays | {name: float(arrays[name]) for name in ("base", "accept")})

    def save(self, path: Path) -> None:
        """Write an .npz."""
        arrays: dict[str, Any] = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}
        np.savez_compressed(path, **arrays)

    def log_odds(self, rows: F32) -> F64:
        """(n, figures) float32 to (n,) float64 log odds, before calibration."""
        trees = np.arange(len(self.feature))
        node = np.zeros((len(rows), len(trees)), np.intp)
        each = np.arange(len(rows))[:, None]
        for _ in range(DEPTH):
            figure = rows[each, self.feature[trees, node]]
            to_left = np.where(np.isnan(figure), self.missing_left[trees, node], figure <= self.threshold[trees, node])
            node = np.where(to_left, self.left[trees, node], self.right[trees, node])
        # Made float64 first: a sum that converts goes by blocks of 8,192, so that a row's depends on its place.
        return np.asarray(self.base + self.value[trees, node].astype(np.float64).sum(1), np.float64)

    def accepts_among(self, pictures: int) -> float:
        """Score from which a pair is called copies where so many pictures are compared with each other.

        With the pictures grow the chances that two strangers look like copies: what is enough among a hundred would tie
        strangers in every night over millions.
        """
        return next((score for most, score in self.accept_among.tolist() if pictures <= most), self.accept)

    def scores(self, rows: F32) -> F64:
        """(n, figures) float32 to (n,) float64: the probability that each pair are copies of one picture."""
        return self.probabilities(self.log_odds(rows))

    def probabilities(self, log_odds: F64) -> F64:
        """(n,) log odds as `log_odds` gives them to the probabilities they stand for."""
        slope, shift = self.calibration
        return _probability(slope * log_odds + shift)


def _probability(log_odds: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -40, 40))), np.float64)


@cache
def shipped() -> PairModel:
    """The model that comes with the package."""
    return PairModel.load(Path(__file__).parent / "data" / "pair_model.npz")


@cache
def shipped_for_pairs() -> PairModel:
    """The model that comes with the package for stored pictures compared with stored pictures, as runs do.

    Fitted by ``tests/bench/train_ties.py``; far stricter, because a run looks at every picture of an index.
    """
    return PairModel.load(PAIR_MODEL_FILE)
