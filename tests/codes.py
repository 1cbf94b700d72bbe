"""Sets of fingerprints for tests: near and far ones, twins under other ids, ids of any size in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.base import Codes, Hits, Ids

MOST_ID = 2**63 - 1


def on_one_core() -> Iterator[None]:
    """Thousands of tiny searches: starting threads for each would take longer than they do."""
    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(usual)


def random_codes(seed: int, count: int, centres: int = 4) -> Codes:
    """Fingerprints round a few centres, at every distance from them, some of them equal; shape (count, 32)."""
    rng = np.random.default_rng(seed)
    middle = np.random.default_rng(0).integers(0, 2, (centres, 256), dtype=np.uint8)
    chosen = middle[rng.integers(0, centres, count)]
    # A fresh share of bits for each: 0 gives twins, 1 the complement.
    share = rng.choice([0.0, 0.0, 0.02, 0.06, 0.12, 0.125, 0.3, 0.5, 1.0], (count, 1))
    return np.packbits(chosen ^ (rng.random((count, 256)) < share), axis=1)


@st.composite
def stored(draw: st.DrawFn, most: int = 40) -> tuple[Ids, Codes]:
    """Ids, distinct, in any order and up to the largest there is, with their fingerprints."""
    ids = draw(st.lists(st.integers(0, 50) | st.integers(0, MOST_ID), unique=True, max_size=most))
    return np.array(ids, dtype=np.int64), random_codes(draw(st.integers(0, 2**32 - 1)), len(ids))


@st.composite
def queries(draw: st.DrawFn, most: int = 6) -> Codes:
    """Fingerprints to look for, shape (q, 32), with q from 0."""
    return random_codes(draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, most)))


def rows(hits: Hits) -> list[tuple[int, int, int]]:
    """Query, distance and id of every hit, in the order given."""
    return list(zip(hits.queries.tolist(), hits.distances.tolist(), hits.ids.tolist(), strict=True))


def by_counting_bits(ids: Ids, codes: Codes, asked: Codes, max_distance: int) -> list[tuple[int, int, int]]:
    """What a search must find, one pair and one bit at a time."""
    found = []
    for row, query in enumerate(asked.tolist()):
        for row_id, code in zip(ids.tolist(), codes.tolist(), strict=True):
            distance = sum((one ^ other).bit_count() for one, other in zip(query, code, strict=True))
            if distance <= max_distance:
                found.append((row, distance, row_id))
    return sorted(found)
