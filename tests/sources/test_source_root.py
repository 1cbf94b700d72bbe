from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").touch()
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "1.jpg").touch()
    return tmp_path


def manifest(world: Path, *paths: str) -> Path:
    path = world / "root" / "m.csv"
    path.write_text("account,photo\n" + "".join(f"a,{photo}\n" for photo in paths))
    return path


def test_photos_inside_the_root_pass(world: Path) -> None:
    path = manifest(world, "a/1.jpg", "a/../a/1.jpg", str(world / "root" / "a" / "1.jpg"), "not-there.jpg")
    found = list(open_source(path, root=world / "root"))
    assert all(isinstance(photo, NewPhoto) for photo in found)


def test_ids_and_labels_are_the_same_with_and_without_a_root(world: Path) -> None:
    (world / "root" / "link.jpg").symlink_to("a/1.jpg")
    path = manifest(world, "a/1.jpg", "link.jpg")
    for source in (path, world / "root", world / "root" / "link.jpg"):
        free, fenced = (list(open_source(source, root=root)) for root in (None, world / "root"))
        assert [photo.photo_id for photo in free if isinstance(photo, NewPhoto)] == [
            photo.photo_id for photo in fenced if isinstance(photo, NewPhoto)
        ]
        assert open_source(source).key == open_source(source, root=world).key


@pytest.mark.parametrize("photo", ["../outside/secret.jpg", "/etc/passwd", "a/../../outside/not-there.jpg", "link.jpg"])
def test_a_photo_that_leaves_the_root_is_refused(world: Path, photo: str) -> None:
    (world / "root" / "link.jpg").symlink_to(world / "outside" / "secret.jpg")
    refused, allowed = open_source(manifest(world, photo, "a/1.jpg"), root=world / "root")
    assert isinstance(refused, Skipped)
    assert (refused.reason, refused.photo, refused.line) == (SkipReason.REFUSED, photo, 2)
    assert "leaves" in refused.detail
    assert isinstance(allowed, NewPhoto)


def test_a_folder_link_that_leaves_the_root_is_refused(world: Path) -> None:
    (world / "root" / "door").symlink_to(world / "outside")
    [refused] = open_source(manifest(world, "door/secret.jpg"), root=world / "root")
    assert isinstance(refused, Skipped)
    assert refused.reason is SkipReason.REFUSED


def test_what_was_checked_is_what_is_opened(world: Path) -> None:
    (world / "root" / "link.jpg").symlink_to("a/1.jpg")
    [photo] = open_source(manifest(world, "link.jpg"), root=world / "root")
    assert isinstance(photo, NewPhoto)
    assert photo.path == (world / "root" / "a" / "1.jpg").resolve()
    assert photo.label == "link.jpg"


def test_a_loop_of_links_never_leaves_the_root(world: Path) -> None:
    (world / "root" / "loop").symlink_to("loop")
    [found] = open_source(manifest(world, "loop/x.jpg"), root=world / "root")
    # Python 3.13 follows a loop as far as it goes; older versions raise.
    if isinstance(found, Skipped):
        assert found.reason is SkipReason.UNREADABLE
    else:
        assert isinstance(found.path, Path)
        assert found.path.is_relative_to((world / "root").resolve())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_path_that_leads_to_a_name_that_is_not_utf8_is_unreadable(world: Path) -> None:
    (world / "root" / "\udcff.jpg").touch()
    (world / "root" / "link.jpg").symlink_to("\udcff.jpg")
    [found] = open_source(manifest(world, "link.jpg"), root=world / "root")
    assert isinstance(found, Skipped)
    assert found.reason is SkipReason.UNREADABLE


def test_a_file_link_in_a_folder_that_leaves_the_root_is_refused(world: Path) -> None:
    (world / "root" / "a" / "2.jpg").symlink_to(world / "outside" / "secret.jpg")
    (world / "root" / "a" / "3.jpg").symlink_to("1.jpg")
    one, two, three = open_source(world / "root", root=world / "root")
    assert isinstance(one, NewPhoto)
    assert isinstance(two, Skipped)
    assert (two.photo, two.reason) == ("a/2.jpg", SkipReason.REFUSED)
    assert isinstance(three, NewPhoto)
    assert three.path == one.path


@pytest.mark.parametrize("source", ["outside", "outside/secret.jpg", "outside/m.csv", "root/door"])
def test_a_source_that_lies_outside_the_root_is_an_error(world: Path, source: str) -> None:
    (world / "root" / "door").symlink_to(world / "outside")
    (world / "outside" / "m.csv").write_text("account,photo\n")
    with pytest.raises(SourceError, match="leaves the folder"):
        open_source(world / source, root=world / "root")


def test_a_folder_reached_through_a_link_inside_the_root_passes(world: Path) -> None:
    (world / "root" / "door").symlink_to("a")
    [photo] = open_source(world / "root" / "door", root=world / "root")
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.label) == ("1", "1.jpg")
    assert photo.path == (world / "root" / "a" / "1.jpg").resolve()


@pytest.mark.parametrize("root", ["not-there", "outside/secret.jpg"])
def test_a_root_that_is_no_folder_is_an_error(world: Path, root: str) -> None:
    with pytest.raises(SourceError, match="root"):
        open_source(world / "root", root=world / root)
