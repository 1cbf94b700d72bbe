from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest
from codes import on_one_core, queries, random_codes, rows, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.engines.linear import LinearEngine
from imgmatch.engines.segments import MOST_PARTS, Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.base import Codes, Hits, Ids

KINDS = {name: registry.engine(name) for name in registry.ENGINES}


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


def written(parts: Parts, without: Ids | None = None) -> Parts:
    """What is loaded from the file of these parts; the file is gone by then."""
    with TemporaryDirectory() as folder:
        parts.save(Path(folder) / "file", without)
        return Parts.load(KINDS["flat"], Path(folder) / "file", parts.through)


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
    whole = written(parts)
    assert len(parts) == len(whole) == len(ids)
    assert rows(parts.search(asked, max_distance)) == rows(whole.search(asked, max_distance)) == expected


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
    assert len(written(parts)) == 0


@settings(max_examples=60, deadline=None)
@given(
    held=stored(most=60),
    sizes=st.lists(st.integers(0, 9), max_size=12),
    gone=st.sets(st.integers(0, 59)),
    asked=queries(),
    max_distance=st.integers(0, 256),
)
def test_parts_written_without_some_ids_are_those_made_of_the_rest(
    held: tuple[Ids, Codes], sizes: list[int], gone: set[int], asked: Codes, max_distance: int
) -> None:
    ids, codes = held
    parts = Parts(KINDS["flat"], (), 0)
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(ids)).tolist(), len(ids)]
    for start, end in pairwise(edges):
        parts = parts.grown(ids[start:end], codes[start:end], 7)
    kept = ~np.isin(np.arange(len(ids)), sorted(gone))
    loaded = written(parts, ids[~kept])
    assert (len(loaded), loaded.through, len(parts)) == (kept.sum(), 7, len(ids))
    assert rows(loaded.search(asked, max_distance)) == rows(
        KINDS["linear"](ids[kept], codes[kept]).search(asked, max_distance)
    )


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_is_loaded_grows_and_is_written_again_beside_the_file_it_lies_in(name: str, tmp_path: Path) -> None:
    ids, codes = np.arange(90, dtype=np.int64), random_codes(1, 90)
    parts = Parts(KINDS[name], (), 0).grown(ids[:30], codes[:30], 29)
    for turn in range(1, 3):
        parts.save(tmp_path / str(turn), ids[turn : turn + 1])
        parts = Parts.load(KINDS[name], tmp_path / str(turn), parts.through, verify=False)
        parts = parts.grown(ids[30 * turn : 30 * turn + 30], codes[30 * turn : 30 * turn + 30], 30 * turn + 29)
    kept = np.delete(np.arange(90), [1, 2])
    assert (len(parts), parts.through) == (88, 89)
    expected = KINDS["linear"](ids[kept], codes[kept]).search(codes[:5], 256)
    assert rows(parts.search(codes[:5], 256)) == rows(expected)


def test_an_altered_file_is_loaded_only_where_it_is_not_verified_and_a_cut_one_never(tmp_path: Path) -> None:
    path = tmp_path / "file"
    codes = random_codes(1, 5)
    Parts(KINDS["flat"], (), 0).grown(np.arange(5), codes, 4).save(path)
    whole = path.read_bytes()
    place = whole.index(codes.tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        Parts.load(KINDS["flat"], path, 4)
    hits = Parts.load(KINDS["flat"], path, 4, verify=False).search(codes[:1], 1)
    assert (0, 1, 0) in rows(hits)
    path.write_bytes(whole[:-1])
    for verify in (True, False):
        with pytest.raises(ValueError, match="damaged"):
            Parts.load(KINDS["flat"], path, 4, verify=verify)
