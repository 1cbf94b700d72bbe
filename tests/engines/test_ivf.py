from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import faiss
import numpy as np
import photos
import pytest
from codes import on_one_core
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch.engines.ivf import CUT, NEIGHBOURS, PROBES, IvfParts
from imgmatch.engines.votes import GEOMETRY_BITS, geometry
from imgmatch.features.codebook import floats, shipped
from imgmatch.features.describe import LENGTH
from imgmatch.features.extract import Features, extract, extract_query
from imgmatch.features.record import Stored, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from imgmatch.features.codebook import F32

    Grey = NDArray[np.uint8]
    Record = tuple[int, Stored]
    Hits = list[dict[int, list[float]]]

BOOK = shipped()
PICTURES = 31
# FAISS adds up table entries rounded to one byte each: 32 of them, each a few 1e-5 off. Decoded codes are exact.
ROUNDING = 0.006


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


def drawn(seed: int) -> Grey:
    return np.asarray(photos.picture(seed, (360, 450)).convert("L"))


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Pictures 0 to 30 under rows 10, 20 and so on; picture 5 is flat and has no points."""
    pictures = [drawn(seed) if seed != 5 else np.full((40, 50), 90, np.uint8) for seed in range(PICTURES)]
    return [(10 * seed + 10, unpack(pack(extract(picture), BOOK))) for seed, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def whole(records: list[Record]) -> IvfParts:
    return IvfParts(BOOK, (), 0).grown(records, 400)


def asked(picture: Grey) -> Features:
    return extract_query(picture, picture)


def near_the_codes(records: Sequence[Record], seed: int, count: int) -> Features:
    """A query whose descriptors are those of stored points, a little off, so that every one has hits."""
    rng = np.random.default_rng(seed)
    lists = np.concatenate([stored.lists for _, stored in records])
    codes = np.concatenate([stored.codes for _, stored in records])
    chosen = rng.integers(0, len(lists), count)
    vectors = BOOK.decode(lists[chosen], codes[chosen]) + rng.normal(0, 0.02, (count, LENGTH))
    points = np.column_stack([rng.random((count, 2)), np.full(count, 0.02), rng.uniform(0, 6, count)])
    return Features(points.astype(np.float32), np.clip(np.rint(vectors * 512), 0, 255).astype(np.uint8), 1.0, 0.8)


def hits(parts: IvfParts, vectors: F32) -> Hits:
    """For each vector the distances of every id that was found; two points of a picture may have one id."""
    found: Hits = [{} for _ in vectors]
    near = parts._nearest(vectors)  # noqa: SLF001 -- what candidates are made from
    for query, row_id, distance in zip(near.queries.tolist(), near.ids.tolist(), near.distances.tolist(), strict=True):
        found[query].setdefault(row_id, []).append(distance)
    return found


def flat(row: dict[int, list[float]]) -> list[tuple[float, int]]:
    return sorted((distance, row_id) for row_id, distances in row.items() for distance in distances)


def flat_hits(parts: IvfParts, vectors: F32) -> list[list[tuple[float, int]]]:
    return [flat(row) for row in hits(parts, vectors)]


# -- hits -------------------------------------------------------------------------------------------------------------


def test_hits_are_the_nearest_decoded_codes_of_the_lists_looked_through(whole: IvfParts, records: list[Record]) -> None:
    lists = np.concatenate([stored.lists for _, stored in records])
    decoded = BOOK.decode(lists, np.concatenate([stored.codes for _, stored in records]))
    ids = np.concatenate([(row << GEOMETRY_BITS) + geometry(stored.points) for row, stored in records])
    vectors = floats(np.concatenate([asked(drawn(7)).descriptors, near_the_codes(records, 1, 200).descriptors]))
    _, looked_through = BOOK.nearest(vectors, PROBES)
    found = hits(whole, vectors)
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


def test_hits_are_those_of_faiss_without_registers(whole: IvfParts, records: list[Record]) -> None:
    plain = BOOK.empty_index()
    plain.nprobe = PROBES
    for row, stored in records:
        places = (row << GEOMETRY_BITS) + geometry(stored.points)
        for number, place, code in zip(stored.lists.tolist(), places, stored.codes, strict=True):
            entry = np.array([place]), np.array(code)
            plain.invlists.add_entries(number, 1, *map(faiss.swig_ptr, entry))
            plain.ntotal += 1
    vectors = floats(near_the_codes(records, 2, 300).descriptors)
    far, lists = BOOK.nearest(vectors, PROBES)
    distances, ids = plain.search_preassigned(vectors, NEIGHBOURS, lists, far)
    for found, real, real_ids in zip(hits(whole, vectors), distances, ids, strict=True):
        kept = (real_ids >= 0) & (real < CUT + ROUNDING)
        ours = np.array([distance for distance, _ in flat(found)])
        assert (kept & (real < CUT - ROUNDING)).sum() <= len(ours) <= kept.sum()
        assert np.abs(ours - np.sort(real[kept])[: len(ours)]).max(initial=0) < ROUNDING
        clear = kept & (real < min(real[kept].max(initial=0), CUT) - ROUNDING)
        assert set(real_ids[clear].tolist()) <= found.keys()


# -- growing ----------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 12), max_size=8), seed=st.integers(0, 2**32 - 1), on_disk=st.integers(0, 9))
def test_an_engine_grown_in_any_chunks_gives_the_hits_of_one_made_at_once(
    records: list[Record], whole: IvfParts, sizes: list[int], seed: int, on_disk: int
) -> None:
    query = near_the_codes(records, seed, 60)
    vectors, expected = floats(query.descriptors), whole.search([query], 100)
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(records)).tolist(), len(records)]
    with TemporaryDirectory() as folder:
        parts = IvfParts(BOOK, (), 0)
        for through, (start, end) in enumerate(pairwise(edges), start=1):
            parts = parts.grown(records[start:end], through)
            assert parts.through == through
            assert len(parts) == end
            if through == on_disk:  # as after publishing: what follows is kept beside the file
                parts.save(Path(folder) / "half")
                parts = IvfParts.load(BOOK, Path(folder) / "half", through)
        parts.save(Path(folder) / "file")
        loaded = IvfParts.load(BOOK, Path(folder) / "file", parts.through)
        for grown in (parts, loaded):
            assert len(grown) == len(whole) == len(records)
            assert flat_hits(grown, vectors) == flat_hits(whole, vectors)
            assert grown.search([query], 100) == expected


def test_growing_leaves_the_old_one_as_it_was(records: list[Record]) -> None:
    parts, earlier = IvfParts(BOOK, (), 0), []
    query = asked(drawn(0))
    for row, stored in records:
        earlier.append(parts)
        parts = parts.grown([(row, stored)], row)
    for size, old in enumerate(earlier):
        assert (len(old), old.through) == (size, 10 * size)
        rows = {one.row for one in old.search([query], 1_000)[0]}
        assert rows <= {row for row, _ in records[:size]}
        assert size == 0 or records[0][0] in rows


def test_few_parts_are_left_however_often_it_grows(records: list[Record], tmp_path: Path) -> None:
    IvfParts(BOOK, (), 0).grown(records[:3], 3).save(tmp_path / "file")
    parts = IvfParts.load(BOOK, tmp_path / "file", 3)
    for turn in range(64):
        parts = parts.grown([(1_000 + turn, records[turn % PICTURES][1])], turn)
        assert len(parts._parts) <= 1 + (turn + 1).bit_length()  # noqa: SLF001 -- what a search costs
    assert len(parts) == 3 + 64


def content(parts: IvfParts, path: Path, without: Sequence[int] | None = None) -> tuple[int, bytes]:
    """How many pictures are in the file of these parts, and all of it but the times of writing."""
    parts.save(path, None if without is None else np.array(without, np.int64))
    with np.load(path) as archive:
        return len(IvfParts.load(BOOK, path, 0, verify=False)), b"".join(archive[name].tobytes() for name in archive)


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 12), max_size=6),
    on_disk=st.integers(0, 7),
    gone=st.sets(st.sampled_from(range(PICTURES))),
)
def test_an_engine_written_without_some_pictures_is_one_made_of_the_rest(
    records: list[Record], sizes: list[int], on_disk: int, gone: set[int]
) -> None:
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(records)).tolist(), len(records)]
    rest = IvfParts(BOOK, (), 0).grown([one for number, one in enumerate(records) if number not in gone], 0)
    with TemporaryDirectory() as folder:
        parts = IvfParts(BOOK, (), 0)
        for through, (start, end) in enumerate(pairwise(edges), start=1):
            parts = parts.grown(records[start:end], through)
            if through == on_disk:
                parts.save(Path(folder) / "half")
                parts = IvfParts.load(BOOK, Path(folder) / "half", through, verify=False)
        lost = [records[number][0] for number in sorted(gone)]
        found = content(parts, Path(folder) / "file", lost)
        assert found == content(rest, Path(folder) / "rest")
        assert found[0] == PICTURES - len(gone)
        assert len(parts) == PICTURES


def test_not_verified_an_altered_file_is_noticed_by_the_first_search(whole: IvfParts, tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole.save(path)
    sound = path.read_bytes()
    middle = len(sound) // 2
    path.write_bytes(sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        IvfParts.load(BOOK, path, 1)
    parts = IvfParts.load(BOOK, path, 1, verify=False)
    assert len(parts) == len(whole)
    with pytest.raises(ValueError, match="damaged"):
        parts.search([asked(drawn(1))], 5)
    with pytest.raises(ValueError, match="damaged"):
        parts.save(tmp_path / "again")


# -- candidates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", [0, 7, 19, 30])
def test_a_crop_of_a_picture_is_found_first_among_thirty_others(whole: IvfParts, seed: int, *, mirrored: bool) -> None:
    crop = drawn(seed)[70:330, 60:280]
    larger = cv2.resize(crop[:, ::-1] if mirrored else crop, None, fx=1.3, fy=1.3)
    first, *others = whole.search([asked(np.asarray(larger, np.uint8))], 20)[0]
    assert (first.row, first.mirrored) == (10 * seed + 10, mirrored)
    assert all(first.votes > 2 * other.votes for other in others)


def test_queries_asked_together_are_answered_each_as_if_alone(whole: IvfParts) -> None:
    nothing = Features(np.zeros((0, 4), np.float32), np.zeros((0, LENGTH), np.uint8), 1.0, 1.0)
    queries = [asked(drawn(1)), nothing, asked(drawn(2)), asked(drawn(77)), nothing]
    together = whole.search(queries, 10)
    assert together == [whole.search([query], 10)[0] for query in queries]
    assert [answer == [] for answer in together] == [False, True, False, False, True]
    assert [answer[0].row for answer in (together[0], together[2])] == [20, 30]


def test_no_more_candidates_are_given_than_asked_for_and_the_best_first(whole: IvfParts) -> None:
    query = asked(drawn(3))
    every = whole.search([query], 1_000)[0]
    assert len(every) > 5
    for limit in (0, 1, 5):
        assert whole.search([query], limit)[0] == every[:limit]


def test_an_engine_without_pictures_or_points_finds_nothing(records: list[Record], tmp_path: Path) -> None:
    empty = IvfParts(BOOK, (), 0)
    bare = empty.grown([records[5]], 60)
    assert (len(empty), len(bare)) == (0, 1)
    for number, parts in enumerate((empty, bare, empty.grown([], 7))):
        parts.save(tmp_path / str(number))
        loaded = IvfParts.load(BOOK, tmp_path / str(number), parts.through)
        assert len(loaded) == len(parts)
        for one in (parts, loaded):
            assert one.search([], 5) == []
            assert one.search([asked(drawn(1))] * 2, 5) == [[], []]


def test_a_missing_or_cut_file_is_refused(whole: IvfParts, tmp_path: Path) -> None:
    whole.save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "file").write_bytes(content[:length])
        for verify in (True, False):
            with pytest.raises(ValueError, match="not a file of features"):
                IvfParts.load(BOOK, tmp_path / "file", 1, verify=verify)
    with pytest.raises(ValueError, match="not a file of features"):
        IvfParts.load(BOOK, tmp_path / "missing", 1)


def test_eight_threads_search_at_once_one_that_is_not_built_yet(records: list[Record], whole: IvfParts) -> None:
    queries = [asked(drawn(seed)) for seed in range(6)]
    alone = [whole.search([query], 10) for query in queries]
    fresh = IvfParts(BOOK, (), 0).grown(records[:20], 200).grown(records[20:], 400)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda turn: fresh.search([queries[turn % 6]], 10), range(48)))
    assert together == alone * 8
