from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from web_server import Page, WebServer

from imgmatch.actions.queries import named_photo, named_photos
from imgmatch.errors import SourceError
from imgmatch.model import Failure, NamedPhoto, SkipReason
from imgmatch.sources.retrying import RemoteOptions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("q/a/1.jpg", "q/a/2.jpg", "q/b.jpg", "m/x.jpg", "secret.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "m" / "m.csv").write_text("account,photo\na,x.jpg\nb\nc,../secret.jpg\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_photos_come_in_the_order_given_under_the_names_given() -> None:
    names = [photo.name for photo in named_photos(["z.jpg", "q", "q/b.jpg", "z.jpg", "./m/m.csv"])]
    assert names == [
        "z.jpg",
        "q/a/1.jpg",
        "q/a/2.jpg",
        "q/b.jpg",
        "q/b.jpg",
        "z.jpg",
        "x.jpg",
        "m.csv:3",
        "../secret.jpg",
    ]


def test_bytes_are_called_a_dash_and_a_named_photo_keeps_its_name() -> None:
    found = list(named_photos([b"bytes", NamedPhoto("mine", b"others")]))
    assert [(photo.name, photo.content) for photo in found] == [("-", b"bytes"), ("mine", b"others")]


def test_a_folder_is_named_as_it_was_written(folder: Path) -> None:
    assert [photo.name for photo in named_photos(["q/"])][:1] == ["q/a/1.jpg"]
    assert next(photo.name for photo in named_photos(["."])) == "m/x.jpg"
    assert [photo.name for photo in named_photos([str(folder / "q")])][-1] == str(folder / "q" / "b.jpg")


def test_a_bad_line_stands_in_its_place_and_names_its_line(folder: Path) -> None:
    bad = list(named_photos([str(folder / "m" / "m.csv")]))[1]
    assert isinstance(bad.content, Failure)
    assert bad.content.reason is SkipReason.BAD_LINE
    assert bad.content.detail.endswith("(line 3)")


def test_what_a_folder_cannot_give_is_named_with_its_folder(folder: Path) -> None:
    (folder / "q" / "gone.jpg").symlink_to("nowhere.jpg")
    names = [photo.name for photo in named_photos(["q"]) if isinstance(photo.content, Failure)]
    assert names == ["q/gone.jpg"]


def test_a_photo_named_directly_is_held_to_the_root_too(folder: Path) -> None:
    (folder / "q" / "door.jpg").symlink_to(folder / "secret.jpg")
    inside, outside, door = named_photos(["q/b.jpg", "secret.jpg", "q/door.jpg"], root=folder / "q")
    assert inside.content == (folder / "q" / "b.jpg").resolve()
    for refused in (outside, door):
        assert isinstance(refused.content, Failure)
        assert refused.content.reason is SkipReason.REFUSED


def test_a_line_that_leaves_the_root_is_refused_and_the_others_are_not(folder: Path) -> None:
    found = list(named_photos(["m/m.csv"], root=folder / "m"))
    assert [isinstance(photo.content, Failure) for photo in found] == [False, True, True]
    assert "leaves the folder" in str(found[2].content)


def test_a_manifest_or_folder_outside_the_root_is_an_error(folder: Path) -> None:
    for source in ("m/m.csv", "m"):
        with pytest.raises(SourceError, match="leaves the folder"):
            list(named_photos([source], root=folder / "q"))


def test_a_manifest_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list(named_photos([str(folder / "none.csv")]))


@pytest.mark.parametrize("name", ["x" * 5000 + ".jpg", "nul\0.jpg", os.fsdecode(b"\xff.jpg")])
def test_a_name_no_file_can_have_is_left_to_whoever_reads_it(name: str) -> None:
    [photo] = named_photos([name])
    assert photo.content == Path(name)


def test_an_archive_stands_for_its_photos_and_is_named_as_it_was_written(folder: Path) -> None:
    with zipfile.ZipFile(folder / "w.zip", "w") as archive:
        archive.writestr("a/1.jpg", b"one")
        archive.writestr("../2.jpg", b"two")
    inside, outside = named_photos(["w.zip"])
    assert (inside.name, inside.content) == ("w.zip/a/1.jpg", b"one")
    assert outside.name == "w.zip/../2.jpg"
    assert isinstance(outside.content, Failure)


def test_an_archive_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list(named_photos([str(folder / "none.zip")]))


def test_photos_at_urls_are_fetched_wherever_a_query_names_them(folder: Path) -> None:
    with WebServer({"/1.jpg": Page(b"one")}) as server:
        (folder / "w.csv").write_text(f"account,photo\na,{server.url}/1.jpg\na,{server.url}/2.jpg\n", encoding="utf-8")
        found = list(named_photos([f"{server.url}/1.jpg", "w.csv"], remote=RemoteOptions(allow_private=True)))
    assert [photo.name for photo in found] == [f"{server.url}/1.jpg", f"{server.url}/1.jpg", f"{server.url}/2.jpg"]
    assert [photo.content for photo in found[:2]] == [b"one", b"one"]
    assert isinstance(found[2].content, Failure)
    assert found[2].content.reason is SkipReason.MISSING


def test_addresses_of_this_machine_are_refused_unless_they_are_allowed() -> None:
    with WebServer({"/1.jpg": Page(b"one")}) as server:
        for photo in (named_photo(f"{server.url}/1.jpg"), *named_photos([f"{server.url}/1.jpg"])):
            assert isinstance(photo.content, Failure)
            assert photo.content.reason is SkipReason.REFUSED
        assert server.asked == []
