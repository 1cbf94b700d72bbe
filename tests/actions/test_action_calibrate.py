from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.actions.calibrate import LEAST_OF_EACH, calibrate
from imgmatch.actions.labels import read_pairs
from imgmatch.catalog.calibrations import latest_calibration
from imgmatch.errors import ConflictError, SourceError
from imgmatch.features import pair_model as rules
from imgmatch.index import Index
from imgmatch.model import Labelled, NamedPhoto, NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = LEAST_OF_EACH + 2
WHOLE = [photos.picture(seed, (240, 300)) for seed in range(300, 300 + COUNT)]
CROPS = [photos.jpeg(image.crop((20, 30, 220, 250)), 80) for image in WHOLE]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    photos.write_accounts(tmp_path / "photos", {f"a{n}": {"1.jpg": image} for n, image in enumerate(WHOLE)})
    with Index.create(tmp_path / "index") as made:
        made.add([NewPhoto.at(path, account=path.parent.name) for path in sorted((tmp_path / "photos").glob("*/*"))])
        yield made


def labelled(copies: int, strangers: int) -> list[Labelled]:
    """Crops with their own photos; photos with each other, which share nothing that could be scored but noise."""
    whole = [NamedPhoto(str(n), photos.jpeg(image)) for n, image in enumerate(WHOLE)]
    crops = [NamedPhoto(f"crop {n}", data) for n, data in enumerate(CROPS)]
    pairs = [Labelled(crops[n], whole[n], copy=True) for n in range(copies)]
    # The same crops called strangers: people may decide so, and the scores have to follow.
    return pairs + [Labelled(crops[n], whole[n], copy=False) for n in range(strangers)]


@pytest.mark.slow
def test_without_pairs_nothing_is_changed_and_the_false_answers_are_foretold(index: Index) -> None:
    forecast = calibrate(index.parts, checks=1000)
    assert (forecast.accept, forecast.pairs, forecast.unusable) == (rules.shipped().accept, 0, 0)
    assert (forecast.sampled, forecast.checks) == (COUNT, 1000)
    assert forecast.false_a_night == pytest.approx(forecast.false_per_1000_checks, abs=0.01)
    with index.parts.catalog.read() as session:
        assert latest_calibration(session) is None


@pytest.mark.slow
def test_decisions_move_the_scores_and_the_next_check_sees_it(index: Index) -> None:
    before = index.check(CROPS[0])
    assert before.status is Status.MATCH
    forecast = calibrate(index.parts, labelled(COUNT, COUNT), sample=1)
    assert (forecast.pairs, forecast.unusable) == (2 * COUNT, 0)
    after = index.check(CROPS[0], min_score=0)
    assert after.matches[0].evidence.score < before.matches[0].evidence.score
    with index.parts.catalog.read() as session:
        kept = latest_calibration(session)
    assert kept is not None
    assert kept.pairs == 2 * COUNT


@pytest.mark.slow
def test_too_few_pairs_of_one_kind_are_refused(index: Index) -> None:
    with pytest.raises(ConflictError, match="at least 10 of each"):
        calibrate(index.parts, labelled(COUNT, LEAST_OF_EACH - 1), sample=1)


@pytest.mark.slow
def test_the_bar_is_set_by_the_false_answers_that_are_wanted(index: Index) -> None:
    forecast = calibrate(index.parts, false_per_1000=0.001)
    assert forecast.false_per_1000_checks <= 0.001
    with index.parts.catalog.read() as session:
        kept = latest_calibration(session)
    assert kept is not None
    assert (round(kept.accept, 4), kept.pairs) == (forecast.accept, 0)


def test_a_file_of_pairs_is_read_and_its_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("copy,query,stored\nyes,a.jpg,b.jpg\nperhaps,c.jpg,d.jpg\nno,,e.jpg\nNO,f.jpg,/g.jpg\n")
    pairs, problems = read_pairs(path)
    assert [(pair.query.name, pair.stored.name, pair.copy) for pair in pairs] == [
        ("a.jpg", "b.jpg", True),
        ("f.jpg", "/g.jpg", False),
    ]
    assert pairs[0].query.content == tmp_path / "a.jpg"
    assert [problem.split(": ")[1] for problem in problems] == ["line 3", "line 4"]


@pytest.mark.parametrize("content", [None, b"", b"query,stored\na,b\n", b"\xff\xfe\x00"])
def test_a_file_that_holds_no_pairs_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "pairs.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=r"pairs\.csv"):
        read_pairs(path)
