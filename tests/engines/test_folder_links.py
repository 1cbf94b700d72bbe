"""An index folder in which a stranger has put links, pipes, or files of another program."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from imgmatch import registry
from imgmatch.catalog.sqlite_files import OWN_FILES
from imgmatch.engines.folder import HEADER, LOCK, MOST_HEADER_BYTES, Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.errors import NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="takes links and pipes")

NEW = Header(FORMAT_VERSION, ("phash", "pdq"), "linear", registry.DEFAULT_CODEBOOK)
NEXT = Snapshot("phash", "linear", "", 0, 0)
OLD_NAMES = (f"{HEADER}.new", f"{HEADER}.0123456789abcdef.new")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "index")
    made.create(NEW)
    return made


def write(text: str) -> Callable[[Path], None]:
    def to(path: Path) -> None:
        path.write_text(text)

    return to


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What lies in a folder: links as they are."""
    return {
        entry.name: (
            entry.lstat().st_mode,
            str(entry.readlink()).encode() if entry.is_symlink() else entry.read_bytes(),
        )
        for entry in folder.iterdir()
    }


@pytest.mark.parametrize("name", [*OLD_NAMES, HEADER, LOCK, *OWN_FILES])
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_a_folder_with_a_link_is_no_index_and_none_is_made_in_it(
    tmp_path: Path, victim: Path, name: str, target: str
) -> None:
    root = tmp_path / "index"
    root.mkdir()
    (root / name).symlink_to(tmp_path / target)
    before = content(root)
    with pytest.raises(NotAnIndexError, match=f"{name} is a link"):
        Layout(root).create(NEW)
    assert content(root) == before
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", [HEADER, LOCK, *OWN_FILES])
def test_what_is_a_pipe_or_a_folder_is_refused_and_holds_nobody_up(tmp_path: Path, name: str) -> None:
    for make in (os.mkfifo, os.mkdir):
        root = tmp_path / make.__name__
        root.mkdir()
        make(root / name)
        with pytest.raises(NotAnIndexError, match=f"{name} is no plain file"):
            Layout(root).create(NEW)


@pytest.mark.parametrize("name", [LOCK, *OWN_FILES])
def test_an_index_with_a_link_among_its_files_is_refused_before_anything_is_touched(
    layout: Layout, victim: Path, name: str
) -> None:
    (layout.root / name).unlink(missing_ok=True)
    (layout.root / name).symlink_to(victim)
    before = content(layout.root)
    for use in (layout.refuse_strange, lambda: layout.change_header(lambda header: replace(header, generation=5))):
        with pytest.raises(NotAnIndexError, match=f"{name} is a link"):
            use()
    assert content(layout.root) == before
    assert victim.read_text() == "precious"


def test_a_header_that_is_a_link_is_not_even_read(layout: Layout) -> None:
    (layout.root / HEADER).rename(layout.root / "elsewhere")
    (layout.root / HEADER).symlink_to("elsewhere")
    for use in (layout.exists, layout.header):
        with pytest.raises(NotAnIndexError, match="is a link"):
            use()


def test_a_lock_that_is_another_name_of_some_file_is_refused(layout: Layout, victim: Path) -> None:
    (layout.root / LOCK).unlink()
    os.link(victim, layout.root / LOCK)
    with pytest.raises(NotAnIndexError, match="another name"):
        layout.change_header(lambda header: header)
    assert victim.read_text() == "precious"


def test_an_engine_file_that_is_a_link_is_refused(layout: Layout, victim: Path) -> None:
    header = layout.publish(NEXT, write("1"))
    assert header.snapshot is not None
    (layout.root / header.snapshot.file).unlink()
    (layout.root / header.snapshot.file).symlink_to(victim)
    with pytest.raises(NotAnIndexError, match="is a link"):
        layout.snapshot_path(header.snapshot)


@pytest.mark.parametrize("name", [HEADER, LOCK, *OWN_FILES])
def test_no_file_of_ours_is_taken_for_an_engine_file(layout: Layout, name: str) -> None:
    with pytest.raises(NotAnIndexError, match=name):
        layout.snapshot_path(replace(NEXT, file=name))


def test_the_index_folder_itself_may_be_a_link(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "by-name").symlink_to(layout.root)
    linked = Layout(tmp_path / "by-name")
    assert linked.publish(NEXT, write("1")) == layout.header()
    linked.create(NEW)
    assert layout.header().generation == 1


@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_publishing_writes_through_no_link_whatever_it_is_called(
    layout: Layout, tmp_path: Path, victim: Path, target: str
) -> None:
    for name in (*OLD_NAMES, "phash.linear.1", "phash.linear.1.new", "phash.linear.0123abcd.new", "phash.linear.new"):
        (layout.root / name).symlink_to(tmp_path / target)
    header = layout.publish(NEXT, write("1"))
    assert header.snapshot is not None
    assert (layout.root / header.snapshot.file).read_text() == "1"
    assert not (layout.root / header.snapshot.file).is_symlink()
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_swapped_while_it_is_written_is_not_published(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("another")

    def swapped(path: Path) -> None:
        path.write_text("1")
        (tmp_path / "other").replace(path)

    before = content(layout.root)
    with pytest.raises(NotAnIndexError, match="replaced"):
        layout.publish(NEXT, swapped)
    assert content(layout.root) == before


def test_what_a_killed_process_left_unfinished_is_dropped_by_the_next_that_writes(layout: Layout) -> None:
    left = [*OLD_NAMES, "phash.linear.0123abcd.new", "features.ivf.0123456789abcdef.new"]
    for name in left:
        (layout.root / name).touch()
    layout.change_header(lambda header: header)
    assert {name for name in left if (layout.root / name).exists()} == set(left[2:])
    layout.publish(NEXT, write("1"))
    assert {entry.name for entry in layout.root.iterdir()} == {HEADER, LOCK, "phash.linear.1"}


def test_a_header_larger_than_any_is_refused_before_it_is_read(layout: Layout) -> None:
    with (layout.root / HEADER).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotAnIndexError, match=f"{MOST_HEADER_BYTES:,} bytes"):
        layout.header()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777], ids=oct)
@pytest.mark.parametrize("share", [False, True])
def test_folder_lock_header_and_engine_files_have_their_modes_whatever_the_umask(
    tmp_path: Path, umask: int, *, share: bool
) -> None:
    before = os.umask(umask)
    try:
        layout = Layout(tmp_path / "index")
        layout.create(NEW, share_with_group=share)
        layout.publish(NEXT, write("1"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(layout.root.stat().st_mode) == (0o2770 if share else 0o700)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in layout.root.iterdir()}
    assert modes == dict.fromkeys((HEADER, LOCK, "phash.linear.1"), 0o660 if share else 0o600)


def test_an_empty_folder_that_becomes_an_index_is_its_owners_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "README.md").touch()
    Layout(tmp_path).create(NEW)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_an_index_that_is_open_to_others_is_left_so_and_can_be_shared(layout: Layout) -> None:
    layout.root.chmod(0o755)
    (layout.root / HEADER).chmod(0o644)
    Layout(layout.root).create(NEW)
    layout.publish(NEXT, write("1"))
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o755
    layout.share_with_group()
    layout.publish(NEXT, write("2"))
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o2770
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in layout.root.iterdir()}
    assert modes == dict.fromkeys((HEADER, LOCK, "phash.linear.2"), 0o660)
