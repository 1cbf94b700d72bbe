from __future__ import annotations

import numpy as np
from codes import random_codes

from imgmatch.engines.linear import LinearSegment
from imgmatch.engines.segments import MOST_SEGMENTS, Segments


def test_a_search_never_looks_through_many_segments_and_the_large_one_is_left_be() -> None:
    built: list[int] = []

    class Counting(LinearSegment):
        def __init__(self, ids: np.ndarray, codes: np.ndarray) -> None:
            super().__init__(ids, codes)
            built.append(len(self))

    class Engine(Segments):
        kind = Counting

    engine = Engine().appended((np.arange(1_000), random_codes(0, 1_000)), 999)
    for row in range(1_000, 1_200):
        engine = engine.appended((np.array([row]), random_codes(row, 1)), row)
        assert len(engine._segments) <= MOST_SEGMENTS  # noqa: SLF001 -- what a search costs
        assert len(engine) == row + 1
    assert built.count(1_000) == 1
    assert max(built[1:]) <= 200
