"""What must hold for each engine of features with each codebook; see ``imgmatch.engines.base.FeatureEngine``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from codes import on_one_core
from drawn_records import PICTURES, Record, asked, drawn, drawn_records, near_the_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.features.describe import LENGTH
from imgmatch.features.extract import Features
from imgmatch.features.record import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from imgmatch.engines.base import FeatureEngine
    from imgmatch.features.codebook import Codebook


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine with a codebook, both by name."""

    engine: str
    codebook: str

    @property
    def book(self) -> Codebook:
        return registry.codebook(self.codebook)

    @property
    def records(self) -> tuple[Record, ...]:
        return drawn_records(self.codebook)

    def empty(self) -> FeatureEngine:
        return registry.feature_engine(self.engine).empty(self.book)

    def open(self, path: Path, watermark: int, *, verify: bool = True) -> FeatureEngine:
        return registry.feature_engine(self.engine).open(self.book, path, watermark, verify=verify)

    def near(self, seed: int, count: int) -> Features:
        return near_the_codes(self.records, seed, count, self.book)


KINDS = {
    f"{engine} {codebook}": Kind(engine, codebook)
    for engine in registry.FEATURE_ENGINES
    for codebook in registry.CODEBOOKS
}
GANG = 40
NUMBERS = count()


@pytest.fixture(autouse=True, scope="module")
def one_core() -> Iterator[None]:
    yield from on_one_core()


@pytest.fixture(params=sorted(KINDS), scope="module")
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def whole(kind: Kind) -> FeatureEngine:
    return made(kind, kind.records)


def made(kind: Kind, records: Sequence[Record]) -> FeatureEngine:
    return kind.empty().appended(records, 10_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def reopened(kind: Kind, engine: FeatureEngine, folder: Path, *, verify: bool = True) -> FeatureEngine:
    """What is opened from the file of an engine, a new one in a folder."""
    path = folder / str(next(NUMBERS))
    engine.save(path)
    return kind.open(path, engine.watermark, verify=verify)


# -- searching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", [0, 7, 19, 30])
def test_a_crop_of_a_picture_is_found_first_among_thirty_others(
    whole: FeatureEngine, seed: int, *, mirrored: bool
) -> None:
    crop = drawn(seed)[70:330, 60:280]
    larger = cv2.resize(crop[:, ::-1] if mirrored else crop, None, fx=1.3, fy=1.3)
    first, *others = whole.search([asked(np.asarray(larger, np.uint8))], 20)[0]
    assert (first.row, first.mirrored) == (10 * seed + 10, mirrored)
    assert all(first.votes > 2 * other.votes for other in others)


@pytest.mark.parametrize("least", [0.3, 1.0, 5.0, 1e6])
def test_pictures_with_fewer_votes_are_left_out_and_nothing_else_changes(whole: FeatureEngine, least: float) -> None:
    query = asked(drawn(7)[70:330, 60:280])
    every = whole.search([query], 20)[0]
    assert whole.search([query], 20, least)[0] == [one for one in every if one.votes >= least]


@pytest.mark.slow
def test_queries_asked_together_are_answered_each_as_if_alone(whole: FeatureEngine) -> None:
    nothing = Features(np.zeros((0, 4), np.float32), np.zeros((0, LENGTH), np.uint8), 1.0, 1.0)
    queries = [asked(drawn(1)), nothing, asked(drawn(2)), asked(drawn(77)), nothing]
    together = whole.search(queries, 10)
    assert together == [whole.search([query], 10)[0] for query in queries]
    assert [answer == [] for answer in together] == [False, True, False, False, True]
    assert [answer[0].row for answer in (together[0], together[2])] == [20, 30]


def test_no_more_candidates_are_given_than_asked_for_and_the_best_first(whole: FeatureEngine) -> None:
    query = asked(drawn(3))
    every = whole.search([query], 1_000)[0]
    assert len(every) > 5
    for limit in (0, 1, 5):
        assert whole.search([query], limit)[0] == every[:limit]


@pytest.mark.slow
def test_an_engine_without_pictures_or_points_finds_nothing(kind: Kind, folder: Path) -> None:
    empty = kind.empty()
    bare = empty.appended([kind.records[5]], 60)
    assert (len(empty), len(bare)) == (0, 1)
    for engine in (empty, bare, empty.appended([], 7)):
        opened = reopened(kind, engine, folder)
        assert len(opened) == len(engine)
        for one in (engine, opened):
            assert one.search([], 5) == []
            assert one.search([asked(drawn(1))] * 2, 5) == [[], []]


@pytest.mark.slow
def test_eight_threads_search_at_once(kind: Kind, whole: FeatureEngine) -> None:
    queries = [asked(drawn(seed)) for seed in range(6)]
    alone = [whole.search([query], 10) for query in queries]
    records = kind.records
    fresh = kind.empty().appended(records[:20], 200).appended(records[20:], 400)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda turn: fresh.search([queries[turn % 6]], 10), range(48)))
    assert together == alone * 8


# -- appending and removing -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 12), max_size=8), seed=st.integers(0, 2**32 - 1), on_disk=st.integers(0, 9))
def test_an_engine_appended_to_in_any_portions_answers_as_one_made_at_once(
    folder: Path, name: str, sizes: list[int], seed: int, on_disk: int
) -> None:
    kind = KINDS[name]
    records, query = kind.records, kind.near(seed, 60)
    expected = made(kind, records).search([query], 100)
    engine = kind.empty()
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(records)).tolist(), len(records)]
    for watermark, (start, end) in enumerate(pairwise(edges), start=1):
        engine = engine.appended(records[start:end], watermark)
        assert (engine.watermark, len(engine)) == (watermark, end)
        if watermark == on_disk:  # as after publishing: what follows is kept beside the file
            engine = reopened(kind, engine, folder)
    for one in (engine, reopened(kind, engine, folder)):
        assert len(one) == len(records)
        assert one.search([query], 100) == expected


def gang(kind: Kind) -> list[Record]:
    """Copies of one picture that differ in a few codes: of those equally near to a point only some are kept."""
    (_, first), rng = kind.records[1], np.random.default_rng(3)
    found = []
    for row in range(1, GANG + 1):
        codes = first.codes.copy()
        codes[rng.random(len(codes)) < 0.1, 3] ^= 1
        found.append((1_000 + row, Stored(first.points, first.lists, codes, first.width, first.height)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("portion", [1, 7, GANG])
def test_which_of_many_near_copies_are_candidates_does_not_depend_on_how_they_came_in(
    kind: Kind, folder: Path, portion: int
) -> None:
    copies, queries = gang(kind), [asked(drawn(1)), asked(drawn(1)[60:400, 40:330])]
    expected = made(kind, copies).search(queries, 25)
    engine = kind.empty()
    for at in range(0, GANG, portion):
        engine = engine.appended(copies[at : at + portion], at + 1)
    assert engine.search(queries, 25) == reopened(kind, engine, folder).search(queries, 25) == expected
    assert [engine.search([query], 25)[0] for query in queries] == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 12), max_size=6),
    on_disk=st.integers(0, 7),
    gone=st.lists(st.sets(st.sampled_from(range(PICTURES))), max_size=2),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_was_removed_is_found_no_more_and_not_saved(
    folder: Path, name: str, sizes: list[int], on_disk: int, gone: list[set[int]], seed: int
) -> None:
    kind = KINDS[name]
    records, query = kind.records, kind.near(seed, 60)
    engine, kept = kind.empty(), dict(enumerate(records))
    edges = [0, *np.minimum(np.cumsum([0, *sizes]), len(records)).tolist(), len(records)]
    for watermark, (start, end) in enumerate(pairwise(edges), start=1):
        engine = engine.appended(records[start:end], watermark)
        if watermark == on_disk:
            engine = reopened(kind, engine, folder, verify=False)
    for places in gone:
        lost = [kept.pop(place)[0] for place in sorted(places) if place in kept]
        engine = engine.removed(np.array(lost, np.int64))
    expected = made(kind, list(kept.values())).search([query], 100)
    for one in (engine, reopened(kind, engine, folder)):
        assert len(one) == len(kept)
        assert one.search([query], 100) == expected


@pytest.mark.slow
def test_appending_and_removing_leave_the_old_one_as_it_was(kind: Kind) -> None:
    records, query = kind.records, asked(drawn(0))
    engine, earlier = kind.empty(), []
    for row, stored in records:
        earlier.append(engine)
        engine = engine.appended([(row, stored)], row)
    engine.removed(np.array([10]))
    for size, old in enumerate([*earlier, engine]):
        assert (len(old), old.watermark) == (size, 10 * size)
        rows = {one.row for one in old.search([query], 1_000)[0]}
        assert rows <= {row for row, _ in records[:size]}
        assert size == 0 or records[0][0] in rows


# -- watermarks -------------------------------------------------------------------------------------------------------


def test_the_watermark_rises_also_where_there_is_nothing_to_append(kind: Kind, folder: Path) -> None:
    engine = kind.empty()
    assert engine.watermark == 0
    for watermark in (0, 9, 9, 40):
        engine = engine.appended([], watermark)
        assert (len(engine), engine.watermark, reopened(kind, engine, folder).watermark) == (0, watermark, watermark)


def test_a_watermark_never_falls_so_that_no_row_is_skipped_or_taken_twice(kind: Kind) -> None:
    engine = kind.empty().appended(kind.records[:1], 19)
    with pytest.raises(ValueError, match="up to 19"):
        engine.appended(kind.records[1:2], 18)
    assert (len(engine), engine.watermark) == (1, 19)


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_missing_or_cut_file_is_refused(kind: Kind, whole: FeatureEngine, tmp_path: Path) -> None:
    whole.save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "file").write_bytes(content[:length])
        for verify in (True, False):
            with pytest.raises(ValueError, match="not a file of features"):
                kind.open(tmp_path / "file", 1, verify=verify)
    with pytest.raises(ValueError, match="not a file of features"):
        kind.open(tmp_path / "missing", 1)


def test_not_verified_an_altered_file_is_noticed_by_the_first_search(
    kind: Kind, whole: FeatureEngine, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    whole.save(path)
    sound = path.read_bytes()
    middle = len(sound) // 2
    path.write_bytes(sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        kind.open(path, 1)
    engine = kind.open(path, 1, verify=False)
    assert len(engine) == len(whole)
    with pytest.raises(ValueError, match="damaged"):
        engine.search([asked(drawn(1))], 5)
    with pytest.raises(ValueError, match="damaged"):
        engine.save(tmp_path / "again")
