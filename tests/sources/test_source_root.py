from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from imgmatch import rooted
from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason
from imgmatch.sources import open_source, query_photos
from imgmatch.sources.base import PathGuard
from imgmatch.sources.fetching import remote_file
from imgmatch.sources.place import Place
from imgmatch.sources.remote import Remote
from imgmatch.sources.states import file_state

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
def test_a_path_may_lead_to_a_name_that_is_not_utf8(world: Path) -> None:
    (world / "root" / "\udcff.jpg").touch()
    (world / "root" / "link.jpg").symlink_to("\udcff.jpg")
    [found] = open_source(manifest(world, "link.jpg"), root=world / "root")
    assert isinstance(found, NewPhoto)
    assert found.path == (world / "root" / "\udcff.jpg").resolve()


@pytest.mark.skipif(sys.platform == "win32", reason="links take a right there")
def test_a_link_to_a_folder_is_followed_within_the_root_and_refused_where_it_leaves_that(world: Path) -> None:
    """What is opened behind it is a path without links."""
    (world / "root" / "far" / "deep").mkdir(parents=True)
    (world / "root" / "far" / "deep" / "2.jpg").touch()
    (world / "root" / "world").mkdir()
    (world / "root" / "world" / "b").symlink_to(world / "root" / "far")
    (world / "root" / "world" / "c").symlink_to(world / "outside")
    found, refused = open_source(world / "root" / "world", root=world / "root")
    assert isinstance(found, NewPhoto)
    assert (found.account, found.label) == ("b", "b/deep/2.jpg")
    assert found.path == (world / "root" / "far" / "deep" / "2.jpg").resolve()
    assert isinstance(refused, Skipped)
    assert (refused.photo, refused.reason, refused.part) == ("c", SkipReason.REFUSED, "c")


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


# -- what is put there later -------------------------------------------------------------------------------------------

by_descriptor = pytest.mark.skipif(not rooted.BY_DESCRIPTOR, reason="this system compares, after it has opened")


def put_link(world: Path, place: str) -> None:
    """Puts a link out of the root where something stands in it; what it leads to looks the same."""
    there, outside = world / "root" / place, world / "outside" / place
    outside.parent.mkdir(parents=True, exist_ok=True)
    if there.is_dir():
        outside.mkdir()
        for name in (*(entry.name for entry in there.iterdir()), "secret.jpg"):
            (outside / name).write_bytes(b"outside")
    else:
        outside.write_bytes(there.read_bytes())
    there.rename(world / "was")
    there.symlink_to(outside)


@pytest.mark.parametrize("kind", ["manifest", "folder", "photo"])
def test_a_photo_knows_the_root_beneath_which_it_is_to_be_opened(world: Path, kind: str) -> None:
    source = {"manifest": manifest(world, "a/1.jpg"), "folder": world / "root", "photo": world / "root" / "a" / "1.jpg"}
    for root, known in ((None, None), (world / "root", (world / "root").resolve())):
        [photo] = [item for item in open_source(source[kind], root=root) if isinstance(item, NewPhoto)]
        assert photo.root == known
        with Remote() as remote:
            [asked] = query_photos(str(source[kind]), remote=remote, root=root)
        assert (asked.content, asked.root) == (photo.path, known)


@pytest.mark.parametrize("place", ["a", "a/1.jpg"])
def test_the_state_of_a_photo_is_not_that_of_what_a_later_link_leads_to(world: Path, place: str) -> None:
    [photo] = open_source(manifest(world, "a/1.jpg"), root=world / "root")
    assert isinstance(photo, NewPhoto)
    assert isinstance(photo.path, Path)
    assert file_state(photo.path, photo.root)[0] == 0
    put_link(world, place)
    with pytest.raises(PhotoError, match="refused: a link has taken a place on its path"):
        file_state(photo.path, photo.root)


def test_a_folder_that_becomes_a_link_while_it_is_walked_is_refused_and_the_walk_goes_on(world: Path) -> None:
    for name in ("b", "c"):
        (world / "root" / name).mkdir()
        (world / "root" / name / "1.jpg").touch()
    walk = iter(open_source(world / "root", root=world / "root"))
    assert isinstance(next(walk), NewPhoto)
    put_link(world, "b")
    refused, last = walk
    assert isinstance(refused, Skipped)
    assert (refused.photo, refused.reason) == ("b", SkipReason.REFUSED)
    assert isinstance(last, NewPhoto)
    assert last.label == "c/1.jpg"


def test_a_folder_above_the_one_that_is_walked_may_not_become_a_link_either(world: Path) -> None:
    (world / "root" / "a" / "deep").mkdir()
    (world / "root" / "a" / "deep" / "2.jpg").touch()
    walk = iter(open_source(world / "root", root=world / "root"))
    next(walk)
    put_link(world, "a")
    [refused] = walk
    assert isinstance(refused, Skipped)
    assert (refused.photo, refused.reason) == ("a/deep", SkipReason.REFUSED)


@pytest.mark.parametrize("place", ["a/1.jpg", "a"])
def test_a_link_in_a_folder_is_not_followed_out_of_the_root_to_look_at_it(world: Path, place: str) -> None:
    (world / "root" / "link.jpg").symlink_to("a/1.jpg")
    source = open_source(world / "root", root=world / "root")
    put_link(world, place)
    found = {item.photo: item.reason for item in source if isinstance(item, Skipped)}
    assert found["link.jpg"] is SkipReason.REFUSED


@pytest.mark.parametrize("name", ["m.csv", "set.zip", "set.tar", "set.tar.gz", "folder"])
def test_a_source_that_has_become_a_link_is_not_read(world: Path, name: str) -> None:
    where = written(world, name)
    source = open_source(where, root=world / "root")
    put_link(world, name)
    if name == "set.zip":  # it stays open
        [photo] = source
        assert isinstance(photo, NewPhoto)
        file = remote_file(photo)
        assert file is not None
        assert file.fetch().result().data == b"inside"
    else:
        with pytest.raises(SourceError, match=r"leaves the folder|a link has taken a place"):
            list(source)


def written(world: Path, name: str) -> Path:
    where = world / "root" / name
    (world / "1.jpg").write_bytes(b"inside")
    if name == "folder":
        where.mkdir()
        (where / "1.jpg").touch()
    elif name == "m.csv":
        manifest(world, "a/1.jpg")
    elif name == "set.zip":
        with zipfile.ZipFile(where, "w") as archive:
            archive.write(world / "1.jpg", "a/1.jpg")
    else:
        with tarfile.open(where, "w:gz" if name.endswith("gz") else "w") as tar:
            tar.add(world / "1.jpg", "a/1.jpg")
    return where


@by_descriptor
def test_a_source_that_becomes_a_link_between_the_check_and_its_opening_is_not_opened(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(str(manifest(world, "a/1.jpg")), PathGuard(world / "root"))
    admitted = place.file()
    put_link(world, "m.csv")
    monkeypatch.setattr(PathGuard, "admit", lambda *_: admitted)  # what was said before
    with pytest.raises(SourceError, match="a link has taken a place"):
        place.open()


def test_a_source_that_becomes_a_pipe_is_not_waited_for(world: Path) -> None:
    source = open_source(manifest(world, "a/1.jpg"))
    (world / "root" / "m.csv").unlink()
    os.mkfifo(world / "root" / "m.csv")
    with pytest.raises(SourceError, match="not a regular file"):
        list(source)
