"""The nearest codes and lists by compiled loops are to the bit those that FAISS finds."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest
from codes import on_one_core
from drawn_records import drawn_records, near_the_codes

from imgmatch import registry
from imgmatch.engines import packed
from imgmatch.engines.ivf import IvfEngine
from imgmatch.engines.voting import Probes
from imgmatch.features.describe import root_normalise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.engines.neighbours import Neighbours
    from imgmatch.features.codebook import U8, Codebook


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


@pytest.fixture(params=sorted(registry.CODEBOOKS), scope="module")
def book(request: pytest.FixtureRequest) -> Codebook:
    return registry.codebook(request.param)


def descriptors_of(book: Codebook) -> U8:
    """Some near stored codes, some of nothing that is stored, and one that has no length."""
    near = near_the_codes(drawn_records(book.name), 1, 300, book).descriptors
    others = root_normalise(np.random.default_rng(3).gamma(0.4, 1, (200, 128)).astype(np.float32))
    return np.concatenate([near, others, np.zeros((1, 128), np.uint8)])


def listed(found: Neighbours) -> list[tuple[int, float, int]]:
    return sorted(zip(found.queries.tolist(), found.distances.tolist(), found.ids.tolist(), strict=True))


def engine_of(book: Codebook, edges: list[int]) -> IvfEngine:
    records = drawn_records(book.name)
    engine = IvfEngine.empty(book)
    for start, end in pairwise([*edges, len(records)]):
        engine = engine.appended(records[start:end], end)
    return engine


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("edges", [[0], [0, 20, 28]], ids=["one segment", "three segments"])
def test_compiled_loops_find_the_codes_that_faiss_finds(
    book: Codebook, edges: list[int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = Probes.of(book, descriptors_of(book), book.probes)
    monkeypatch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
    expected = listed(engine_of(book, edges).nearest(probes))
    assert len(expected) > len(probes)
    monkeypatch.setattr(packed, "WORTH_NUMBA", 0)
    monkeypatch.setattr(packed, "_WORTH_A_THREAD", 100)
    faiss.omp_set_num_threads(threads)
    try:
        assert listed(engine_of(book, edges).nearest(probes)) == expected
    finally:
        faiss.omp_set_num_threads(1)


def test_codes_that_were_removed_are_not_found_by_compiled_loops(
    book: Codebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes, gone = Probes.of(book, descriptors_of(book), book.probes), np.arange(10, 160, 10)
    monkeypatch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
    expected = listed(engine_of(book, [0]).removed(gone).nearest(probes))
    monkeypatch.setattr(packed, "WORTH_NUMBA", 0)
    assert listed(engine_of(book, [0]).removed(gone).nearest(probes)) == expected


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "there"])
def test_what_is_searched_already_is_found_when_its_file_was_replaced_meanwhile(
    book: Codebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_gone: bool
) -> None:
    probes, file = Probes.of(book, descriptors_of(book), book.probes), tmp_path / "features"
    engine_of(book, [0]).save(file)
    monkeypatch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
    engine = IvfEngine.open(book, file, len(drawn_records(book.name)))
    more = engine.appended([(99_999, drawn_records(book.name)[0][1])], 99_999)
    expected, with_more = listed(engine.nearest(probes)), listed(more.nearest(probes))
    if is_gone:
        file.unlink()
    monkeypatch.setattr(packed, "WORTH_NUMBA", 0)
    assert listed(more.nearest(probes)) == with_more
    assert listed(engine.nearest(probes)) == expected


@pytest.mark.parametrize("count", [1, 8, 16])
def test_compiled_loops_find_the_lists_that_faiss_finds(
    book: Codebook, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptors = np.concatenate([descriptors_of(book), np.rint(book.centroids[:900] * 512).astype(np.uint8)])
    monkeypatch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
    expected = Probes.of(book, descriptors, count)
    monkeypatch.setattr(packed, "WORTH_NUMBA", 0)
    found = Probes.of(book, descriptors, count)
    assert np.array_equal(found.far, expected.far)
    assert np.array_equal(np.sort(found.lists), np.sort(expected.lists))


def test_a_descriptor_without_a_list_is_left_to_faiss(book: Codebook, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = Probes.of(book, descriptors_of(book), book.probes)
    probes.lists[::7, -1] = -1
    monkeypatch.setattr(packed, "WORTH_NUMBA", sys.maxsize)
    expected = listed(engine_of(book, [0]).nearest(probes))
    monkeypatch.setattr(packed, "WORTH_NUMBA", 0)
    assert listed(engine_of(book, [0]).nearest(probes)) == expected


def test_without_a_numba_that_works_a_search_warns_and_leaves_all_to_faiss() -> None:
    asked = "from imgmatch.engines import packed; packed.WORTH_NUMBA = 0; print(packed.are_worth_it(10))"
    done = subprocess.run(
        [sys.executable, "-c", asked], env={"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True
    )
    assert "numba cannot be used, so searching is slower: NUMBA_DISABLE_JIT is set" in done.stderr
    assert done.stdout == "False\n"
