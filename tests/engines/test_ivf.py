from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest
from codes import on_one_core
from drawn_records import BOOK, PICTURES, asked, drawn, drawn_records, near_the_codes

from imgmatch import registry
from imgmatch.engines.ivf import IvfEngine
from imgmatch.engines.votes import GEOMETRY_BITS, geometry
from imgmatch.engines.voting import CUT, NEIGHBOURS, Probes
from imgmatch.features.codebook import FEW, floats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.features.codebook import U8, Codebook

    Hits = list[dict[int, list[float]]]

# FAISS adds up table entries rounded to one byte each: 32 of them, each a few 1e-5 off. Decoded codes are exact.
ROUNDING = 0.006


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


@pytest.fixture(params=sorted(registry.CODEBOOKS), scope="module")
def book(request: pytest.FixtureRequest) -> Codebook:
    return registry.codebook(request.param)


@pytest.fixture(scope="module")
def whole(book: Codebook) -> IvfEngine:
    return IvfEngine.empty(book).appended(drawn_records(book.name), 400)


def hits(engine: IvfEngine, book: Codebook, descriptors: U8, probes: int) -> Hits:
    """For each descriptor the distances of every id that was found; two points of a picture may have one id."""
    found: Hits = [{} for _ in descriptors]
    near = engine.nearest(Probes.of(book, descriptors, probes))
    for query, row_id, distance in zip(near.queries.tolist(), near.ids.tolist(), near.distances.tolist(), strict=True):
        found[query].setdefault(row_id, []).append(distance)
    return found


def flat(row: dict[int, list[float]]) -> list[tuple[float, int]]:
    return sorted((distance, row_id) for row_id, distances in row.items() for distance in distances)


@pytest.mark.parametrize("points", [100, 500])
def test_hits_are_the_nearest_decoded_codes_of_the_lists_looked_through(
    book: Codebook, whole: IvfEngine, points: int
) -> None:
    probes = book.probes_for(points)
    records = drawn_records(book.name)
    lists = np.concatenate([stored.lists for _, stored in records])
    decoded = book.decode(lists, np.concatenate([stored.codes for _, stored in records]))
    ids = np.concatenate([(row << GEOMETRY_BITS) + geometry(stored.points) for row, stored in records])
    descriptors = np.concatenate([asked(drawn(7)).descriptors, near_the_codes(records, 1, 200, book).descriptors])
    vectors = floats(descriptors)
    _, looked_through = book.nearest(vectors, probes)
    found = hits(whole, book, descriptors, probes)
    for vector, numbers, row in zip(vectors, looked_through, found, strict=True):
        inside = np.isin(lists, numbers)
        distances = ((vector - decoded[inside]) ** 2).sum(1)
        exact: dict[int, list[float]] = {}
        for row_id, distance in zip(ids[inside].tolist(), distances.tolist(), strict=True):
            exact.setdefault(row_id, []).append(distance)
        near, perhaps = (int((distances < CUT + sign * ROUNDING).sum()) for sign in (-1, 1))
        assert min(NEIGHBOURS, near) <= len(flat(row)) <= min(NEIGHBOURS, perhaps)
        for row_id, given_distances in row.items():
            assert len(given_distances) <= len(exact[row_id])
            assert all(min(abs(one - real) for real in exact[row_id]) < ROUNDING for one in given_distances)
        last = np.sort(distances)[: len(flat(row))][-1] if len(distances) else 0.0
        assert {row_id for row_id, reals in exact.items() if min(reals) < last - ROUNDING} <= row.keys()
        assert all(min(exact[row_id]) <= last + ROUNDING for row_id in row)


def test_hits_are_those_of_faiss_without_registers(book: Codebook, whole: IvfEngine) -> None:
    plain = book.empty_index()
    plain.nprobe = book.probes
    for row, stored in drawn_records(book.name):
        places = (row << GEOMETRY_BITS) + geometry(stored.points)
        for number, place, code in zip(stored.lists.tolist(), places, stored.codes, strict=True):
            entry = np.array([place]), np.array(code)
            plain.invlists.add_entries(number, 1, *map(faiss.swig_ptr, entry))
            plain.ntotal += 1
    descriptors = near_the_codes(drawn_records(book.name), 2, 300, book).descriptors
    vectors = floats(descriptors)
    far, lists = book.nearest(vectors, book.probes)
    distances, ids = plain.search_preassigned(vectors, NEIGHBOURS, lists, far)
    for found, real, real_ids in zip(hits(whole, book, descriptors, book.probes), distances, ids, strict=True):
        kept = (real_ids >= 0) & (real < CUT + ROUNDING)
        ours = np.array([distance for distance, _ in flat(found)])
        assert (kept & (real < CUT - ROUNDING)).sum() <= len(ours) <= kept.sum()
        assert np.abs(ours - np.sort(real[kept])[: len(ours)]).max(initial=0) < ROUNDING
        clear = kept & (real < min(real[kept].max(initial=0), CUT) - ROUNDING)
        assert set(real_ids[clear].tolist()) <= found.keys()


def test_queries_of_few_and_of_many_points_asked_together_are_answered_each_as_if_alone(
    book: Codebook, whole: IvfEngine
) -> None:
    queries = [
        near_the_codes(drawn_records(book.name), seed, count, book) for seed, count in ((3, 60), (4, FEW), (5, 90))
    ]
    queries.insert(1, asked(np.full((60, 60), 90, np.uint8)))
    assert [len(query) < FEW for query in queries] == [True, True, False, True]
    together = whole.search(queries, 20)
    assert together == [whole.search([query], 20)[0] for query in queries]
    assert [answer == [] for answer in together] == [False, True, False, False]


def test_few_segments_are_left_however_often_it_is_appended_to(tmp_path: Path) -> None:
    IvfEngine.empty(BOOK).appended(drawn_records()[:3], 3).save(tmp_path / "file")
    engine = IvfEngine.open(BOOK, tmp_path / "file", 3)
    for turn in range(64):
        engine = engine.appended([(1_000 + turn, drawn_records()[turn % PICTURES][1])], 1_000 + turn)
        assert len(engine._segments) <= 1 + (turn + 1).bit_length()  # noqa: SLF001 -- what a search costs
    assert len(engine) == 3 + 64


def content(engine: IvfEngine, path: Path) -> tuple[int, bytes]:
    """How many pictures are in the file of an engine, and all of it but the times of writing."""
    engine.save(path)
    with np.load(path) as archive:
        return len(IvfEngine.open(BOOK, path, 0, verify=False)), b"".join(archive[name].tobytes() for name in archive)


@pytest.mark.parametrize("edges", [[0, 31], [0, 3, 20, 31], list(range(32))])
def test_the_file_of_an_engine_without_some_pictures_is_that_of_one_made_of_the_rest(
    edges: list[int], tmp_path: Path
) -> None:
    gone = {0, 5, 6, 30}
    rest = IvfEngine.empty(BOOK).appended(
        [one for number, one in enumerate(drawn_records()) if number not in gone], 400
    )
    engine = IvfEngine.empty(BOOK)
    for start, end in pairwise(edges):
        engine = engine.appended(drawn_records()[start:end], end)
    removed = engine.removed(np.array([drawn_records()[number][0] for number in gone]))
    assert content(removed, tmp_path / "file") == content(rest, tmp_path / "rest")
    assert (len(removed), len(engine)) == (PICTURES - len(gone), PICTURES)
