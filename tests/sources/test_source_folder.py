from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.sources import open_source
from imgmatch.sources.names import NameRule

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or names")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
not_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")


def planted(folder: Path, *labels: str) -> Path:
    for label in labels:
        path = folder / label
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def photos(folder: Path) -> list[tuple[str, str]]:
    found = list(open_source(folder))
    assert not [skipped for skipped in found if isinstance(skipped, Skipped)]
    return [(photo.account, photo.label) for photo in found if isinstance(photo, NewPhoto)]


def accounts(folder: Path) -> set[str]:
    return {found.account for found in open_source(folder) if isinstance(found, NewPhoto)}


def skips(folder: Path) -> dict[str, SkipReason]:
    return {found.photo: found.reason for found in open_source(folder) if isinstance(found, Skipped)}


def test_a_sub_folder_is_an_account_and_deeper_folders_belong_to_it(tmp_path: Path) -> None:
    planted(tmp_path, "a17/1.jpg", "a17/old/2019/2.jpg", "b/1.png")
    assert photos(tmp_path) == [("a17", "a17/1.jpg"), ("a17", "a17/old/2019/2.jpg"), ("b", "b/1.png")]


def test_a_photo_directly_in_the_folder_is_an_account_named_by_its_stem(tmp_path: Path) -> None:
    planted(tmp_path, "a.jpg", "a.png", "b", "c.d.webp")
    assert photos(tmp_path) == [("a", "a.jpg"), ("a", "a.png"), ("b", "b"), ("c.d", "c.d.webp")]


def test_photos_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    planted(tmp_path, "b/2.jpg", "b/10.jpg", "c.jpg", "a/z.jpg", "B/1.jpg" if sys.platform == "linux" else "d.jpg")
    labels = [label for _, label in photos(tmp_path)]
    assert labels == sorted(labels)
    assert len(labels) == 5


def test_a_photo_knows_its_path_and_has_a_stable_id(tmp_path: Path) -> None:
    planted(tmp_path, "a/1.jpg")
    [photo] = open_source(tmp_path)
    assert photo == NewPhoto(
        "a", tmp_path / "a" / "1.jpg", "a/1.jpg", derived_photo_id("a", str(tmp_path / "a" / "1.jpg"))
    )


def test_a_source_can_be_walked_again(tmp_path: Path) -> None:
    source = open_source(planted(tmp_path, "a/1.jpg"))
    assert list(source) == list(source)
    planted(tmp_path, "a/2.jpg")
    assert len(list(source)) == 2


@pytest.mark.parametrize("name", ["1.JPG", "1.heic", "1.xyz", "1", "1.jpg.php", "txt", "1.tif", "1.jpg "])
def test_a_file_under_any_strange_name_is_offered(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and name.endswith(" "):
        pytest.skip("Windows has no such names")
    assert len(photos(planted(tmp_path, f"a/{name}"))) == 1


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", ".DS_Store", "list.csv", "README.MD", "x.jpg.txt", "._1.jpg"]
)
def test_files_of_systems_and_what_is_no_picture_by_its_suffix_are_passed_over_and_named(
    tmp_path: Path, name: str
) -> None:
    found = list(open_source(planted(tmp_path, f"a/{name}", name)))
    assert {item.photo for item in found if isinstance(item, Skipped)} == {f"a/{name}", name}
    assert {item.reason for item in found if isinstance(item, Skipped)} == {SkipReason.PASSED_OVER}
    assert len(found) == 2


def test_a_folder_of_a_system_is_passed_over_as_one_wherever_it_lies(tmp_path: Path) -> None:
    planted(
        tmp_path, "a/1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "a/@eaDir/1.jpg", "$RECYCLE.BIN/2.jpg", "b/2.jpg"
    )
    assert skips(tmp_path) == dict.fromkeys(("$RECYCLE.BIN", "@eaDir", "a/@eaDir"), SkipReason.PASSED_OVER)
    assert accounts(tmp_path) == {"a", "b"}


def test_what_is_asked_for_is_not_passed_over(tmp_path: Path) -> None:
    planted(tmp_path, "@eaDir/1.jpg", "#recycle/1.jpg", "a/1.pdf", "a/1.txt")
    found = list(open_source(tmp_path, names=NameRule(("@EADIR", "*.pdf"))))
    assert [item.label for item in found if isinstance(item, NewPhoto)] == ["@eaDir/1.jpg", "a/1.pdf"]
    assert [item.photo for item in found if isinstance(item, Skipped)] == ["#recycle", "a/1.txt"]


def test_hidden_files_and_folders_are_photos_as_others(tmp_path: Path) -> None:
    planted(tmp_path, ".a/1.jpg", "b/.2.jpg", "b/.c/3.jpg", ".4.jpg")
    assert photos(tmp_path) == [
        (".4", ".4.jpg"),
        (".a", ".a/1.jpg"),
        ("b", "b/.2.jpg"),
        ("b", "b/.c/3.jpg"),
    ]


def test_a_folder_with_the_suffix_of_a_text_is_an_account(tmp_path: Path) -> None:
    assert photos(planted(tmp_path, "notes.txt/1.jpg")) == [("notes.txt", "notes.txt/1.jpg")]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert photos(tmp_path) == []


@posix_only
def test_a_link_to_a_file_is_a_photo(tmp_path: Path) -> None:
    planted(tmp_path, "world/a/1.jpg", "outside.jpg")
    (tmp_path / "world" / "a" / "2.jpg").symlink_to(tmp_path / "outside.jpg")
    assert photos(tmp_path / "world") == [("a", "a/1.jpg"), ("a", "a/2.jpg")]


@posix_only
def test_a_link_to_a_folder_stands_for_the_folder(tmp_path: Path) -> None:
    planted(tmp_path, "world/a/1.jpg", "disk2/b/2.jpg", "disk2/b/deep/3.jpg")
    (tmp_path / "world" / "b").symlink_to("../disk2/b")
    assert photos(tmp_path / "world") == [("a", "a/1.jpg"), ("b", "b/2.jpg"), ("b", "b/deep/3.jpg")]
    first, second = (
        [item.photo_id for item in open_source(tmp_path / "world") if isinstance(item, NewPhoto)] for _ in "12"
    )
    assert first == second


@posix_only
def test_a_link_back_is_named_and_not_followed(tmp_path: Path) -> None:
    """Also by way of another link; what lies in the source under its own name is there under both names."""
    planted(tmp_path, "a/1.jpg", "c/2.jpg")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "c")
    (tmp_path / "c" / "self").symlink_to(".")
    reasons = {"a/again": SkipReason.REFUSED, "b/self": SkipReason.REFUSED, "c/self": SkipReason.REFUSED}
    assert skips(tmp_path) == reasons
    labels = [item.label for item in open_source(tmp_path) if isinstance(item, NewPhoto)]
    assert labels == ["a/1.jpg", "b/2.jpg", "c/2.jpg"]


@posix_only
def test_links_that_lead_to_one_folder_in_many_ways_lead_there_once(tmp_path: Path) -> None:
    """Chained, they would be followed a million times."""
    planted(tmp_path, "far/20/1.jpg", "world/a/1.jpg")
    for depth in range(20):
        for name in ("x", "y"):
            (tmp_path / "far" / str(depth)).mkdir(exist_ok=True)
            (tmp_path / "far" / str(depth) / name).symlink_to(tmp_path / "far" / str(depth + 1))
    (tmp_path / "world" / "b").symlink_to(tmp_path / "far" / "0")
    found = list(open_source(tmp_path / "world"))
    assert len([item for item in found if isinstance(item, NewPhoto)]) == 2
    again = [item for item in found if isinstance(item, Skipped)]
    assert len(again) == 20
    assert {item.detail for item in again} == {"Another link has led to this folder before."}


@posix_only
def test_what_is_no_file_is_named_and_the_walk_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, "a/1.jpg", "a/z.jpg")
    os.mkfifo(tmp_path / "a" / "fifo.jpg")
    (tmp_path / "a" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "a" / "nowhere.jpg").symlink_to("not-there.jpg")
    (tmp_path / "a" / "null.jpg").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path / "a")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.jpg")
        found = list(open_source(tmp_path))
    reasons = {skipped.photo: skipped.reason for skipped in found if isinstance(skipped, Skipped)}
    assert reasons == {
        "a/fifo.jpg": SkipReason.UNREADABLE,
        "a/loop.jpg": SkipReason.UNREADABLE,
        "a/nowhere.jpg": SkipReason.MISSING,
        "a/null.jpg": SkipReason.UNREADABLE,
        "a/s.jpg": SkipReason.UNREADABLE,
    }
    assert [photo.label for photo in found if isinstance(photo, NewPhoto)] == ["a/1.jpg", "a/z.jpg"]


@linux_only
def test_names_that_are_not_utf8_are_photos_under_a_name_that_can_be_stored(tmp_path: Path) -> None:
    """Two names never become one, be it that one of them looks like what the other is written as."""
    planted(tmp_path, "a/1.jpg", "a/\udcff.jpg", "a/\\xff.jpg", "\udcfe/1.jpg", "\\xfe/1.jpg", "\udcfc.jpg")
    found = [item for item in open_source(tmp_path) if isinstance(item, NewPhoto)]
    assert sorted((item.account, item.label) for item in found) == [
        ("\\\\xfe", "\\\\xfe/1.jpg"),
        ("\\xfc", "\\xfc.jpg"),
        ("\\xfe", "\\xfe/1.jpg"),
        ("a", "a/1.jpg"),
        ("a", "a/\\\\xff.jpg"),
        ("a", "a/\\xff.jpg"),
    ]
    assert len({item.photo_id for item in found}) == 6
    assert all(item.path.exists() for item in found if isinstance(item.path, Path))


@posix_only
def test_a_name_that_cannot_be_an_account_is_named_once(tmp_path: Path) -> None:
    planted(tmp_path, "a\nb/1.jpg", "a\nb/2.jpg", "\x1b[2J.jpg", " .jpg", "ok/a\nb.jpg")
    assert skips(tmp_path) == {
        "a\\x0ab": SkipReason.REFUSED,
        "\\x1b[2J.jpg": SkipReason.REFUSED,
        " .jpg": SkipReason.REFUSED,
    }


@linux_only
def test_a_folder_too_deep_to_open_is_named_and_the_walk_goes_on(tmp_path: Path) -> None:
    planted(tmp_path, "z/1.jpg")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    skipped, photo = open_source(tmp_path)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.UNREADABLE
    assert photo.account == "z"


@not_root
def test_a_folder_that_may_not_be_read_is_named_and_the_walk_goes_on(tmp_path: Path) -> None:
    planted(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a").chmod(0)
    try:
        assert skips(tmp_path) == {"a": SkipReason.UNREADABLE}
        assert len(list(open_source(tmp_path))) == 2
    finally:
        (tmp_path / "a").chmod(0o700)


def test_a_folder_that_went_away_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    source = open_source(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SourceError, match="gone"):
        list(source)


def test_folders_are_listed_only_when_their_turn_comes(tmp_path: Path) -> None:
    planted(tmp_path, "a/1.jpg", "b/1.jpg")
    walk = iter(open_source(tmp_path))
    assert next(walk).account == "a"
    planted(tmp_path, "b/2.jpg")
    assert [found.account for found in walk] == ["b", "b"]
