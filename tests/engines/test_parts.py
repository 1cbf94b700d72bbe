from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from codes import on_one_core, queries, random_codes, rows, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.engines.linear import LinearEngine
from imgmatch.engines.parts import MOST_PARTS, Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.base import Codes, Hits, Ids

KINDS = {name: registry.engine(name) for name in registry.ENGINES}


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=60, deadline=None)
@given(
    held=stored(most=60),
    sizes=st.lists(st.integers(0, 5), max_size=30),
    asked=queries(),
    max_distance=st.integers(0, 256),
)
def test_an_engine_grown_in_any_chunks_is_one_made_at_once(
    name: str, held: tuple[Ids, Codes], sizes: list[int], asked: Codes, max_distance: int
) -> None:
    ids, codes = held
    parts = Parts(KINDS[name], (), 0)
    edges = [0, *np.minimum(np.cumsum(sizes), len(ids)).tolist(), len(ids)] if sizes else [0, len(ids)]
    for through, (start, end) in enumerate(pairwise(edges), start=1):
        parts = parts.grown(ids[start:end], codes[start:end], through)
        assert parts.through == through
    expected = rows(KINDS["linear"](ids, codes).search(asked, max_distance))
    assert len(parts) == len(parts.whole()) == len(ids)
    assert rows(parts.search(asked, max_distance)) == rows(parts.whole().search(asked, max_distance)) == expected


def test_growing_leaves_the_old_one_as_it_was() -> None:
    codes = random_codes(1, 100)
    parts, earlier = Parts(LinearEngine, (), 0), []
    for row in range(100):
        earlier.append(parts)
        parts = parts.grown(np.array([row + 1]), codes[row : row + 1], row + 1)
    for size, old in enumerate(earlier):
        assert (len(old), old.through) == (size, size)
        assert sorted(old.search(codes[:1], 256).ids.tolist()) == list(range(1, size + 1))


def test_a_search_never_looks_through_many_parts() -> None:
    searched: list[int] = []

    class Counting(LinearEngine):
        def search(self, queries: Codes, max_distance: int) -> Hits:
            searched.append(len(self))
            return super().search(queries, max_distance)

    parts = Parts(Counting, (), 0)
    for row in range(200):
        parts = parts.grown(np.array([row]), random_codes(row, 1), row)
        searched.clear()
        parts.search(random_codes(0, 1), 10)
        assert len(searched) <= MOST_PARTS
        assert sum(searched) == row + 1


def test_nothing_new_makes_no_part_but_is_looked_at() -> None:
    parts = Parts(KINDS["flat"], (), 0).grown(*Parts.nothing(), through=9)
    assert (len(parts), parts.through) == (0, 9)
    assert len(parts.search(random_codes(0, 2), 256)) == 0
    assert len(parts.whole()) == 0
