"""Train the rule that judges pairs: ``python tests/bench/train_rule.py OUT.npz PLOT.svg``, a quarter of an hour.

Pairs are those of ``pairs.py``; strangers in one template are told from copies by the same rule, and counted apart.
What is reported and calibrated is out of sample twice over: a pair is scored by trees that have seen neither its photos
nor its family of edits, or its template. The rule that ships was fitted to pairs drawn this way.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from common import PHOTOS, say
from edited_copies import PLAIN, Asked
from edits import EDITS, TEMPLATES, WORDS_ONLY, edit_of
from matplotlib.figure import Figure
from pairs import NEAR, Found, Shelf, ask_all, shelf_of, split
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from imgmatch.features.pair_model import DEPTH, PairModel
from imgmatch.features.verify import ALIKE, PairFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 31
COPIES, STRANGERS = 6_200, 3_200
"""Queries that are edited copies of stored photos, and of photos left out."""

VARIED = {"covered", "overlaid", "redrawn", "sticker"}
"""Families of edits that hide much of the picture or draw it anew, in more ways than one drawing of each shows."""

DRAWN_TWICE = [name for name, edit in EDITS.items() if edit.family in VARIED]
EDITS_DRAWN = [*EDITS, *DRAWN_TWICE]
"""Every edit as often as any other, and those twice, for half the weight."""

FRAMED, SAME_FRAME, SAME_TEMPLATE = 14, 4, 20
"""For each template: stored photos in it, pictures of it that are stored and come again in it, and photos left out."""

ON_SHELF = 10
"""Pictures of each template that are stored."""

FOLDS = 4
TREES, LEAVES, RATE = 200, 20, 0.08
BARE = 0.3
"""Share of the pairs that are also shown without what a thumbnail tells."""

LEAST_HARD = 10
"""Points from which a stranger looks like a copy."""

TEMPLATED = 0.3
"""How much strangers in a template weigh: there are more of them here than anywhere."""

NAMES = [field.name for field in fields(PairFeatures)]

ACCEPT = 0.7
"""Score from which a candidate is a copy. Trees that know neither the photo nor the family of edits
gave more to 10 of 3,200 photos that are not stored."""


class Pairs:
    """Rows of figures, whether they are copies, and what they are grouped by; `templated`: which of the queries are."""

    def __init__(self, found: list[Found], shelf: Shelf, twins: set[frozenset[str]]) -> None:
        self.found = [one for one in found if one.usable]
        rows, copies, queries, photos, families = [], [], [], [], []
        for number, one in enumerate(self.found):
            for row, figures in zip(one.rows, one.figures, strict=True):
                stored = shelf.shown[row]
                if not is_clear(one.asked, stored, twins):
                    continue
                rows.append(figures)
                copies.append(stored.path == one.asked.path)
                queries.append(number)
                photos.append(name_of(one.asked.path))
                families.append(family_of(one.asked.edit))
        self.templated = np.array([one.asked.edit in TEMPLATES for one in self.found])
        self.figures = np.stack(rows)
        self.copy = np.array(copies)
        self.query = np.array(queries)
        self.photo = np.unique(photos, return_inverse=True)[1]
        self.family = np.unique(families, return_inverse=True)[1]


def is_clear(one: Asked, other: Asked, twins: set[frozenset[str]]) -> bool:
    """Not so for twins, and where words on a template stand for a photo that the other picture shows."""
    if one.path == other.path:
        return one.edit == other.edit or not {one.edit, other.edit} & WORDS_ONLY
    return frozenset((name_of(one.path), name_of(other.path))) not in twins


def name_of(path: Path) -> str:
    """A photo's name in the list of twins."""
    return str(path.relative_to(PHOTOS))


def family_of(edit: str) -> str:
    """Left-out photos as they are count as a family."""
    return PLAIN if edit == PLAIN else edit_of(edit).family


def shown(stored: list[Path]) -> list[Asked]:
    """What is stored: the photos as they are, and some of them in templates."""
    rng = random.Random(SEED + 1)
    framed = [Asked(rng.choice(stored), name, 1, number) for name in TEMPLATES for number in range(ON_SHELF)]
    return [Asked(path, PLAIN, 1, 0) for path in stored] + framed


def framed(shelf: Shelf, left_out: list[Path], rng: random.Random) -> list[Asked]:
    """Templates: with photos that are stored as they are, with those stored in it already, and with photos left out."""
    bare = [one.path for one in shelf.shown if one.edit == PLAIN]
    asked = []
    for name in TEMPLATES:
        again = [one.path for one in shelf.shown if one.edit == name]
        paths = [] if name in WORDS_ONLY else rng.sample(bare, FRAMED)
        paths += rng.sample(again, min(SAME_FRAME, len(again))) + rng.sample(left_out, SAME_TEMPLATE)
        asked += [Asked(path, name, rng.choice(TEMPLATES[name].strengths), rng.randrange(10**6)) for path in paths]
    return asked


def queries(shelf: Shelf, left_out: list[Path]) -> list[Asked]:
    """Copies of stored photos by `EDITS_DRAWN`; photos left out, half as they are; then templates."""
    rng = random.Random(SEED)
    names, bare = EDITS_DRAWN, [one.path for one in shelf.shown if one.edit == PLAIN]
    asked = [
        Asked(rng.choice(bare), name, rng.choice(EDITS[name].strengths), number)
        for number in range(COPIES)
        for name in (names[number % len(names)],)
    ]
    people = [path for path in left_out if path.parent.parent.name == "same-person"]
    for number in range(STRANGERS):
        path = rng.choice(people if number % 4 == 0 else left_out)
        name = PLAIN if number % 2 == 0 else rng.choice(names)
        asked.append(Asked(path, name, 1 if name == PLAIN else rng.choice(EDITS[name].strengths), COPIES + number))
    asked += framed(shelf, left_out, rng)
    rng.shuffle(asked)
    return asked


def weights_of(pairs: Pairs) -> NDArray[np.float64]:
    """Few strangers look like copies, and those are what the rule is for: they weigh more.

    Edits that are drawn twice weigh half.
    """
    apart, points = pairs.figures[:, NAMES.index("apart")], pairs.figures[:, NAMES.index("points")]
    strange = np.where(apart <= NEAR, 20.0, np.where(points >= LEAST_HARD, 10.0, 1.0))
    twice = np.array([one.asked.edit in DRAWN_TWICE for one in pairs.found])[pairs.query]
    return np.where(
        pairs.copy, np.where(twice, 0.5, 1.0), strange * np.where(pairs.templated[pairs.query], TEMPLATED, 1.0)
    )


def without_thumbnail(figures: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same pairs where there is no thumbnail to lay a picture over."""
    bare = figures.copy()
    bare[:, [NAMES.index(name) for name in ALIKE]] = np.nan
    return bare


def fitted(
    figures: NDArray[np.float32], copy: NDArray[np.bool_], weights: NDArray[np.float64], seed: int
) -> HistGradientBoostingClassifier:
    """Trees over the pairs, a part of which is shown without its thumbnail as well."""
    rng = np.random.default_rng(seed)
    chosen = rng.random(len(figures)) < BARE
    bare, of_bare = without_thumbnail(figures[chosen]), copy[chosen]
    trees = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=RATE,
        max_depth=DEPTH - 1,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=40,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    trees.fit(
        np.concatenate([figures, bare]),
        np.concatenate([copy, of_bare]),
        np.concatenate([weights, weights[chosen] / 2]),
    )
    return trees


def out_of_sample(pairs: Pairs) -> NDArray[np.float64]:
    """Log odds of every pair from trees that saw neither its query's photo nor its family of edits."""
    odds = np.full(len(pairs.copy), np.nan)
    weights = weights_of(pairs)
    of_photo, of_family = pairs.photo % FOLDS, pairs.family % FOLDS
    for one in range(FOLDS):
        for other in range(FOLDS):
            held = (of_photo == one) & (of_family == other)
            seen = (of_photo != one) & (of_family != other)
            if held.any():
                trees = fitted(pairs.figures[seen], pairs.copy[seen], weights[seen], one)
                odds[held] = trees.decision_function(pairs.figures[held])
    return odds


def best_of(pairs: Pairs, odds: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The highest log odds of each query among the chosen pairs, -inf where there is none."""
    best = np.full(len(pairs.found), -np.inf)
    np.maximum.at(best, pairs.query[chosen], odds[chosen])
    return best


def by_family(pairs: Pairs, scores: NDArray[np.float64], accept: float) -> dict[str, float]:
    """Per cent of copies found, of families that have less than 99."""
    right, of = best_of(pairs, scores, pairs.copy), np.array([family_of(one.asked.edit) for one in pairs.found])
    there = np.array([one.stored for one in pairs.found])
    found = {str(name): 100 * float((right[there & (of == name)] >= accept).mean()) for name in np.unique(of[there])}
    return {name: round(percent, 1) for name, percent in found.items() if percent < 99}


def arrays_of(trees: HistGradientBoostingClassifier) -> dict[str, Any]:
    """The nodes of all trees in the arrays of `PairModel`."""
    nodes: list[Any] = [predictors[0].nodes for predictors in trees._predictors]  # noqa: SLF001 -- scikit-learn shows them nowhere else
    size = max(len(one) for one in nodes)
    arrays: dict[str, Any] = {
        "feature": np.zeros((len(nodes), size), np.int16),
        "threshold": np.zeros((len(nodes), size), np.float32),
        "left": np.tile(np.arange(size, dtype=np.int16), (len(nodes), 1)),
        "right": np.tile(np.arange(size, dtype=np.int16), (len(nodes), 1)),
        "missing_left": np.zeros((len(nodes), size), bool),
        "value": np.zeros((len(nodes), size), np.float32),
    }
    for number, one in enumerate(nodes):
        if one["depth"].max() > DEPTH:
            raise ValueError("a tree is deeper than the rule looks")
        inner = np.flatnonzero(~one["is_leaf"].astype(bool))
        arrays["feature"][number, inner] = one["feature_idx"][inner]
        exact = one["num_threshold"][inner]
        near = exact.astype(np.float32)
        # Rounded down: no float32 may change sides.
        arrays["threshold"][number, inner] = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
        arrays["left"][number, inner] = one["left"][inner]
        arrays["right"][number, inner] = one["right"][inner]
        arrays["missing_left"][number, inner] = one["missing_go_to_left"][inner]
        arrays["value"][number, : len(one)] = one["value"]
    return arrays | {"base": float(trees._baseline_prediction.ravel()[0])}  # noqa: SLF001 -- the same


def line_of(numbers: NDArray[np.float64], copy: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope and shift from a number to the log odds that a pair with it is a copy."""
    line = LogisticRegression(C=1e3).fit(numbers[:, None], copy)
    return np.array([line.coef_[0, 0], line.intercept_[0]])


def reliability(scores: NDArray[np.float64], copy: NDArray[np.bool_], out: Path) -> list[dict[str, float]]:
    """Draw how often a score is right, and return the figures: ten bins of scores between 0.01 and 0.99."""
    edges = np.concatenate([[0.0], np.linspace(0.01, 0.99, 9), [1.0]])
    bins = np.digitize(scores, edges[1:-1])
    rows = [
        {
            "score": round(float(scores[bins == bin_].mean()), 4),
            "copies": round(float(copy[bins == bin_].mean()), 4),
            "pairs": int((bins == bin_).sum()),
        }
        for bin_ in range(len(edges) - 1)
        if (bins == bin_).any()
    ]
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "imgmatch"
    figure = Figure(figsize=(4.2, 4.2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#999", linewidth=1)
    axes.plot([row["score"] for row in rows], [row["copies"] for row in rows], "o-", color="#1f5fa8")
    for row in rows:
        place = (row["score"], row["copies"])
        axes.annotate(f"{row['pairs']:,}", place, fontsize=7, xytext=(4, -9), textcoords="offset points")
    axes.set(xlabel="score given", ylabel="share that were copies", xlim=(-0.02, 1.04), ylim=(-0.04, 1.04))
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})
    return rows


def twins_of(path: Path) -> set[frozenset[str]]:
    """Pairs of files in ../shared/photos that were looked at and are copies of one picture."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {frozenset(line.split()) for line in lines if line and not line.startswith("#")}


def main(out: Path, plot: Path) -> None:
    """Collect, fit, calibrate, set the threshold, write."""
    stored, left_out = split()
    others = [path for path in left_out if path.parent.parent.name != "same-person"]
    shelf = shelf_of(shown(stored), others)
    twins = twins_of(Path(__file__).parent / "twins.txt")
    pairs = Pairs(ask_all(shelf, others, queries(shelf, left_out)), shelf, twins)
    print(json.dumps(fit(pairs, out, plot)))


def fit(pairs: Pairs, out: Path, plot: Path) -> dict[str, Any]:
    """Fit and write the rule; returns what is known of it out of sample."""
    say(f"{len(pairs.copy):,} pairs, {int(pairs.copy.sum()):,} of them copies")
    odds = out_of_sample(pairs)
    calibration = line_of(odds, pairs.copy)
    scores = 1 / (1 + np.exp(-(calibration[0] * odds + calibration[1])))
    templated = pairs.templated
    absent = np.array([not one.stored for one in pairs.found])
    strange, same_template = absent & ~templated, absent & templated
    wrong = best_of(pairs, scores, ~pairs.copy)
    false = np.sort(wrong[strange])[::-1]
    right = best_of(pairs, scores, pairs.copy)
    framed_right, right = right[~absent & templated], right[~absent & ~templated]
    trees = fitted(pairs.figures, pairs.copy, weights_of(pairs), SEED)
    rule = PairModel(**arrays_of(trees), calibration=calibration, accept=ACCEPT)
    rule.save(out)
    again = PairModel.load(out).log_odds(pairs.figures)
    return {
        "pairs": len(pairs.copy),
        "copies": int(pairs.copy.sum()),
        "queries_of_copies": len(right),
        "framed_copies": len(framed_right),
        "framed_found_percent": round(100 * float((framed_right >= rule.accept).mean()), 2),
        "strangers_in_one_template": int(same_template.sum()),
        "of_these_answered": int((wrong[same_template] >= rule.accept).sum()),
        "found_percent_by_family": by_family(pairs, scores, rule.accept),
        "queries_of_strangers": int(strange.sum()),
        "accept": rule.accept,
        "found_percent": round(100 * float((right >= rule.accept).mean()), 2),
        "false_answers": int((false >= rule.accept).sum()),
        "found_percent_at": {str(t): round(100 * float((right >= t).mean()), 2) for t in (0.3, 0.5, 0.7, 0.9, 0.95)},
        "false_answers_at": {str(t): int((false >= t).sum()) for t in (0.3, 0.5, 0.7, 0.9, 0.95)},
        "least_log_odds_without_a_thumbnail_of_an_accepted_copy": least_bare(rule, pairs),
        "worst_difference_to_scikit_learn": float(np.abs(again - trees.decision_function(pairs.figures)).max()),
        "reliability": reliability(scores, pairs.copy, plot),
    }


def least_bare(rule: PairModel, pairs: Pairs) -> float:
    """What `LEAST_BARE` of a check must not exceed: a copy with less would not be looked at."""
    accepted = pairs.copy & (rule.scores(pairs.figures) >= rule.accept)
    return round(float(rule.log_odds(without_thumbnail(pairs.figures[accepted])).min()), 3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
