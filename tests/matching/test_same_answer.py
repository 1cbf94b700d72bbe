"""The same answer, always: however many ask, work or wait, and however the engines are put together.

The small form of ``tests/bench/bench_same_answer.py``.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import faiss
import photos
import pytest
from comparing import as_json, every_core_burning, rings_as_json, split
from PIL import Image, ImageOps

from imgmatch.actions.rings import find_rings
from imgmatch.describing.messages import Description, job_of
from imgmatch.features.codebook import shipped
from imgmatch.index import Index
from imgmatch.matching.verification import Verifier
from imgmatch.model import NamedPhoto, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.describing.messages import Reply

SIZE = (320, 400)
BOOK = shipped()
GANG = 24
"""Near copies of one picture: of each of its points more are equally near than are kept."""

OTHERS = 12
TIMES = 3
"""How often each question is asked where threads ask at once."""


def shot(seed: int) -> Image.Image:
    return photos.picture(seed, SIZE)


def world(folder: Path) -> list[NewPhoto]:
    """Photos of accounts, on disk."""
    files = [(f"gang{number:02}", photos.jpeg(shot(0), 60 + number)) for number in range(GANG)]
    files += [(f"other{seed:02}", photos.jpeg(shot(seed), 80)) for seed in range(1, OTHERS)]
    files += [("thief", photos.jpeg(ImageOps.mirror(shot(3).crop((30, 40, 300, 330)))))]
    folder.mkdir()
    for account, packed in files:
        (folder / f"{account}.jpg").write_bytes(packed)
    return [NewPhoto.at(folder / f"{account}.jpg", account=account) for account, _ in files]


def screenshot(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (500, 900), (236, 229, 221))
    screen.paste(picture.resize((280, 350)), (150, 300))
    return screen


QUESTIONS = [
    photos.jpeg(picture, 75)
    for picture in (
        shot(0).crop((20, 30, 300, 350)),
        ImageOps.mirror(shot(0)).rotate(4).crop((40, 50, 280, 340)),
        screenshot(shot(1)),
        shot(2).rotate(90, expand=True),
        ImageOps.mirror(shot(3)),
        shot(99),
        ImageOps.invert(shot(4)).rotate(90, expand=True),
    )
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index that was filled at once, and its photos."""
    home = tmp_path_factory.mktemp("home")
    with Index.create(home / "index") as index:
        index.add(world(home / "photos"))
    return home


@pytest.fixture(scope="module")
def index(home: Path) -> Iterator[Index]:
    with Index.open(home / "index") as opened:
        yield opened


@pytest.fixture(scope="module")
def expected(index: Index) -> list[str]:
    return checked(index, 1)


def checked(index: Index, batch: int) -> list[str]:
    """The answers to all questions, asked so many at a time, as JSON."""
    batches = [QUESTIONS[at : at + batch] for at in range(0, len(QUESTIONS), batch)]
    return [as_json(result) for some in batches for result in index.check_many(some, related=True)]


def rings(index: Index) -> str:
    """The rings, as JSON."""
    report = find_rings(index.parts)
    assert report.rings
    return rings_as_json(report)


def in_threads(index: Index, threads: int) -> list[str]:
    """The answers to all questions, each asked several times, by so many threads at once."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda question: as_json(index.check(question, related=True)), QUESTIONS * TIMES))


@pytest.mark.slow
def test_the_questions_have_answers_of_every_kind(index: Index) -> None:
    results = list(index.check_many(QUESTIONS))
    assert [result.accounts for result in results][2:] == [1, 1, 2, 0, 1]
    assert all(result.accounts >= 10 for result in results[:2])
    assert {str(match.evidence.kind) for result in results for match in result} == {"near", "partial"}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 8, 16])
def test_a_check_gives_the_same_answer_to_any_number_of_threads(
    index: Index, expected: list[str], threads: int
) -> None:
    assert in_threads(index, threads) == expected * TIMES


@pytest.mark.slow
@pytest.mark.serial
def test_a_check_gives_the_same_answer_on_a_machine_that_is_busy(index: Index, expected: list[str]) -> None:
    with every_core_burning():
        assert in_threads(index, 8) == expected * TIMES


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_check_gives_the_same_answer_alone_and_in_a_batch(index: Index, expected: list[str], batch: int) -> None:
    assert checked(index, batch) == expected


@contextmanager
def faiss_threads(count: int) -> Iterator[None]:
    usual = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    yield
    faiss.omp_set_num_threads(usual)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_check_gives_the_same_answer_whatever_number_of_threads_faiss_takes(
    index: Index, expected: list[str], threads: int
) -> None:
    with faiss_threads(threads):
        assert checked(index, 64) == expected


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 8])
def test_scanned_and_checked_by_any_number_of_workers_it_is_the_same(
    home: Path, index: Index, expected: list[str], tmp_path: Path, workers: int
) -> None:
    with Index.create(tmp_path / "index", workers=workers) as other:
        other.add(NewPhoto.at(path, account=path.stem) for path in sorted((home / "photos").iterdir()))
        assert checked(other, 64) == expected
        assert rings(other) == rings(index)


@pytest.mark.slow
def test_a_check_gives_the_same_answer_after_a_rebuild_and_so_do_rings(
    home: Path, index: Index, expected: list[str], tmp_path: Path
) -> None:
    shutil.copytree(home / "index", tmp_path / "index")
    with Index.open(tmp_path / "index") as other:
        before = rings(other)
        other.rebuild()
        assert checked(other, 7) == expected
        assert rings(other) == before == rings(index)


@pytest.mark.slow
def test_a_check_gives_the_same_answer_from_one_segment_and_from_ten_and_so_do_rings(
    home: Path, index: Index, expected: list[str], tmp_path: Path
) -> None:
    with Index.create(tmp_path / "index") as other:
        other.add(NewPhoto.at(path, account=path.stem) for path in sorted((home / "photos").iterdir()))
        with faiss_threads(1):  # many short searches: waking threads for each would take longer
            split(other)
            assert checked(other, 64) == expected
            assert rings(other) == rings(index)
            split(other)
            assert checked(other, 1) == expected


def test_two_photos_compare_the_same_in_any_number_of_threads(index: Index) -> None:
    queries = [NamedPhoto("query", question) for question in QUESTIONS]
    others = [NamedPhoto("stored", photos.jpeg(shot(seed))) for seed in range(4)]
    asked = [reply for _, reply in index.parts.runner.describe(queries, partial(job_of, query=True))]
    stored = [reply for _, reply in index.parts.runner.describe(others, job_of)]
    pairs = [(one, two) for one in asked for two in stored]
    verifier = Verifier(BOOK.name, index.parts.folder.header().hashers[0])

    def evidence(pair: tuple[Reply, Reply]) -> str:
        one, two = pair
        assert isinstance(one, Description)
        assert isinstance(two, Description)
        return as_json(verifier.pair(one.first, two.first, index.parts.hasher.profile.max_distance))

    alone = [evidence(pair) for pair in pairs]
    for threads in (2, 8, 16):
        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(evidence, pairs)) == alone
