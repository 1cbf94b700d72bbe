from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.engines.base import Hits
from imgmatch.evidence import EXACT, Near
from imgmatch.matching import nearest
from imgmatch.model import Kind

FOUND = st.lists(st.tuples(st.integers(0, 23), st.integers(1, 6), st.integers(0, 40)), unique_by=lambda hit: hit[:2])


def hits(found: list[tuple[int, int, int]]) -> Hits:
    queries, ids, distances = (np.array([hit[which] for hit in found], np.int64) for which in range(3))
    return Hits.sorted(queries, ids, distances.astype(np.int32))


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


def test_exact_evidence_is_certain_and_upright() -> None:
    assert (EXACT.kind, EXACT.score, EXACT.distance) == (Kind.EXACT, 1.0, 0)
    assert (EXACT.mirrored, EXACT.rotation, EXACT.overlap, EXACT.agreement) == (False, 0, 1.0, 1.0)


@pytest.mark.parametrize("distance", [0, 36])
def test_distances_are_whole_bits(distance: int) -> None:
    (near,) = nearest(hits([(3, 1, distance)])).values()
    assert (near.distance, near.orientation) == (distance, 3)
