"""Pairs of stored pictures: what the catalog keeps of two of them is laid over each other and judged.

A night asks for every new picture what a check asks for a photo, but from the catalog alone: its hundred stored points
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
from imgmatch.features.record import open_thumbnail, unpack
from imgmatch.features.verify import Query
from imgmatch.matching.evidence import apart, outline_of
from imgmatch.matching.verification import known_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgmatch.describing.messages import QueryFeatures
    from imgmatch.features.pair_model import Rule
    from imgmatch.features.verify import Verified
    from imgmatch.model import Outline

LEAST_POINTS = 6
"""Distinct points that must agree before two pictures are laid over each other. With fewer the rule ties one pair of
copies in four hundred; half of all strangers that would be laid over each other are spared."""

NOWHERE = -40.0
"""Log odds of a pair of which neither lies in the other: as far down as a score goes."""

LEAST_OUTLINED = 0.0
"""Log odds from which the outlines of the shared part are kept: most judged pairs are strangers, that share none."""

_NO_PICTURE = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True)
class Asking:
    """A stored picture that others are looked up for.

    Attributes:
        row: row id of its features.
        features: what is searched for.
        picture: shape (height, width), dtype uint8: what others are laid over.
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
class Claim:
    """A stored picture that may lie in one that is asked about.

    Attributes:
        row: row id of its features.
        known: these.
        bits: its fingerprint, 32 bytes.
        mirrored: whether it may lie in the mirrored one.
        rotation: degrees clockwise by which that is turned to be laid over it frame on frame; ``None``: not tried.
    """

    row: int
    known: FeatureRow
    bits: bytes
    mirrored: bool
    rotation: int | None = None


def stored_features(record: bytes, codebook: str) -> Features:
    """A record as features to search for: the descriptors its codes stand for."""
    stored = unpack(record)
    vectors = registry.codebook(codebook).decode(stored.lists, stored.codes)
    descriptors = np.clip(np.rint(vectors * UNIT), 0, 255).astype(np.uint8)
    return Features(stored.points, descriptors, stored.width, stored.height)


def asking(row: int, known: FeatureRow, turned: NDArray[np.uint8], asked: QueryFeatures | None = None) -> Asking:
    """A stored picture to look others up for, from what is kept of it, or as it was read again."""
    if asked is not None:
        return Asking(row, asked.features, asked.picture, turned, again=True)
    picture = open_thumbnail(known.thumbnail) if known.thumbnail else _NO_PICTURE
    return Asking(row, stored_features(known.record, known.codebook), picture, turned)


class PairJudge:
    """Judges pairs of stored pictures."""

    def __init__(self, codebook: str, rule: Rule | None = None) -> None:
        """``codebook`` by name; ``rule`` is the one that ships for stored pictures, unless another was fitted."""
        self._codebook = registry.codebook(codebook)
        self.rule = rules.shipped_ties() if rule is None else rule

    def judge(self, pairs: Iterable[tuple[Asking, Sequence[Claim]]]) -> list[PairScore]:
        """One tie for each claim, also where nothing was found."""
        found: list[tuple[Asking, Claim, list[Verified]]] = [
            (asked, claim, self._ways(asked, claim)) for asked, claims in pairs for claim in claims
        ]
        rows = [way.figures.row() for _, _, ways in found for way in ways]
        odds = iter(self.rule.log_odds(np.stack(rows)).tolist() if rows else ())
        return [_tie(asked, claim, [(next(odds), way) for way in ways]) for asked, claim, ways in found]

    def _ways(self, asked: Asking, claim: Claim) -> list[Verified]:
        bare = asked.picture is _NO_PICTURE  # then there is nothing to lay the other over
        known = known_picture(claim.known.record, None if bare else claim.known.thumbnail)
        bits = apart(asked.turned, claim.bits)
        return asked.query.verify(
            known,
            self._codebook,
            mirrored=claim.mirrored,
            apart=bits,
            rotation=claim.rotation,
            least=LEAST_POINTS,
        )


def _tie(asked: Asking, claim: Claim, ways: Sequence[tuple[float, Verified]]) -> PairScore:
    low, high = sorted((asked.row, claim.row))
    if not ways:
        return PairScore(low, high, NOWHERE, claim.mirrored, 0, None, None, None)
    odds, way = max(ways, key=lambda one: one[0])
    figures = way.figures
    in_query = round(figures.overlap_query, 4), _outline(odds, way.outline_query)
    in_stored = round(figures.overlap_stored, 4), _outline(odds, way.outline_stored)
    # Told of `high` against `low`: the other way round where the picture that was asked about is the lower one.
    if asked.row == high:
        rotation = way.rotation if way.mirrored else -way.rotation % 360
        (overlap_high, outline_high), (overlap_low, outline_low) = in_query, in_stored
    else:
        rotation = way.rotation
        (overlap_low, outline_low), (overlap_high, outline_high) = in_query, in_stored
    agreement = None if np.isnan(figures.share) else round(figures.share, 4)
    overlaps, outlines = (overlap_low, overlap_high), (outline_low, outline_high)
    return PairScore(low, high, round(odds, 4), way.mirrored, rotation, *overlaps, agreement, *outlines)


def _outline(odds: float, corners: NDArray[np.float64]) -> Outline | None:
    return outline_of(corners) if odds >= LEAST_OUTLINED else None


def rule_name(codebook: str) -> str:
    """What ties were judged by: the codebook, and a digest of the rule that ships."""
    return f"{codebook} {hashlib.sha256(rules.TIES.read_bytes()).hexdigest()[:16]}"
