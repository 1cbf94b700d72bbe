from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.engines.base import Hits
from imgmatch.matching import CHANCE_DISTANCE, Near, evidence_of, near_score, nearest
from imgmatch.model import ORIENTATIONS, Kind

FOUND = st.lists(st.tuples(st.integers(0, 23), st.integers(1, 6), st.integers(0, 40)), unique_by=lambda hit: hit[:2])


def hits(found: list[tuple[int, int, int]]) -> Hits:
    queries, ids, distances = (np.array([hit[which] for hit in found], np.int64) for which in range(3))
    return Hits.sorted(queries, ids, distances.astype(np.int32))


def test_the_score_is_one_for_equal_fingerprints_and_nothing_for_chance() -> None:
    assert near_score(0) == 1
    assert near_score(CHANCE_DISTANCE) == near_score(256) == 0


@given(st.integers(0, 255))
def test_the_score_never_rises_with_the_distance_and_stays_between_nothing_and_one(distance: int) -> None:
    assert 1 >= near_score(distance) >= near_score(distance + 1) >= 0


@given(FOUND, st.sampled_from([0, 8, 16]))
def test_each_fingerprint_gets_the_nearest_of_the_eight_rows_of_its_query_the_earlier_on_a_tie(
    found: list[tuple[int, int, int]], first_row: int
) -> None:
    expected: dict[int, Near] = {}
    for fingerprint in range(1, 7):
        own = [(d, row - first_row) for row, i, d in found if i == fingerprint and 0 <= row - first_row < 8]
        if own:
            expected[fingerprint] = Near(*min(own))
    assert nearest(hits(found), first_row) == expected


@pytest.mark.parametrize("orientation", range(8))
def test_near_evidence_carries_distance_and_orientation_and_measures_no_overlap(orientation: int) -> None:
    evidence = evidence_of(Near(16, orientation), same=False)
    assert (evidence.kind, evidence.distance, evidence.score) == (Kind.NEAR, 16, near_score(16))
    assert (evidence.mirrored, evidence.rotation) == (
        ORIENTATIONS[orientation].mirrored,
        ORIENTATIONS[orientation].rotation,
    )
    assert evidence.overlap is None
    assert evidence.agreement is None


def test_exact_evidence_is_certain_and_upright_whatever_orientation_was_nearest() -> None:
    evidence = evidence_of(Near(0, 5), same=True)
    assert (evidence.kind, evidence.score, evidence.distance) == (Kind.EXACT, 1.0, 0)
    assert (evidence.mirrored, evidence.rotation, evidence.overlap, evidence.agreement) == (False, 0, 1.0, 1.0)


def test_equal_fingerprints_alone_are_near_not_exact() -> None:
    assert evidence_of(Near(0, 0), same=False).kind is Kind.NEAR
