from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard

from imgmatch.actions.scan import scan
from imgmatch.errors import SourceError
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = (96, 120)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("index") / "index") as index:
        yield index


def test_several_sources_are_counted_together(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path / "one", {"a": {"1.jpg": photos.picture(1, SIZE)}})
    photos.write_accounts(tmp_path / "two", {"b": {"1.jpg": photos.picture(2, SIZE), "2.jpg": photos.flat()}})
    (tmp_path / "two" / "m.csv").write_text("account,photo\nc,b/1.jpg\n")
    (tmp_path / "three.jpg").write_bytes(photos.jpeg(photos.picture(3, SIZE)))
    sources = [tmp_path / "one", tmp_path / "two", tmp_path / "two" / "m.csv", tmp_path / "three.jpg"]
    result = scan(index.parts, sources)
    assert (result.added, result.skipped) == (4, 1)
    [match] = index.check(tmp_path / "three.jpg")
    assert (match.photo.account, match.photo.photo) == ("three", "three.jpg")
    result = scan(index.parts, sources)
    assert (result.added, result.unchanged, result.skipped) == (0, 4, 1)


def test_nothing_is_written_when_one_source_cannot_be_read_at_all(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path, {"a": {"1.jpg": photos.picture(9, SIZE)}})
    before = index.counts()
    with pytest.raises(SourceError, match="does not exist"):
        scan(index.parts, [tmp_path, tmp_path / "none"])
    assert index.counts() == before


def test_the_same_source_twice_is_scanned_twice_and_changes_nothing(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path, {"twice": {"1.jpg": photos.picture(10, SIZE)}})
    result = scan(index.parts, [tmp_path, tmp_path], prune=True)
    assert (result.added, result.unchanged, result.removed) == (1, 1, 0)


def test_photos_outside_the_root_are_skipped(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path, {"in": {"1.jpg": photos.picture(11, SIZE)}, "out": {"1.jpg": photos.picture(12)}})
    (tmp_path / "in" / "m.csv").write_text("account,photo\na,1.jpg\nb,../out/1.jpg\n")
    result = scan(index.parts, [tmp_path / "in" / "m.csv"], root=tmp_path / "in")
    assert (result.added, result.skipped) == (1, 1)


def test_progress_counts_once_everything_that_all_sources_have(index: Index, tmp_path: Path) -> None:
    """Of photos, of what is skipped, and of photos too old to be taken in."""
    photos.write_accounts(tmp_path, {"heard": {"1.jpg": photos.picture(13, SIZE), "2.jpg": photos.picture(14, SIZE)}})
    (tmp_path / "m.csv").write_text(
        "account,photo,seen_at\nheard,heard/1.jpg,2026-01-01\nheard,heard/2.jpg,1999-01-01\nheard,none.jpg,\nbad\n"
    )
    (tmp_path / "again.csv").write_text("account,photo\nheard,heard/1.jpg\n")
    heard, since = Heard(), datetime(2020, 1, 1, tzinfo=UTC)
    scan(index.parts, [tmp_path / "m.csv", tmp_path / "again.csv"], progress=heard, since=since)
    assert heard.steps == [("photos", done, None) for done in (1, 2, 3, 4, 4, 5, 5)]
    assert len(heard.skips) == 2
