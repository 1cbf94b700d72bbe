from __future__ import annotations

import io
import logging
import tarfile
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imgmatch import registry
from imgmatch.errors import ImgmatchError, MissingExtraError, PhotoError, SourceError
from imgmatch.model import NewPhoto, RemoteMetadata, Skipped, SkipReason
from imgmatch.sources import open_source, query_photos
from imgmatch.sources.archive import ArchiveSource, Member, MemberFile
from imgmatch.sources.base import PathGuard
from imgmatch.sources.guard import guarded, photo_error
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.place import Place
from imgmatch.sources.remote import Remote, result_of
from imgmatch.sources.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO


class Failing:
    """A source that gives some photos and then raises."""

    key = "/the/source"

    def __init__(self, photos: int, error: Exception | None) -> None:
        self._photos = photos
        self._error = error

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        for number in range(self._photos):
            yield NewPhoto("a", Path(self.key, f"{number}.jpg"), f"a/{number}.jpg", str(number))
        if self._error is not None:
            raise self._error


def broken(source: Failing) -> tuple[int, SourceError]:
    taken = 0
    try:
        for _ in guarded(source):
            taken += 1
    except SourceError as error:
        return taken, error
    pytest.fail("it did not break off")


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (SourceError("m.csv: it is cut off"), SkipReason.UNREADABLE, "m.csv: it is cut off"),
        (PhotoError(SkipReason.REFUSED, "it left the folder"), SkipReason.REFUSED, "/the/source: it left the folder"),
        (OSError(5, "Input/output error"), SkipReason.UNREADABLE, "/the/source: input/output error"),
        (MemoryError(), SkipReason.TOO_LARGE, "needs more memory"),
        (TypeError("a surprise"), SkipReason.INTERNAL, "/the/source: TypeError: a surprise"),
        (RecursionError("too deep"), SkipReason.INTERNAL, "/the/source: RecursionError: too deep"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_ends_a_source_half_way_is_one_error_that_names_it_and_after_what(
    error: Exception, reason: SkipReason, said: str
) -> None:
    taken, found = broken(Failing(3, error))
    assert (taken, found.reason) == (3, reason)
    assert said in str(found)
    assert str(found).endswith("; it broke off after a/2.jpg")
    taken, found = broken(Failing(0, error))
    assert (taken, "broke off" in str(found)) == (0, False)


def test_a_source_that_ends_well_is_left_as_it_is() -> None:
    assert len(list(guarded(Failing(4, None)))) == 4


def test_errors_of_ours_that_are_about_no_photo_and_no_source_pass() -> None:
    with pytest.raises(MissingExtraError):
        list(guarded(Failing(1, MissingExtraError("install it"))))


def test_what_nobody_expected_is_logged_once_a_place_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def stumble(text: str) -> PhotoError:
        known: dict[str, PhotoError] = {}
        try:
            return known[text]
        except KeyError as error:
            return photo_error(error, "https://user:hush@x/m.csv:7")

    with caplog.at_level(logging.ERROR, logger="imgmatch"):
        found = [stumble(text) for text in ("one", "two", "three")]
    assert [error.reason for error in found] == [SkipReason.INTERNAL] * 3
    assert [error.detail for error in found] == ["KeyError: 'one'", "KeyError: 'two'", "KeyError: 'three'"]
    [record] = [record for record in caplog.records if record.name == "imgmatch"]
    assert record.exc_info is not None
    assert "m.csv:7" in record.getMessage()
    assert "hush" not in record.getMessage()


def test_what_is_expected_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="imgmatch"):
        for error in (PhotoError(SkipReason.FLAT, "x"), OSError("x"), MemoryError()):
            assert photo_error(error, "here").reason is not SkipReason.INTERNAL
    assert caplog.records == []


def manifest_of(tmp_path: Path, read: Callable[[BinaryIO, str], Iterator[Row | Skipped]]) -> ManifestSource:
    (tmp_path / "m.csv").touch()
    return ManifestSource(Place(str(tmp_path / "m.csv"), PathGuard()), read)


def test_a_line_that_nobody_can_judge_costs_that_line(tmp_path: Path) -> None:
    def read(_: BinaryIO, name: str) -> Iterator[Row | Skipped]:
        assert name == "m.csv"
        for line, attributes in enumerate(({}, ["no mapping"], {}), 1):
            yield Row(line, "a", "1.jpg", "", None, f"p{line}", attributes)  # type: ignore[arg-type]

    first, bad, last = manifest_of(tmp_path, read)
    assert isinstance(first, NewPhoto)
    assert isinstance(last, NewPhoto)
    assert isinstance(bad, Skipped)
    assert (bad.reason, bad.line, bad.photo) == (SkipReason.INTERNAL, 2, "1.jpg")


def test_a_member_that_nobody_can_unpack_costs_that_member(tmp_path: Path) -> None:
    class Odd:
        scheme = "odd"
        listed = False

        def members(self) -> Iterator[Member]:
            size = RemoteMetadata(3)
            yield Member("a/1.jpg", 1, size)
            yield Member("a/2.jpg", 2, size, ZeroDivisionError("odd"))  # type: ignore[arg-type]
            yield Member("a/3.jpg", 3, size)

        def read(self, member: Member, limit: int) -> bytes:
            assert limit
            raise AssertionError(member.place)

    source = ArchiveSource(Place(str(tmp_path), PathGuard()), Odd())
    first, bad, last = source
    assert isinstance(first, NewPhoto)
    assert isinstance(bad, Skipped)
    assert isinstance(last, NewPhoto)
    assert bad.reason is SkipReason.INTERNAL
    assert isinstance(first.path, MemberFile)
    with pytest.raises(PhotoError, match="internal error: AssertionError: 1"):
        first.path.fetch().result()


def test_whatever_a_store_raises_costs_that_photo() -> None:
    future: Future[int] = Future()
    future.set_exception(ZeroDivisionError("in a library"))
    with pytest.raises(PhotoError, match="internal error: ZeroDivisionError"):
        result_of(future)
    cancelled: Future[int] = Future()
    cancelled.cancel()
    with pytest.raises(ImgmatchError, match="connections were closed"):
        result_of(cancelled)


def test_a_reader_that_dies_at_the_door_is_an_error_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.jsonl").write_text('{"account": "a", "photo": "1.jpg"}\n')
    monkeypatch.setattr("imgmatch.sources.lines_jsonl.physical_lines", None)
    with pytest.raises(SourceError, match=r"m\.jsonl: TypeError") as caught:
        open_source(tmp_path / "m.jsonl")
    assert caught.value.reason is SkipReason.INTERNAL


def test_a_line_whose_kind_of_url_cannot_be_read_here_costs_that_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    monkeypatch.setitem(registry.STORES, "gs", "no_such_package:Store")
    (tmp_path / "m.csv").write_text("account,photo\na,gs://b/1.jpg\nb,1.jpg\n")
    with Remote() as remote:
        lost, kept = open_source(tmp_path / "m.csv", remote=remote)
        assert isinstance(lost, NewPhoto)  # it is named, and so it is not taken for gone
        assert isinstance(kept, NewPhoto)
        with pytest.raises(PhotoError, match=r'pip install "imgmatch\[gs\]"'):
            result_of(lost.path.fetch())  # type: ignore[union-attr]


def test_queries_after_a_source_that_breaks_off_are_answered(tmp_path: Path) -> None:
    (tmp_path / "m.tar").write_bytes(tar_cut_short())
    (tmp_path / "q.jpg").touch()
    with Remote() as remote:
        found = [
            photo for argument in ("m.tar", "q.jpg") for photo in query_photos(str(tmp_path / argument), remote=remote)
        ]
    names = [photo.name.removeprefix(f"{tmp_path}/") for photo in found]
    assert names == ["m.tar/a/1.jpg", "m.tar/a/2.jpg", "m.tar", "q.jpg"]
    assert "it broke off after a/2.jpg" in str(found[2].content)


def tar_cut_short() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in (1, 2, 3):
            entry = tarfile.TarInfo(f"a/{number}.jpg")
            entry.size = 3
            tar.addfile(entry, io.BytesIO(b"abc"))
    return file.getvalue()[: 4 * 512]
