"""An index scanned at depth ``fingerprint``: a check computes no features, which nothing could be compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import photos
import pytest
from PIL import ImageOps
from test_index import LONELY, SHARED, world

from imgmatch.actions.check import check
from imgmatch.actions.queries import named_photo
from imgmatch.describing.messages import Description, job_of
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.imaging.limits import Limits
from imgmatch.index import Index
from imgmatch.matching.checking import Checker
from imgmatch.matching.verification import CheckOptions
from imgmatch.model import Depth, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def full(home: Path) -> Iterator[Index]:
    """All photos have features."""
    with Index.create(home / "full") as index:
        index.add(world(home / "photos"))
        yield index


@pytest.fixture(scope="module")
def bare(home: Path) -> Iterator[Index]:
    """The same photos, of which none has features; opened to compute them, as every command but ``scan`` opens one."""
    with Index.create(home / "bare", depth=Depth.FINGERPRINT) as index:
        index.add(world(home / "photos"))
    with Index.open(home / "bare") as index:
        yield index


def queries() -> list[bytes]:
    shared = photos.picture(SHARED)
    edits = (shared, shared.rotate(90, expand=True), ImageOps.mirror(shared), shared.crop((60, 80, 400, 520)))
    whole = [photos.jpeg(edit, quality) for edit in edits for quality in (85, 8)]
    return [*whole, photos.png(photos.picture(LONELY)), photos.png(photos.picture(77)), b"no photo"]


@pytest.mark.slow
@pytest.mark.parametrize("max_distance", [None, 2, 60])
def test_without_features_a_check_gives_the_answers_it_gives_when_the_query_has_some(
    bare: Index, max_distance: int | None
) -> None:
    wanted = CheckOptions(max_distance=max_distance)
    parts = bare.parts
    checker = Checker(parts.catalog, parts.search, parts.banks, parts.folder.header())
    named = [named_photo(query) for query in queries()]
    described = list(bare.parts.runner.describe(named, lambda photo: job_of(photo, query=True)))
    assert any(isinstance(reply, Description) and reply.first.asked is not None for _, reply in described)
    assert list(check(bare.parts, named, wanted)) == checker.answers(described, wanted, None)
    assert [len(result) > 0 for result in check(bare.parts, named[:2], wanted)] == [True, max_distance != 2]


@pytest.mark.slow
def test_without_features_the_worker_computes_none_for_a_query_and_with_some_it_does(bare: Index, full: Index) -> None:
    asked: list[bool] = []

    class Looking(WorkerPool):
        def describe(self, items: Iterable[Any], job_of: Callable[[Any], Any], **more: Any) -> Iterator[Any]:  # noqa: ANN401 -- as it is
            for item, reply in super().describe(items, job_of, **more):
                asked.append(isinstance(reply, Description) and reply.first.asked is not None)
                yield item, reply

    for opened in (bare, full):
        with Looking(1, Settings(opened.parts.folder.header().hashers, Limits())) as runner:
            parts = replace(opened.parts, runner=runner)
            [result] = check(parts, [named_photo(photos.png(photos.picture(LONELY)))], CheckOptions())
        assert result.accounts == 1
    assert asked == [False, True]


def test_without_features_a_flat_photo_cannot_be_searched_though_it_has_points(bare: Index, full: Index) -> None:
    page = photos.flat((900, 900), (255, 255, 255))
    page.paste(photos.picture(LONELY).resize((200, 250)), (650, 40))
    assert full.check(photos.png(page)).status is Status.MATCH
    found = bare.check(photos.png(page))
    assert (found.status, (found.reason or "")[:6]) == (Status.NOT_SEARCHABLE, "flat: ")
