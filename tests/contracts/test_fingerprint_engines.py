"""What must hold for each engine of fingerprints of the registry; see ``imgmatch.engines.base.FingerprintEngine``."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest
from codes import MOST_ID, by_counting_bits, on_one_core, queries, random_codes, rows, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.engines.snapshots import map_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.engines.base import Codes, FingerprintEngine, Ids

ENGINES = {name: registry.engine(name) for name in registry.ENGINES}
LINEAR = registry.engine("linear")
NOTHING = (np.empty(0, np.int64), np.empty((0, 32), np.uint8))


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


@pytest.fixture(params=sorted(ENGINES), scope="module")
def kind(request: pytest.FixtureRequest) -> type[FingerprintEngine]:
    return ENGINES[request.param]


def by_id(ids: Ids, codes: Codes) -> list[tuple[int, bytes]]:
    return sorted(zip(ids.tolist(), map(bytes, codes), strict=True))


def made(kind: type[FingerprintEngine], ids: Ids, codes: Codes) -> FingerprintEngine:
    return kind.empty().appended((ids, codes), MOST_ID)


def reopened(engine: FingerprintEngine) -> FingerprintEngine:
    """What is opened from the file of an engine; the file is gone by then."""
    with TemporaryDirectory() as folder:
        engine.save(Path(folder) / "file")
        return type(engine).open(Path(folder) / "file", engine.watermark)


def snapshot(kind: type[FingerprintEngine], folder: Path, count: int = 7) -> Path:
    path = folder / "snapshot"
    made(kind, np.arange(count, dtype=np.int64), random_codes(3, count)).save(path)
    return path


# -- searching --------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(held=stored(most=12), asked=queries(most=3), max_distance=st.integers(0, 256))
def test_the_oracle_itself_counts_bits(held: tuple[Ids, Codes], asked: Codes, max_distance: int) -> None:
    assert rows(made(LINEAR, *held).search(asked, max_distance)) == by_counting_bits(*held, asked, max_distance)


@pytest.mark.parametrize("name", sorted(ENGINES))
@settings(max_examples=100, deadline=None)
@given(held=stored(), asked=queries(), max_distance=st.integers(0, 256))
def test_an_engine_finds_what_the_oracle_finds(
    name: str, held: tuple[Ids, Codes], asked: Codes, max_distance: int
) -> None:
    found = made(ENGINES[name], *held).search(asked, max_distance)
    assert rows(found) == rows(made(LINEAR, *held).search(asked, max_distance))


def test_an_engine_finds_what_the_oracle_finds_at_every_distance(kind: type[FingerprintEngine]) -> None:
    ids, asked = np.arange(60, dtype=np.int64)[::-1].copy(), random_codes(2, 4)
    engine, oracle = made(kind, ids, random_codes(1, 60)), made(LINEAR, ids, random_codes(1, 60))
    for max_distance in range(257):
        assert rows(engine.search(asked, max_distance)) == rows(oracle.search(asked, max_distance))


def test_the_distance_is_inclusive(kind: type[FingerprintEngine]) -> None:
    bits = np.zeros((257, 256), dtype=np.uint8)
    bits[np.tril_indices(257, -1, 256)] = 1  # row n differs from row 0 in n bits
    engine = made(kind, np.arange(257, dtype=np.int64), np.packbits(bits, axis=1))
    for max_distance in range(257):
        hits = engine.search(np.zeros((1, 32), dtype=np.uint8), max_distance)
        assert hits.ids.tolist() == hits.distances.tolist() == list(range(max_distance + 1))


def test_nothing_is_nearer_than_equal(kind: type[FingerprintEngine]) -> None:
    engine = made(kind, np.arange(3, dtype=np.int64), random_codes(0, 3))
    assert len(engine.search(random_codes(0, 3), -1)) == 0


def test_hits_are_sorted_by_query_then_distance_then_id_and_typed(kind: type[FingerprintEngine]) -> None:
    ids = np.random.default_rng(5).permutation(500).astype(np.int64)
    hits = made(kind, ids, random_codes(6, 500)).search(random_codes(7, 9), 140)
    assert len(hits) > 500
    assert rows(hits) == sorted(rows(hits))
    assert [hits.queries.dtype, hits.ids.dtype, hits.distances.dtype] == [np.int64, np.int64, np.int32]


def test_equal_fingerprints_under_several_ids_are_all_found(kind: type[FingerprintEngine]) -> None:
    code = random_codes(1, 1)
    engine = made(kind, np.array([MOST_ID, 7, 0, 2**40]), np.repeat(code, 4, axis=0))
    assert rows(engine.search(code, 0)) == [(0, 0, 0), (0, 0, 7), (0, 0, 2**40), (0, 0, MOST_ID)]


def test_an_empty_engine_finds_nothing_and_an_empty_question_has_no_answer(kind: type[FingerprintEngine]) -> None:
    for engine in (kind.empty(), made(kind, *NOTHING), reopened(kind.empty())):
        assert len(engine) == 0
        assert len(engine.search(random_codes(1, 3), 256)) == 0
        assert len(engine.search(random_codes(1, 0), 256)) == 0


@pytest.mark.parametrize("shape", [(3, 31), (2, 32), (3, 32, 1), (96,)])
def test_fingerprints_that_do_not_fit_their_ids_are_refused(
    kind: type[FingerprintEngine], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        made(kind, np.arange(3, dtype=np.int64), np.zeros(shape, dtype=np.uint8))


# -- appending and removing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ENGINES))
@settings(max_examples=60, deadline=None)
@given(
    held=stored(most=60),
    sizes=st.lists(st.integers(0, 5), max_size=30),
    asked=queries(),
    max_distance=st.integers(0, 256),
)
def test_an_engine_appended_to_in_any_portions_is_one_made_at_once(
    name: str, held: tuple[Ids, Codes], sizes: list[int], asked: Codes, max_distance: int
) -> None:
    ids, codes = held
    engine = ENGINES[name].empty()
    edges = [0, *np.minimum(np.cumsum(sizes), len(ids)).tolist(), len(ids)] if sizes else [0, len(ids)]
    for watermark, (start, end) in enumerate(pairwise(edges), start=1):
        engine = engine.appended((ids[start:end], codes[start:end]), watermark)
        assert engine.watermark == watermark
    expected = rows(made(LINEAR, *held).search(asked, max_distance))
    saved = reopened(engine)
    assert len(engine) == len(saved) == len(ids)
    assert rows(engine.search(asked, max_distance)) == rows(saved.search(asked, max_distance)) == expected


@pytest.mark.parametrize("name", sorted(ENGINES))
@settings(max_examples=60, deadline=None)
@given(
    held=stored(most=60),
    sizes=st.lists(st.integers(0, 9), max_size=12),
    gone=st.lists(st.sets(st.integers(0, 59)), max_size=2),
    asked=queries(),
    max_distance=st.integers(0, 256),
)
def test_what_was_removed_is_found_no_more_and_not_saved(
    name: str,
    held: tuple[Ids, Codes],
    sizes: list[int],
    gone: list[set[int]],
    asked: Codes,
    max_distance: int,
) -> None:
    ids, codes = held
    engine, kept = ENGINES[name].empty(), np.ones(len(ids), bool)
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(ids)).tolist(), len(ids)]
    for start, end in pairwise(edges):
        engine = engine.appended((ids[start:end], codes[start:end]), 7)
    for places in gone:
        chosen = np.isin(np.arange(len(ids)), sorted(places)) & kept
        engine, kept = engine.removed(ids[chosen]), kept & ~chosen
    expected = rows(made(LINEAR, ids[kept], codes[kept]).search(asked, max_distance))
    for one in (engine, reopened(engine)):
        assert (len(one), one.watermark) == (kept.sum(), 7)
        assert rows(one.search(asked, max_distance)) == expected


def test_appending_and_removing_leave_the_old_one_as_it_was(kind: type[FingerprintEngine]) -> None:
    codes = random_codes(1, 60)
    engine, earlier = kind.empty(), []
    for row in range(60):
        earlier.append(engine)
        engine = engine.appended((np.array([row + 1]), codes[row : row + 1]), row + 1)
    engine.removed(np.arange(1, 31))
    for size, old in enumerate([*earlier, engine]):
        assert (len(old), old.watermark) == (size, size)
        assert sorted(old.search(codes[:1], 256).ids.tolist()) == list(range(1, size + 1))


def test_what_is_opened_is_appended_to_and_saved_beside_the_file_it_lies_in(
    kind: type[FingerprintEngine], tmp_path: Path
) -> None:
    ids, codes = np.arange(90, dtype=np.int64), random_codes(1, 90)
    engine = kind.empty().appended((ids[:30], codes[:30]), 29)
    for turn in range(1, 3):
        engine.removed(ids[turn : turn + 1]).save(tmp_path / str(turn))
        engine = kind.open(tmp_path / str(turn), engine.watermark, verify=False)
        span = slice(30 * turn, 30 * turn + 30)
        engine = engine.appended((ids[span], codes[span]), 30 * turn + 29)
    kept = np.delete(np.arange(90), [1, 2])
    assert (len(engine), engine.watermark) == (88, 89)
    expected = made(LINEAR, ids[kept], codes[kept]).search(codes[:5], 256)
    assert rows(engine.search(codes[:5], 256)) == rows(expected)


# -- watermarks -------------------------------------------------------------------------------------------------------


def test_the_watermark_rises_also_where_there_is_nothing_to_append(kind: type[FingerprintEngine]) -> None:
    engine = kind.empty()
    assert engine.watermark == 0
    for watermark in (0, 9, 9, 40):
        engine = engine.appended(NOTHING, watermark)
        assert (len(engine), engine.watermark, reopened(engine).watermark) == (0, watermark, watermark)


def test_a_watermark_never_falls_so_that_no_row_is_skipped_or_taken_twice(kind: type[FingerprintEngine]) -> None:
    engine = kind.empty().appended((np.array([5]), random_codes(1, 1)), 9)
    with pytest.raises(ValueError, match="up to 9"):
        engine.appended((np.array([7]), random_codes(2, 1)), 8)
    assert (len(engine), engine.watermark) == (1, 9)


# -- files ------------------------------------------------------------------------------------------------------------


def test_an_altered_file_is_opened_only_where_it_is_not_verified_and_a_cut_one_never(
    kind: type[FingerprintEngine], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    codes = random_codes(1, 5)
    made(kind, np.arange(5), codes).save(path)
    whole = path.read_bytes()
    place = whole.index(codes.tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        kind.open(path, 4)
    assert (0, 1, 0) in rows(kind.open(path, 4, verify=False).search(codes[:1], 1))
    path.write_bytes(whole[:-1])
    for verify in (True, False):
        with pytest.raises(ValueError, match="damaged"):
            kind.open(path, 4, verify=verify)


def test_a_file_cut_short_anywhere_is_refused(kind: type[FingerprintEngine], tmp_path: Path) -> None:
    path = snapshot(kind, tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="snapshot"):
            kind.open(path, 6)


def test_a_file_with_a_bit_turned_is_refused_or_reads_the_same(kind: type[FingerprintEngine], tmp_path: Path) -> None:
    path = snapshot(kind, tmp_path)
    whole, sound = path.read_bytes(), rows(kind.open(path, 6).search(random_codes(4, 2), 256))
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place * 5 % 8)
        path.write_bytes(damaged)
        try:
            opened = kind.open(path, 6)
        except ValueError:
            continue
        # An archive has a few bytes that mean nothing, such as its time of writing.
        assert rows(opened.search(random_codes(4, 2), 256)) == sound, place


def test_an_archive_that_says_it_is_encrypted_reads_the_same(kind: type[FingerprintEngine], tmp_path: Path) -> None:
    path = snapshot(kind, tmp_path)
    whole, sound = bytearray(path.read_bytes()), by_id(*map_arrays(path))
    whole[whole.index(b"PK\1\2") + 8] |= 1  # one bit; zipfile raises RuntimeError where it is to read such a member
    path.write_bytes(whole)
    assert by_id(*map_arrays(path)) == sound


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 4096, b"PK\5\6" + bytes(18), b"IBMp" + b"\xff" * 400, b"SQLite format 3\0"]
)
def test_a_file_of_something_else_is_refused(kind: type[FingerprintEngine], content: bytes, tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_bytes(content)
    with pytest.raises(ValueError, match="snapshot"):
        kind.open(tmp_path / "snapshot", 6)


def test_a_missing_file_or_a_folder_is_refused(kind: type[FingerprintEngine], tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match="snapshot"):
            kind.open(path, 6)


@pytest.mark.parametrize(
    ("ids", "codes"),
    [
        (np.zeros(3), np.zeros((3, 32), np.uint8)),
        (np.zeros(3, np.int64), np.zeros((3, 32))),
        (np.zeros(3, np.int64), np.zeros((2, 32), np.uint8)),
        (np.zeros(3, np.int64), np.zeros((3, 16), np.uint8)),
        (np.array(["a"], dtype=object), np.zeros((1, 32), np.uint8)),
    ],
    ids=["ids of floats", "codes of floats", "codes missing", "short codes", "pickled ids"],
)
def test_an_archive_of_other_arrays_is_refused(
    kind: type[FingerprintEngine], ids: Ids, codes: Codes, tmp_path: Path
) -> None:
    path = tmp_path / "snapshot.npz"
    np.savez(path, ids=ids, codes=codes)
    with pytest.raises(ValueError, match=r"snapshot|fit"):
        kind.open(path, 6)


LOAD_NOISE = """
import sys, numpy
from pathlib import Path
from imgmatch import registry
kind, path = registry.engine(sys.argv[1]), Path(sys.argv[2])
whole, rng = path.read_bytes(), numpy.random.default_rng(1)
for _ in range(400):
    noisy = numpy.frombuffer(whole, numpy.uint8).copy()
    spot = int(rng.integers(0, len(noisy)))
    noisy[spot : spot + int(rng.integers(1, 60))] = rng.integers(0, 256)
    path.write_bytes(noisy.tobytes())
    try:
        kind.open(path, 9).search(numpy.zeros((2, 32), numpy.uint8), 256)
    except ValueError:
        pass
print("alive")
"""


@pytest.mark.slow
def test_no_damage_ends_the_process(kind: type[FingerprintEngine], tmp_path: Path) -> None:
    name = next(name for name, engine in ENGINES.items() if engine is kind)
    path = snapshot(kind, tmp_path, 50)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_NOISE, name, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


def test_eight_threads_search_at_once(kind: type[FingerprintEngine]) -> None:
    engine = made(kind, np.arange(3_000, dtype=np.int64), random_codes(1, 3_000))
    asked = [random_codes(seed, 20) for seed in range(24)]
    alone = [rows(engine.search(queries, 40)) for queries in asked]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda queries: rows(engine.search(queries, 40)), asked))
    assert together == alone
