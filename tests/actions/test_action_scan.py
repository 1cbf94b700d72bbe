from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import photos
import pytest
from hearing import Heard
from sqlalchemy import select

from imgmatch.actions.scan import scan
from imgmatch.catalog import schema
from imgmatch.errors import SourceError
from imgmatch.index import Index
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_a_source_that_cannot_be_opened_is_named_and_the_others_are_scanned(index: Index, tmp_path: Path) -> None:
    """Nothing of it is noted; alone, it is an error."""
    photos.write_accounts(tmp_path / "good", {"a": {"1.jpg": photos.picture(9, SIZE)}})
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    (tmp_path / "bad.csv").write_text("who,what\n")
    heard = Heard()
    before = index.counts()["sources"]
    sources = [tmp_path / "bad.zip", tmp_path / "good", tmp_path / "bad.csv"]
    result = scan(index.parts, sources, progress=heard, prune=True)
    assert (result.added, result.skipped) == (1, 2)
    assert [skip.photo for skip in heard.skips] == [str(tmp_path / "bad.zip"), str(tmp_path / "bad.csv")]
    assert index.counts()["sources"] == before + 1
    with pytest.raises(SourceError, match=r"bad.zip: not a zip archive.*; .*needs the columns"):
        scan(index.parts, [tmp_path / "bad.zip", tmp_path / "bad.csv"])


def test_what_is_passed_over_is_counted_apart_and_only_then_scanned_when_that_is_asked_for(
    index: Index, tmp_path: Path
) -> None:
    photos.write_accounts(tmp_path, {"passed": {"1.jpg": photos.picture(30, SIZE)}, "@eaDir": {"1.jpg": photos.flat()}})
    heard = Heard()
    before = index.counts()["skipped"]
    result = scan(index.parts, [tmp_path], progress=heard)
    assert (result.added, result.passed_over, result.skipped) == (1, 1, 0)
    assert [(skip.photo, skip.reason) for skip in heard.skips] == [("@eaDir", SkipReason.PASSED_OVER)]
    assert index.counts()["skipped"] == before
    result = scan(index.parts, [tmp_path], include=["@eadir"])
    assert (result.unchanged, result.passed_over, result.skipped) == (1, 0, 1)


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


# -- sources that break off -------------------------------------------------------------------------------------------


class Stumbling:
    """A source that gives photos of a folder and then raises."""

    def __init__(self, folder: Path, *names: str, error: Exception | None = None) -> None:
        self.key = str(folder)
        self._names = names
        self.error = error

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        for name in self._names:
            yield NewPhoto(name[0], Path(self.key, name), name, f"{self.key}/{name}")
        if self.error is not None:
            raise self.error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("x1.jpg", "y2.jpg"), 20):
        (tmp_path / name).write_bytes(photos.jpeg(photos.picture(seed, SIZE)))
    photos.write_accounts(tmp_path / "other", {"good": {"1.jpg": photos.picture(22, SIZE)}})
    return tmp_path


def sources_with_skips(index: Index) -> dict[str, int]:
    """How many skipped items are on record for each source."""
    with index.parts.catalog.read() as session:
        join = select(schema.sources.c.key).join(schema.skipped, schema.skipped.c.source_id == schema.sources.c.id)
        return dict(Counter(session.sql.scalars(join)))


@pytest.mark.parametrize("error", [SourceError("m: cut off"), OSError(5, "Input/output error"), ValueError("odd")])
def test_a_source_that_breaks_off_keeps_what_was_read_and_the_others_are_scanned(
    index: Index, folder: Path, error: Exception
) -> None:
    heard = Heard()
    result = scan(index.parts, [Stumbling(folder, "x1.jpg", error=error), folder / "other"], prune=True, progress=heard)
    assert (result.added + result.unchanged, result.skipped, result.removed) == (2, 1, 0)
    [skip] = heard.skips
    assert (skip.photo, skip.detail.endswith("; it broke off after x1.jpg")) == (str(folder), True)
    assert skip.reason is (SkipReason.INTERNAL if isinstance(error, ValueError) else SkipReason.UNREADABLE)


def test_a_source_that_breaks_off_is_not_pruned_and_what_it_skipped_before_is_not_forgotten(
    index: Index, folder: Path
) -> None:
    (folder / "z.jpg").write_text("no picture")
    whole = Stumbling(folder, "x1.jpg", "z.jpg", "y2.jpg")
    scan(index.parts, [whole])
    before = len(index)
    broken = Stumbling(folder, "x1.jpg", error=SourceError("cut off"))
    assert scan(index.parts, [broken], prune=True).removed == 0
    assert len(index) == before
    assert sources_with_skips(index)[str(folder)] == 2  # z.jpg, and that it broke off
    assert scan(index.parts, [whole], prune=True).removed == 0
    assert sources_with_skips(index)[str(folder)] == 1


def test_the_lines_that_a_source_skips_do_not_pile_up_while_it_breaks_off_every_night(
    index: Index, folder: Path
) -> None:
    class Bad(Stumbling):
        def __iter__(self) -> Iterator[NewPhoto | Skipped]:
            yield Skipped("m.csv:2", SkipReason.BAD_LINE, "The account is empty.", line=2)
            yield from super().__iter__()

    scan(index.parts, [Bad(folder, "x1.jpg")])
    for _ in range(3):
        scan(index.parts, [Bad(folder, "x1.jpg", error=SourceError("cut off"))])
        assert sources_with_skips(index)[str(folder)] == 3  # of the whole scan one, of the last one two
    scan(index.parts, [Bad(folder, "x1.jpg")])
    assert sources_with_skips(index)[str(folder)] == 1


def test_a_line_on_which_imgmatch_stumbled_prunes_nothing(index: Index, folder: Path) -> None:
    (folder / "m.csv").write_text("account,photo\nx,x1.jpg\ny,y2.jpg\n")
    scan(index.parts, [folder / "m.csv"])
    before = len(index)
    [first, _] = open_source(folder / "m.csv")

    class Half:
        key = str(folder / "m.csv")

        def __iter__(self) -> Iterator[NewPhoto | Skipped]:
            yield first
            yield Skipped("y2.jpg", SkipReason.INTERNAL, "KeyError: 7", "y", 3)

    assert scan(index.parts, [Half()], prune=True).removed == 0
    assert len(index) == before


def test_where_no_source_gave_a_photo_that_could_be_used_the_scan_fails_with_all_reasons(
    index: Index, folder: Path
) -> None:
    broken = [Stumbling(folder / name, error=SourceError(f"{name} is cut off")) for name in ("one", "two")]
    with pytest.raises(SourceError, match=r"one is cut off; two is cut off"):
        scan(index.parts, broken, prune=True)


def test_pruning_by_an_empty_source_is_refused_and_the_others_are_pruned(index: Index, folder: Path) -> None:
    scan(index.parts, [Stumbling(folder, "x1.jpg", "y2.jpg"), folder / "other"])
    (folder / "other" / "good" / "1.jpg").unlink()
    heard = Heard()
    result = scan(index.parts, [Stumbling(folder, "x1.jpg"), folder / "other"], prune=True, progress=heard)
    assert (result.removed, result.skipped, result.kept) == (1, 1, 1)
    assert heard.skips[0].photo == str(folder / "other")
    assert "pruning by it would remove everything" in heard.skips[0].detail


# -- manifests whose photos are not there -----------------------------------------------------------------------------


def test_a_manifest_none_of_whose_photos_is_there_is_an_error_and_removes_nothing(index: Index, tmp_path: Path) -> None:
    photos.write_accounts(tmp_path, {"there": {"1.jpg": photos.picture(31, SIZE), "2.jpg": photos.picture(32, SIZE)}})
    manifest = tmp_path / "m.csv"
    manifest.write_text("account,photo\nthere,there/1.jpg\nthere,there/2.jpg\n")
    scan(index.parts, [manifest])
    before = index.counts()["photos"]
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    manifest.write_text("account,photo\nthere,there/1.jpg\nthere,there/1.jpg\nbad\n")
    with pytest.raises(SourceError, match=r"none of its photos is there \(1\), such as there/1\.jpg") as error:
        scan(index.parts, [manifest], prune=True)
    assert error.value.reason is SkipReason.MISSING
    assert index.counts()["photos"] == before
    (tmp_path / "elsewhere").rename(tmp_path / "there")
    manifest.write_text("account,photo\nthere,there/1.jpg\n")
    assert scan(index.parts, [manifest], prune=True).removed == 1


def test_other_sources_are_scanned_beside_a_manifest_none_of_whose_photos_is_there(
    index: Index, tmp_path: Path
) -> None:
    photos.write_accounts(tmp_path / "photos", {"beside": {"1.jpg": photos.picture(33, SIZE)}})
    (tmp_path / "m.csv").write_text("account,photo\na,none.jpg\n")
    result = scan(index.parts, [tmp_path / "m.csv", tmp_path / "photos"])
    assert (result.added, result.skipped, len(result.hints)) == (1, 1, 1)
    assert "m.csv: none of its photos is there (1), such as none.jpg" in result.hints[0]


@pytest.mark.parametrize(("there", "missing", "hints"), [(1, 9, 1), (2, 8, 0), (1, 8, 0)])
def test_where_nearly_all_photos_are_missing_the_folder_is_told(
    index: Index, tmp_path: Path, there: int, missing: int, hints: int
) -> None:
    photos.write_accounts(tmp_path, {"n": {f"{n}.jpg": photos.picture(34 + n, SIZE) for n in range(there)}})
    lines = [f"n,n/{n}.jpg" for n in range(there)] + [f"n,gone/{n}.jpg" for n in range(missing)]
    (tmp_path / "m.csv").write_text("\n".join(("account,photo", *lines)))
    result = scan(index.parts, [tmp_path / "m.csv"])
    assert len(result.hints) == hints
    assert all(str(tmp_path) in hint and "9 of its 10" in hint for hint in result.hints)


def test_a_manifest_of_lines_that_name_no_photo_is_none_whose_photos_are_missing(index: Index, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("account,photo\nbad\n")
    assert scan(index.parts, [tmp_path / "m.csv"]).skipped == 1
