"""Train the rule that ties stored pictures: ``python tests/bench/train_ties.py OUT.npz``, a quarter of an hour.

A night asks an index about its own pictures. A query is then what the catalog keeps: some hundred points, their
descriptors as the codebook gives them back, and the thumbnail; only of larger pictures the file is read again. Both
sides may be edited, so strangers share what editing adds: the interface of a screenshot, a sticker, the frame of a
meme. Here stored photos and edited copies of some of them lie in one index and are asked about each other. A pair is a
copy if both come from one photo.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import say
from edited_copies import PLAIN, Asked, drawn, drawn_with_fillers
from edits import EDITS, TEMPLATES, WORDS_ONLY, edit_of
from numpy.typing import NDArray
from pairs import HASHER, LEAST_VOTES, in_processes, split
from train_rule import DRAWN_TWICE, EDITS_DRAWN, NAMES, arrays_of, fitted, is_clear, line_of, name_of, twins_of

from imgmatch import registry
from imgmatch.clustering.expected import COUNTED, log_odds_for
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.engines.ivf import IvfEngine
from imgmatch.features.pair_model import PairModel
from imgmatch.features.verify import Query
from imgmatch.imaging.limits import Limits
from imgmatch.matching.evidence import turned_back
from imgmatch.matching.stored_pairs import stored_features
from imgmatch.matching.verification import MOST_CANDIDATES, known_picture
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgmatch.features.codebook import U8
    from imgmatch.features.extract import Features

SEED = 47
COPIED, COPIES = 1_000, 6
"""Photos that are copied, and how often."""

STRIDE = 13
"""So far apart are the edits of one photo in the list of all. No two show one interface, which would be laid upon
itself, and teach that this makes a copy."""

ORIGINALS = 2_000
"""Photos that are asked about as they are."""

TEMPLATED, TEMPLATED_WEIGHS = 24, 0.3
"""Photos in each template, and how much strangers in one weigh: there are more of them here than in any night."""

NEAR = 36
"""Bits up to which a night lays pictures over each other because of their fingerprints, whatever their points say."""

UPRIGHT = 0.5
"""Of the strangers laid so beside all others, one of each picture, those that are not turned. Nature has few of them:
by near fingerprints alone no picture is to be taken for a copy."""

LARGE = 640
"""Pixels of the longer side above which the file is read again."""

FOLDS = 5
LEAST_HARD, LEAST_SHARE, HARD = 8, 0.6, 30.0
"""Points, or share of the pictures that agrees, from which a stranger looks like a copy; and what it then weighs."""

ALLOWED = 7
"""Pairs of photos that are to be expected among those tied though they are not one, each in however many edits:
trousers on the same floor boards, press shots of one moment. A night over 60,000 pictures meets a hundred times as many
pairs. Told by those that lie lower, as a run tells it of an index: where the last few lie is chance."""

FEW = (256,)
"""Up to so many pictures more is accepted: so much that one of them may be tied to a stranger, if they were as hard.
Among 64 that would be 0.60, at which three people under the same twelve stickers were tied."""

ALLOWED_IN_TEMPLATES = 0.001
"""Share of the pairs of strangers in one template that may be."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What an index keeps of a photo or copy; `fillers` are the other pictures it shows."""

    asked: Asked
    fillers: frozenset[Path]
    record: bytes
    thumbnail: bytes
    bits: bytes
    side: int

    @property
    def photo(self) -> str:
        """The photo it comes from."""
        return name_of(self.asked.path)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a stored picture lies in one that was asked about; both by their rows.

    Some strangers are made up: as if their fingerprints were near.
    """

    query: int
    row: int
    figures: NDArray[np.float32]
    made_up: bool = False


def asked_of(kept: Sequence[Path]) -> list[Asked]:
    """All photos as they are, then the copies, every edit as often as any other."""
    rng = random.Random(SEED)
    copies = [
        Asked(path, name, rng.choice(edit_of(name).strengths), rng.randrange(10**6))
        for number, path in enumerate(rng.sample(list(kept), COPIED))
        for copy in range(COPIES)
        for name in (EDITS_DRAWN[(number * COPIES + copy) * STRIDE % len(EDITS_DRAWN)],)
    ]
    templated = [
        Asked(path, name, rng.choice(edit.strengths), rng.randrange(10**6))
        for name, edit in TEMPLATES.items()
        for path in rng.sample(list(kept), TEMPLATED)
    ]
    return [Asked(path, PLAIN, 1, 0) for path in kept] + copies + templated


def describing(others: Sequence[Path]) -> Callable[[Asked], Picture | None]:
    """What makes a picture of a photo or copy; ``None`` where it cannot be used."""
    describer = Describer(Settings(limits=Limits()))

    def describe(asked: Asked) -> Picture | None:
        data, fillers = drawn_with_fillers(asked, others)
        reply = describer.describe(Job(data))
        if not isinstance(reply, Description) or reply.first.stored is None:
            return None
        side = max(reply.width, reply.height)
        return Picture(
            asked,
            fillers,
            reply.first.stored.record,
            reply.first.stored.thumbnail,
            reply.first.fingerprints[HASHER],
            side,
        )

    return describe


class Night:
    """Asks an index about its own pictures."""

    def __init__(self, pictures: Sequence[Picture], others: Sequence[Path]) -> None:
        self._pictures = pictures
        self._others = others
        self._codebook = registry.codebook(registry.DEFAULT_CODEBOOK)
        self._known = [known_picture(one.record, one.thumbnail, self._codebook) for one in pictures]
        self._bits = np.frombuffer(b"".join(one.bits for one in pictures), np.uint8).reshape(len(pictures), -1)
        self._turned = registry.hasher(HASHER).estimated_orientations(self._bits)
        records = [(row, one.features) for row, one in enumerate(self._known)]
        self._engine = IvfEngine.empty(self._codebook).appended(records, len(records))
        self._describer = Describer(Settings(limits=Limits()))

    def ask(self, row: int) -> list[Way]:
        """All ways in which other pictures lie in this one."""
        picture, features = self._asked(row)
        query, ways = Query(picture, features), list[Way]()
        for one in self._engine.search([features], MOST_CANDIDATES, LEAST_VOTES)[0]:
            if one.row != row:
                apart = float(np.bitwise_count(self._turned[:, row] ^ self._bits[one.row]).sum(1).min())
                ways += self._ways(query, row, one.row, apart, mirrored=one.mirrored)
        rng = random.Random(f"{SEED} {row}")
        stranger = rng.randrange(len(self._pictures))
        if self._pictures[stranger].photo != self._pictures[row].photo:
            turn = ORIENTATIONS[0] if rng.random() < UPRIGHT else rng.choice(ORIENTATIONS)
            apart, back = float(rng.randint(0, NEAR)), turned_back(turn)
            laid = self._ways(query, row, stranger, apart, mirrored=turn.mirrored, rotation=back)
            ways += [replace(way, made_up=True) for way in laid]
        return ways

    def _ways(
        self, query: Query, row: int, other: int, apart: float, *, mirrored: bool, rotation: int | None = None
    ) -> list[Way]:
        known = self._known[other]
        placed = query.placed(known, self._codebook, mirrored=mirrored, apart=apart, rotation=rotation)
        return [Way(row, other, way.figures.row()) for way in query.compared(placed)]

    def _asked(self, row: int) -> tuple[U8, Features]:
        if self._pictures[row].side > LARGE:
            reply = self._describer.describe(Job(drawn(self._pictures[row].asked, self._others), query=True))
            if isinstance(reply, Description) and reply.first.asked is not None:
                return reply.first.asked.picture, reply.first.asked.features
        known = self._known[row]
        if known.thumbnail is None:
            raise ValueError("a picture without its thumbnail cannot be asked about")
        return known.thumbnail, stored_features(self._pictures[row].record, registry.DEFAULT_CODEBOOK)


class Ties:
    """Rows of figures, whether they are copies, and of which two pictures.

    pictures: (n, 2) rows, of the one asked about and the other. photos: (n, 2) what they come from. tie: (n,) which of
    `ties`, pairs of pictures whichever was asked about; `strange` says which of those are no copies, `templated` which
    of these are in one template, `photo_pair` from which two photos they are.
    """

    def __init__(self, pictures: Sequence[Picture], ways: Sequence[Way], twins: set[frozenset[str]]) -> None:
        self.every = pictures
        kept = [way for way in ways if _is_clear(pictures[way.query], pictures[way.row], twins)]
        self.figures = np.stack([way.figures for way in kept])
        self.pictures = np.array([(way.query, way.row) for way in kept])
        photo = np.unique([one.photo for one in pictures], return_inverse=True)[1]
        self.photos = photo[self.pictures]
        self.copy = self.photos[:, 0] == self.photos[:, 1]
        self.made_up = np.array([way.made_up for way in kept])
        self.ties, tie = np.unique(np.sort(self.pictures, axis=1), axis=0, return_inverse=True)
        self.tie = tie.ravel()
        self.photo_pair = np.unique(np.sort(photo[self.ties], axis=1), axis=0, return_inverse=True)[1].ravel()
        self.strange = photo[self.ties[:, 0]] != photo[self.ties[:, 1]]
        edit = np.array([one.asked.edit for one in pictures])[self.ties]
        self.templated = self.strange & (edit[:, 0] == edit[:, 1]) & np.isin(edit[:, 0], list(TEMPLATES))

    def best(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest log odds of each tie, by what is not made up."""
        best = np.full(len(self.ties), -np.inf)
        np.maximum.at(best, self.tie[~self.made_up], odds[~self.made_up])
        return best

    def strangers(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest log odds of each two photos that are strangers and in no template together, highest first."""
        chosen = self.strange & ~self.templated
        best = np.full(int(self.photo_pair.max()) + 1, -np.inf)
        np.maximum.at(best, self.photo_pair[chosen], self.best(odds)[chosen])
        return np.sort(best[np.unique(self.photo_pair[chosen])])[::-1]


def _is_clear(one: Picture, other: Picture, twins: set[frozenset[str]]) -> bool:
    """Not so for strangers that are twins or show one filler, which do share a picture; see also ``is_clear``."""
    if not is_clear(one.asked, other.asked, twins):
        return False
    if one.photo == other.photo:
        return True
    return not one.fillers & other.fillers


def collected() -> Ties:
    """Draw, describe, index and ask."""
    kept, left_out = split()
    others = [path for path in left_out if path.parent.parent.name != "same-person"]
    found = in_processes(describing(others), asked_of(kept), "pictures")
    pictures = [one for one in found if one is not None]
    originals = [row for row, one in enumerate(pictures) if one.asked.edit == PLAIN]
    rows = random.Random(SEED).sample(originals, ORIGINALS)
    rows += [row for row, one in enumerate(pictures) if one.asked.edit != PLAIN]
    ways = in_processes(Night(pictures, others).ask, rows, "queries")
    return Ties(pictures, [way for some in ways for way in some], twins_of(Path(__file__).parent / "twins.txt"))


def weights_of(ties: Ties) -> NDArray[np.float64]:
    """Strangers that share an interface or a frame look most like copies: they weigh more.

    Edits that are drawn twice weigh half.
    """
    points, share = ties.figures[:, NAMES.index("points")], ties.figures[:, NAMES.index("share")]
    hard = (points >= LEAST_HARD) | (share >= LEAST_SHARE)
    twice = np.array([one.asked.edit in DRAWN_TWICE for one in ties.every])[ties.pictures].any(1)
    strange = np.where(hard, HARD, 1.0) * np.where(ties.templated[ties.tie], TEMPLATED_WEIGHS, 1)
    return np.where(ties.copy, np.where(twice, 0.5, 1.0), strange)


def out_of_sample(ties: Ties, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds of every way from trees that saw no pair with either of its photos."""
    odds = np.full(len(ties.copy), np.nan)
    fold = np.sort(ties.photos % FOLDS, axis=1)
    for one in range(FOLDS):
        for other in range(one, FOLDS):
            held = (fold == (one, other)).all(1)
            seen = ~np.isin(fold, (one, other)).any(1)
            trees = fitted(ties.figures[seen], ties.copy[seen], weights[seen], one)
            odds[held] = trees.decision_function(ties.figures[held])
    return odds


class Recall:
    """Of every copy the highest log odds of a way in which its original lies in it, and of any tie to its photo."""

    def __init__(self, ties: Ties, odds: NDArray[np.float64]) -> None:
        edits = np.array([one.asked.edit for one in ties.every])
        original, tied = np.full((2, len(edits)), -np.inf)
        query, row = ties.pictures.T
        to_original = ties.copy & (edits[row] == PLAIN)
        np.maximum.at(original, query[to_original], odds[to_original])
        for side in (query, row):
            np.maximum.at(tied, side[ties.copy], odds[ties.copy])
        copies = (edits != PLAIN) & ~np.isin(edits, list(WORDS_ONLY))
        self.edit, self.original, self.tied = edits[copies], original[copies], tied[copies]

    def percent(self, threshold: float, edit: str | None = None) -> tuple[float, float]:
        """Copies whose original is found, and those that are tied to any picture of their photo."""
        chosen = slice(None) if edit is None else self.edit == edit
        original, tied = (100 * float((best[chosen] >= threshold).mean()) for best in (self.original, self.tied))
        return round(original, 2), round(tied, 2)


def thresholds_of(down: NDArray[np.float64]) -> dict[int, float]:
    """The lowest log odds at which so many ties of strangers are accepted, whose log odds are given, highest first."""
    return {count: float(np.nextafter(down[count], np.inf)) for count in (0, 1, 2, 3, 8, 10, 20, 50, 100, 200)}


def allowed(down: NDArray[np.float64]) -> float:
    """The log odds from which `ALLOWED` pairs of photos are to be expected, whose log odds are given."""
    low, high = COUNTED
    return log_odds_for(int(((down >= low) & (down < high)).sum()), ALLOWED)


def accepted_among(down: NDArray[np.float64], asked: int, most: float) -> list[tuple[int, float]]:
    """For each of `FEW` the log odds at which one of so many pictures is tied to a stranger; no more than `most`."""
    return [(few, min(most, float(np.nextafter(down[asked // few], np.inf)))) for few in FEW]


def print_recall(recall: Recall, thresholds: dict[int, float], accepted: float) -> None:
    """Recall against strangers, then what is lost edit by edit where the rule accepts."""
    print("log odds  original %  any tie %  strangers")
    for count, threshold in thresholds.items():
        original, tied = recall.percent(threshold)
        print(f"{threshold:8.3f}  {original:10.2f}  {tied:9.2f}  {count:9d}")
    print("\noriginal %  any tie %  edit")
    for original, tied, edit in sorted((*recall.percent(accepted, edit), edit) for edit in EDITS):
        print(f"{original:10.1f}  {tied:9.1f}  {edit}")


def fit(ties: Ties, out: Path) -> dict[str, Any]:
    """Fit and write the rule; returns what is known of it out of sample."""
    say(f"{len(ties.copy):,} ways, {int(ties.copy.sum()):,} of them of copies")
    weights = weights_of(ties)
    odds = out_of_sample(ties, weights)
    slope, shift = calibration = line_of(odds, ties.copy)
    best = ties.best(odds)
    recall, strangers = Recall(ties, odds), ties.strangers(odds)
    thresholds = thresholds_of(strangers)
    in_templates = np.sort(best[ties.templated])[::-1]
    accepted = max(allowed(strangers), float(in_templates[int(len(in_templates) * ALLOWED_IN_TEMPLATES)]) + 1e-6)
    print_recall(recall, thresholds, accepted)
    accept = float(np.ceil(1e4 / (1 + np.exp(-(slope * accepted + shift))))) / 1e4
    few = accepted_among(strangers, len(np.unique(ties.pictures[:, 0])), accepted)
    accept_among = np.array([(most, 1 / (1 + np.exp(-(slope * log_odds + shift)))) for most, log_odds in few])
    trees = fitted(ties.figures, ties.copy, weights, SEED)
    PairModel(**arrays_of(trees), calibration=calibration, accept=accept, accept_among=accept_among.round(4)).save(out)
    again = PairModel.load(out).log_odds(ties.figures)
    return {
        "pictures": len(ties.every),
        "copies": len(recall.edit),
        "ways": len(ties.copy),
        "ways_of_copies": int(ties.copy.sum()),
        "ties_of_copies": int((~ties.strange).sum()),
        "ties_of_strangers": int(ties.strange.sum()),
        "ties_of_strangers_in_one_template": int(ties.templated.sum()),
        "of_these_accepted": int((in_templates >= accepted).sum()),
        "strangers_made_near": int(ties.made_up.sum()),
        "of_these_so_many_are_accepted": int((odds[ties.made_up] >= accepted).sum()),
        "log_odds_at_which_so_many_of_these_are": {
            count: round(float(in_templates[count]), 3) for count in (0, 1, 3, 10, 30, 100)
        },
        "log_odds_accepted": round(accepted, 4),
        "strangers_accepted": int((strangers >= accepted).sum()),
        "accept": accept,
        "accept_among": accept_among.round(4).tolist(),
        "found_percent_among": {few: recall.percent(log_odds) for few, log_odds in few},
        "calibration": calibration.tolist(),
        "found_percent": recall.percent(accepted),
        "framed_found_percent": {name: recall.percent(accepted, name) for name in TEMPLATES if name not in WORDS_ONLY},
        "worst_difference_to_scikit_learn": float(np.abs(again - trees.decision_function(ties.figures)).max()),
    }


if __name__ == "__main__":
    print(json.dumps(fit(collected(), Path(sys.argv[1]))))
