"""From candidates to evidence: what an engine returned is compared with the query and judged by the pair model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imgmatch import registry
from imgmatch.catalog.features import features_by_id, features_of_fingerprints, fingerprints_of_features
from imgmatch.features import pair_model as rules
from imgmatch.features.record import opened_thumbnail, unpacked
from imgmatch.features.verify import Placed, Query, StoredPicture
from imgmatch.matching.evidence import (
    Near,
    apart,
    evidence_of,
    nearest_negative_of,
    nearest_of,
    no_copy,
    telling_pairs,
    turned_back,
)
from imgmatch.model import FINGERPRINT_BYTES, Evidence, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from imgmatch.catalog.calibrations import Calibration
    from imgmatch.catalog.session import Session
    from imgmatch.describing.messages import DescribedPicture, Description
    from imgmatch.engines.base import Candidate
    from imgmatch.features.codebook import F32, Codebook
    from imgmatch.features.pair_model import F64, PairModel
    from imgmatch.features.verify import Verified

Key = TypeVar("Key", bound=Hashable)

MOST_NEAR = 40
"""Fingerprints, the nearest first, that are verified by their pictures; the rest is judged by its bits alone."""

MOST_CANDIDATES = 25
"""Pictures an engine of features is asked for."""

LEAST_VOTES = 1.5
"""Votes from which a picture is verified that was found by features alone. Among 4,200 photos nine in ten candidates of
a photo that is not there have less; of 1,059 edited copies whose original was a candidate one, a sketch, had less."""

LEAST_BARE = -6.5
"""Log odds by points and fingerprints alone from which two pictures are laid over each other. Of the pairs that the
model was fitted to more than half of the strangers have less, and one of 16,350 copies that it accepts
(``train_rule.py`` tells the least)."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the asker wants to see.

    Attributes:
        account: leave out this account's own photos.
        limit: how many accounts at the most.
        related: also show what is no copy: other shots of the same moment, other photos in the same template.
        min_score: what a copy scores at least; ``None`` takes the pair model's own.
        max_distance: bits in which a copy's fingerprint may differ, no more of them being looked at; ``None`` takes the
            hasher's own, and looks further where pictures can be verified.
    """

    account: str | None = None
    limit: int = 20
    related: bool = False
    min_score: float | None = None
    max_distance: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Candidates that passed, with their evidence.

    Attributes:
        near: by row id of the fingerprint.
        partial: by row id of the features; none of these are pictures of a fingerprint in ``near``.
    """

    near: Mapping[int, Evidence]
    partial: Mapping[int, Evidence]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A stored picture to be verified: which side of the query to look at, and what is known of the fingerprints."""

    row: int
    mirrored: bool
    apart: float
    near: Near | None = None


class Verifier:
    """Judges the candidates of queries."""

    def __init__(self, codebook: str, hasher: str, rule: PairModel | None = None) -> None:
        """``codebook`` and ``hasher`` by name; ``rule`` is the one that ships, unless another was fitted."""
        self._codebook = registry.codebook(codebook)
        self._hasher = hasher
        self._profile = registry.hasher(hasher).profile
        self.rule = rules.shipped() if rule is None else rule

    def judge(
        self,
        connection: Session,
        query: DescribedPicture,
        near: Mapping[int, Near],
        candidates: Sequence[Candidate],
        wanted: CheckOptions,
    ) -> Judged:
        """Which of these are copies and, if they are wanted, which are other shots of the same moment.

        Args:
            connection: the catalog.
            query: the picture asked about.
            near: fingerprints within reach; without their pictures only those within the hasher's own greatest distance
                count, or within what is wanted.
            candidates: pictures that share features.
            wanted: what the asker wants to see.
        """
        accept = self.rule.accept if wanted.min_score is None else wanted.min_score
        sure = self._profile.max_distance if wanted.max_distance is None else wanted.max_distance
        first = sorted(near, key=lambda one: (near[one].negative, near[one].distance, one))[:MOST_NEAR]
        shown_by = features_of_fingerprints(connection, first) if query.asked is not None else {}
        claims = [self._near_claim(shown_by[one], near[one]) for one in first if one in shown_by]
        claims += self._far_claims(connection, query, candidates)
        found = self._verified(connection, query, claims)
        # A picture that is near to the negative may share features with the query as it is, and lie in that.
        shown = {
            row
            for fingerprint, row in shown_by.items()
            if row not in found or found[row][1].negative == near[fingerprint].negative
        }
        near_evidence = {}
        for fingerprint, one in near.items():
            row = shown_by.get(fingerprint, -1)
            verified = found.get(row)
            if (verified is None and one.distance > sure) or (verified is not None and row not in shown):
                continue
            evidence = self._unverified(one) if verified is None else evidence_of(verified, Kind.NEAR, one)
            if evidence.score >= accept:
                near_evidence[fingerprint] = evidence
        far = {row: verified for row, verified in found.items() if row not in shown}
        partial = {row: evidence_of(one, Kind.PARTIAL) for row, one in far.items() if one[0] >= accept}
        if wanted.related:
            copies = set(partial) | {shown_by[one] for one in near_evidence if one in shown_by}
            rest = {row: one for row, one in found.items() if row not in copies}
            partial |= {row: evidence_of(one, kind) for row, one in rest.items() if (kind := no_copy(one)) is not None}
        return Judged(near_evidence, partial)

    def _near_claim(self, row: int, near: Near) -> _Claim:
        return _Claim(row, near.turn.mirrored, near.distance, near)

    def _far_claims(
        self, connection: Session, query: DescribedPicture, candidates: Sequence[Candidate]
    ) -> list[_Claim]:
        prints = fingerprints_of_features(connection, self._hasher, [one.row for one in candidates])
        turned = np.frombuffer(query.orientations[self._hasher], np.uint8).reshape(-1, FINGERPRINT_BYTES)
        return [_Claim(one.row, one.mirrored, apart(turned, prints.get(one.row))) for one in candidates]

    def _verified(
        self, connection: Session, query: DescribedPicture, claims: Iterable[_Claim]
    ) -> dict[int, tuple[float, Verified]]:
        """Of each picture the way it lies in the query that the pair model likes best, with its score."""
        waiting = list(dict.fromkeys(claims))
        if query.asked is None or not waiting:
            return {}
        asked = Query(query.asked.picture, query.asked.features)
        rows = features_by_id(connection, [claim.row for claim in waiting])
        placed = [
            (claim.row, way)
            for claim in waiting
            if (row := rows.get(claim.row)) is not None
            for way in self._placed(asked, known_picture(row.record, row.thumbnail, self._codebook), claim)
        ]
        ways = [(row, found) for row, way in self._promising(asked, placed) for found in asked.compared([way])]
        return best_ways(ways, self.rule.scores)

    def _promising(self, asked: Query, placed: Sequence[tuple[int, Placed]]) -> list[tuple[int, Placed]]:
        """Without those of which points and fingerprints alone show that they are none."""
        bare = [(one, figures) for one in placed if (figures := asked.bare(one[1])) is not None]
        if not bare:
            return []
        odds = self.rule.log_odds(np.stack([figures.row() for _, figures in bare]))
        return [one for (one, _), log_odds in zip(bare, odds.tolist(), strict=True) if log_odds >= LEAST_BARE]

    def _placed(self, asked: Query, known: StoredPicture, claim: _Claim) -> list[Placed]:
        turn = None if claim.near is None else claim.near.turn
        return asked.placed(
            known,
            self._codebook,
            mirrored=claim.mirrored,
            negative=turn is not None and turn.negative,
            apart=claim.apart,
            rotation=None if turn is None else turned_back(turn),
        )

    def pair(self, query: DescribedPicture, stored: DescribedPicture, max_distance: int) -> Evidence:
        """The evidence for two pictures, whether or not it makes them copies; see `PairModel.accept` for that."""
        nears = self._nears(query, stored, max_distance)
        ways = self._pair_ways(query, stored, nears, max_distance)
        verified = best_ways([(0, way) for way in ways], self.rule.scores).get(0)
        if verified is None:
            return self._unverified(nears[-1])
        near = nears[-1] if verified[1].negative else nears[0]
        if near.negative or _is_near(query, near, max_distance):
            return evidence_of(verified, Kind.NEAR, near)
        kind = None if verified[0] >= self.rule.accept else no_copy(verified)
        return replace(evidence_of(verified, kind or Kind.PARTIAL), distance=near.distance)

    def pair_odds(self, query: Description, stored: Description, max_distance: int) -> float | None:
        """The pair model's log odds for two photos, not calibrated; ``None`` where neither lies in the other.

        Of photos with several pictures the odds of those two that it likes best.
        """
        ways = [
            (0, way)
            for one, other in telling_pairs(query, stored)
            for way in self._pair_ways(one, other, self._nears(one, other, max_distance), max_distance)
        ]
        best = best_ways(ways, self.rule.log_odds).get(0)
        return None if best is None else best[0]

    def _nears(self, query: DescribedPicture, stored: DescribedPicture, max_distance: int) -> list[Near]:
        """How near a pair is and, where that is not near, how near to the query's negative, if that is near."""
        turned, bits = query.orientations[self._hasher], stored.fingerprints[self._hasher]
        near, negative = nearest_of(turned, bits), nearest_negative_of(turned, bits)
        verifiable = query.asked is not None and stored.stored is not None
        reach = max(self._profile.reach, max_distance) if verifiable else max_distance
        is_negative = _is_near(query, negative, reach) and not _is_near(query, near, max_distance)
        return [near, negative] if is_negative else [near]

    def _pair_ways(
        self, query: DescribedPicture, stored: DescribedPicture, nears: Sequence[Near], max_distance: int
    ) -> list[Verified]:
        if query.asked is None or stored.stored is None:
            return []
        near, *negative = nears
        claims = [_Claim(0, mirrored, near.distance) for mirrored in (False, True)]
        if _is_near(query, near, max_distance):
            claims = [self._near_claim(0, near)]
        claims += [self._near_claim(0, one) for one in negative]
        asked = Query(query.asked.picture, query.asked.features)
        known = known_picture(stored.stored.record, stored.stored.thumbnail, self._codebook)
        return asked.compared(way for claim in claims for way in self._placed(asked, known, claim))

    def accepts(self, evidence: Evidence, max_distance: int) -> bool:
        """Whether a check would call a pair with this evidence copies."""
        found = evidence.outline_query is not None or (evidence.distance or 0) <= max_distance
        return found and evidence.kind.is_copy and evidence.score >= self.rule.accept

    def _unverified(self, near: Near) -> Evidence:
        score, turn = round(self._profile.near_score(near.distance), 4), near.turn
        return Evidence(Kind.NEAR, score, near.distance, turn.mirrored, turn.rotation, negative=turn.negative)


def _is_near(query: DescribedPicture, near: Near, max_distance: int) -> bool:
    """Whether a pair's fingerprints speak for it; those of a flat query say nothing."""
    return near.distance <= max_distance and query.flat is None


def best_ways(ways: Sequence[tuple[Key, Verified]], judge: Callable[[F32], F64]) -> dict[Key, tuple[float, Verified]]:
    """Of each pair of pictures the way one lies in the other that the pair model likes best: for all who verify.

    Args:
        ways: each under what names the pair; of two that are liked the same the first counts.
        judge: gives rows of pair features, shape (n, features), what is compared: scores, or log odds.

    Returns:
        what the best way was given, and the way; nothing under a pair that has none.
    """
    if not ways:
        return {}
    found = judge(np.stack([verified.figures.row() for _, verified in ways]))
    best: dict[Key, tuple[float, Verified]] = {}
    for (key, verified), value in zip(ways, found.tolist(), strict=True):
        if key not in best or value > best[key][0]:
            best[key] = (value, verified)
    return best


def calibrated(rule: PairModel, calibration: Calibration | None) -> PairModel:
    """The pair model as an operator's own decisions have calibrated it."""
    if calibration is None:
        return rule
    return replace(rule, calibration=np.array([calibration.slope, calibration.shift]), accept=calibration.accept)


def known_picture(record: bytes, thumbnail: bytes | None, codebook: Codebook) -> StoredPicture:
    """A picture as the catalog keeps it, ready to be verified; what is damaged of it is as if it were not there."""
    return StoredPicture(unpacked(record, codebook.lists), opened_thumbnail(thumbnail))
