"""Pairs of stored pictures: what the catalog keeps of two of them is compared and judged.

A run asks for every new picture what a check asks for a photo, but from the catalog alone: its hundred stored points
are the query, its thumbnail the picture. Nothing is decoded but pictures so large that they may show another one as a
small part of them (a screenshot, a collage), of which a hundred points are too few: those are read again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch import registry
from imgmatch.catalog.features import FeatureRow
from imgmatch.catalog.pair_scores import PairScore
from imgmatch.features import pair_model as rules
from imgmatch.features.describe import UNIT
from imgmatch.features.extract import Features
from imgmatch.features.record import opened_thumbnail, unpacked
from imgmatch.features.verify import Query
from imgmatch.matching.evidence import apart
from imgmatch.matching.verification import best_ways, known_picture
from imgmatch.model import outline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgmatch.describing.messages import QueryFeatures
    from imgmatch.features.pair_model import PairModel
    from imgmatch.features.verify import Verified
    from imgmatch.model import Outline

LEAST_AGREEING = 6
"""Distinct points that must agree before two pictures are compared. With fewer the model takes one pair of
copies in four hundred; half of all strangers that would be compared are spared."""

NOWHERE = -40.0
"""Log odds of a pair of which neither lies in the other: as far down as a score goes."""

LEAST_OUTLINED = 0.0
"""Log odds from which the outlines of the shared part are kept: most judged pairs are strangers, that share none."""

NO_PICTURE = np.zeros((1, 1), np.uint8)
"""Stands for that of a stored picture of which none is kept: this very array, not one like it."""


@dataclass(frozen=True)
class StoredQuery:
    """A stored picture that others are looked up for.

    Attributes:
        row: row id of its features.
        features: what is searched for.
        picture: shape (height, width), dtype uint8: what others are compared with.
        turned: its fingerprint in all orientations, shape (8, 32), dtype uint8.
        again: it was read again, so that more is known of it than the catalog keeps.
    """

    row: int
    features: Features
    picture: NDArray[np.uint8]
    turned: NDArray[np.uint8]
    again: bool = False

    @cached_property
    def query(self) -> Query:
        """The same, ready to be verified."""
        return Query(self.picture, self.features)


@dataclass(frozen=True, slots=True)
class PairCandidate:
    """A stored picture that may lie in one that is asked about.

    Attributes:
        row: row id of its features.
        known: these.
        bits: its fingerprint, 32 bytes.
        mirrored: whether it may lie in the mirrored one.
        rotation: degrees clockwise by which that is turned to lie on it frame on frame; ``None``: not tried.
        negative: whether it may lie in its negative.
    """

    row: int
    known: FeatureRow
    bits: bytes
    mirrored: bool
    rotation: int | None = None
    negative: bool = False


def stored_features(record: bytes, codebook: str) -> Features:
    """A record as features to search for: the descriptors its codes stand for."""
    book = registry.codebook(codebook)
    stored = unpacked(record, book.lists)
    vectors = book.decode(stored.lists, stored.codes)
    descriptors = np.clip(np.rint(vectors * UNIT), 0, 255).astype(np.uint8)
    return Features(stored.points, descriptors, stored.width, stored.height, stored.drawn)


def stored_query(
    row: int, known: FeatureRow, turned: NDArray[np.uint8], asked: QueryFeatures | None = None
) -> StoredQuery:
    """A stored picture to look others up for, from what is kept of it, or as it was read again."""
    if asked is not None:
        return StoredQuery(row, asked.features, asked.picture, turned, again=True)
    picture = opened_thumbnail(known.thumbnail)
    features = stored_features(known.record, known.codebook)
    return StoredQuery(row, features, NO_PICTURE if picture is None else picture, turned)


class PairJudge:
    """Judges pairs of stored pictures."""

    def __init__(self, codebook: str, rule: PairModel | None = None) -> None:
        """``codebook`` by name; ``rule`` is the one that ships for stored pictures, unless another was fitted."""
        self._codebook = registry.codebook(codebook)
        self.rule = rules.shipped_for_pairs() if rule is None else rule

    def judge(self, pairs: Iterable[tuple[StoredQuery, Sequence[PairCandidate]]]) -> list[PairScore]:
        """One score for each candidate, also where nothing was found."""
        judged: list[tuple[StoredQuery, PairCandidate]] = []
        ways: list[tuple[int, Verified]] = []
        for asked, candidates in pairs:
            for candidate in candidates:
                ways += [(len(judged), way) for way in self._ways(asked, candidate)]
                judged.append((asked, candidate))
        best = best_ways(ways, self.rule.log_odds)
        return [_pair_score(*pair, best.get(place)) for place, pair in enumerate(judged)]

    def _ways(self, asked: StoredQuery, candidate: PairCandidate) -> list[Verified]:
        bare = asked.picture is NO_PICTURE  # then there is nothing to compare the other with
        known = known_picture(candidate.known.record, None if bare else candidate.known.thumbnail, self._codebook)
        bits = apart(~asked.turned if candidate.negative else asked.turned, candidate.bits)
        ways = asked.query.placed(
            known,
            self._codebook,
            mirrored=candidate.mirrored,
            negative=candidate.negative,
            apart=bits,
            rotation=candidate.rotation,
            least=LEAST_AGREEING,
        )
        return asked.query.compared(ways)


def _pair_score(asked: StoredQuery, candidate: PairCandidate, best: tuple[float, Verified] | None) -> PairScore:
    low, high = sorted((asked.row, candidate.row))
    negative = candidate.negative or None
    if best is None:
        return PairScore(low, high, NOWHERE, candidate.mirrored, 0, None, None, None, negative=negative)
    odds, way = best
    figures = way.figures
    in_query = round(figures.overlap_query, 4), _outline(odds, way.outline_query)
    in_stored = round(figures.overlap_stored, 4), _outline(odds, way.outline_stored)
    # Kept of `high` against `low`: the other way round where the picture that was asked about is the lower one.
    if asked.row == high:
        rotation = way.rotation if way.mirrored else -way.rotation % 360
        (overlap_high, outline_high), (overlap_low, outline_low) = in_query, in_stored
    else:
        rotation = way.rotation
        (overlap_low, outline_low), (overlap_high, outline_high) = in_query, in_stored
    agreement = None if np.isnan(figures.share) else round(figures.share, 4)
    overlaps, outlines = (overlap_low, overlap_high), (outline_low, outline_high)
    return PairScore(low, high, round(odds, 4), way.mirrored, rotation, *overlaps, agreement, *outlines, negative)


def _outline(odds: float, corners: NDArray[np.float64]) -> Outline | None:
    return outline_of(corners) if odds >= LEAST_OUTLINED else None


def pair_model_name(codebook: str) -> str:
    """What pair scores were given by: the codebook, and a digest of the pair model that ships."""
    return f"{codebook} {hashlib.sha256(rules.PAIR_MODEL_FILE.read_bytes()).hexdigest()[:16]}"
