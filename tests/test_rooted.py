from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import rooted
from imgmatch.errors import PhotoError, SkipReason
from imgmatch.rooted import listing, look_at, open_regular
from imgmatch.sources.base import PathGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

posix = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
by_descriptor = pytest.mark.skipif(not rooted.BY_DESCRIPTOR, reason="this system compares, after it has opened")

INSIDE, OUTSIDE = b"inside", b"outside"


@pytest.fixture(params=[True, False], ids=["by descriptor", "by path"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As this system does it, and as one that opens nothing in the descriptor of a folder."""
    if request.param and not rooted.BY_DESCRIPTOR:
        pytest.skip("this system opens nothing in the descriptor of a folder")
    monkeypatch.setattr(rooted, "BY_DESCRIPTOR", request.param)
    return bool(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for folder, content in (("root/a/b", INSIDE), ("outside/a/b", OUTSIDE), ("root2/a/b", OUTSIDE)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.jpg").write_bytes(content)
        (tmp_path / folder.partition("/")[0] / "b").mkdir()
        (tmp_path / folder.partition("/")[0] / "b" / "1.jpg").write_bytes(content)
    return tmp_path.resolve()


def content(path: Path, root: Path | None) -> bytes:
    with open_regular(path, root) as file:
        return file.read()


def refusal(path: Path, root: Path) -> str:
    """Why each of the three ways to a path is refused; the same for all."""
    with pytest.raises(PhotoError) as opened:
        content(path, root)
    with pytest.raises(PhotoError) as looked:
        look_at(path, root)
    assert opened.value.reason is looked.value.reason is SkipReason.REFUSED
    return opened.value.detail


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# -- beneath ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_way")
def test_what_lies_beneath_the_root_is_what_the_system_gives(world: Path) -> None:
    path = world / "root" / "a" / "b" / "1.jpg"
    assert content(path, world / "root") == content(path, None) == INSIDE
    assert look_at(path, world / "root") == look_at(path) == path.stat()
    with listing(world / "root" / "a", world / "root") as entries:
        assert [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries] == [("b", True)]
    with listing(world / "root", world / "root") as entries:
        assert sorted(entry.name for entry in entries) == ["a", "b"]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("path", ["none.jpg", "a/none/1.jpg", "a/b/1.jpg/x", "a/b/1.jpg/x/y"])
def test_what_is_not_there_is_what_the_system_says(world: Path, path: str) -> None:
    for root in (None, world / "root"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            content(world / "root" / path, root)
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            look_at(world / "root" / path, root)
        with pytest.raises((FileNotFoundError, NotADirectoryError)), listing(world / "root" / path, root):
            pass


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "path", ["root/../outside/b/1.jpg", "root/a/../../outside/b/1.jpg", "outside/b/1.jpg", "root2/b/1.jpg", ".."]
)
def test_a_path_that_leaves_the_root_is_refused(world: Path, path: str) -> None:
    assert "outside the folder" in refusal(world / path, world / "root")
    with pytest.raises(PhotoError), listing(world / path, world / "root"):
        pass


@posix
@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("target", ["{outside}", "../outside", "again", "../root2/../outside"])
@pytest.mark.parametrize("path", ["link/b/1.jpg", "link", "link/a/b/1.jpg"])
def test_a_link_out_of_the_root_is_refused_wherever_it_stands(world: Path, target: str, path: str) -> None:
    (world / "root" / "again").symlink_to(world / "outside")
    (world / "root" / "link").symlink_to(target.format(outside=world / "outside"))
    refusal(world / "root" / path, world / "root")
    with pytest.raises(PhotoError), listing(world / "root" / path.removesuffix("/1.jpg"), world / "root"):
        pass


@posix
@by_descriptor
@pytest.mark.parametrize("target", ["a/b/1.jpg", "{root}/a/b/1.jpg", "again", "loop", "nowhere"])
def test_a_link_is_refused_though_it_stays_inside(world: Path, target: str) -> None:
    (world / "root" / "again").symlink_to("a/b/1.jpg")
    (world / "root" / "loop").symlink_to("loop")
    (world / "root" / "link").symlink_to(target.format(root=world / "root"))
    assert "link" in refusal(world / "root" / "link", world / "root")


@posix
@by_descriptor
def test_a_root_that_is_a_link_by_now_is_refused(world: Path) -> None:
    (world / "root").rename(world / "was")
    (world / "root").symlink_to("outside")
    assert "link" in refusal(world / "root" / "a" / "b" / "1.jpg", world / "root")


@linux
@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("path", ["root/etc/passwd", "cwd", "exe", "task/{pid}/root/etc/passwd", "fd/{fd}", "root"])
def test_a_magic_link_of_the_system_is_refused(world: Path, path: str) -> None:
    with (world / "outside" / "b" / "1.jpg").open("rb") as file:
        root = Path("/proc/self").resolve()
        refusal(root / path.format(pid=os.getpid(), fd=file.fileno()), root)


@posix
@pytest.mark.usefixtures("either_way")
def test_what_is_no_regular_file_is_refused_and_not_waited_for(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(world / "root" / "pipe")
    monkeypatch.chdir(world / "root")  # a socket's path has to be short
    found: list[str] = []

    def read_all() -> None:
        for path, root in ((world / "root" / name, world / "root") for name in ("pipe", "socket", "a", ".")):
            with pytest.raises(OSError) as caught:  # noqa: PT011 -- the kind differs
                content(path, root)
            found.append(str(caught.value))
        with pytest.raises(OSError, match="not a regular file"):
            content(Path("/dev/zero"), Path("/dev"))
        found.append("device")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        thread = threading.Thread(target=read_all, daemon=True)
        thread.start()
        thread.join(10)
    assert len(found) == 5


@posix
@pytest.mark.usefixtures("either_way")
def test_no_descriptor_is_left_open(world: Path) -> None:
    (world / "root" / "link").symlink_to(world / "outside")
    before = open_files()
    for path in ("a/b/1.jpg", "link/b/1.jpg", "link", "none/x", "a", "a/b/1.jpg/x"):
        for use in (content, look_at, lambda path, root: listing(path, root).__enter__()):
            try:
                use(world / "root" / path, world / "root")
            except (OSError, PhotoError):
                continue
    assert open_files() == before


# -- the property -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.one_of(
    PATHS,
    st.lists(st.sampled_from(["a", "b", "..", "../..", "."]), min_size=1, max_size=4).map("/".join),
    st.sampled_from(["{top}/root", "{top}/root/a", "{top}/outside", "{top}/outside/a", "/proc/self/root{top}/outside"]),
)
ENTRIES = st.lists(
    st.tuples(PATHS, st.none() | st.just("") | TARGETS), max_size=9
)  # a folder, a file, or a link to something
QUERIES = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=5).map("/".join)


def grow(top: Path, entries: list[tuple[str, str | None]]) -> None:
    """A tree of folders, files and links beneath ``root``, and one of folders and files of the same names outside."""
    for folder, word in (("outside", OUTSIDE), ("root", INSIDE)):
        (top / folder).mkdir()
        for place, target in entries:
            path = top / folder / place
            try:
                if not path.parent.resolve().is_relative_to(top / folder):
                    continue  # a link leads there
                path.parent.mkdir(parents=True, exist_ok=True)
                if target is None:
                    path.mkdir()
                elif not target or folder == "outside":
                    path.write_bytes(word)
                else:
                    path.symlink_to(target.format(top=top))
            except (OSError, RuntimeError):
                continue  # something is in the way


def outcome(read: Callable[[], bytes]) -> bytes | type[Exception]:
    try:
        return read()
    except (OSError, PhotoError) as error:
        return type(error)


@pytest.mark.slow
@posix
@settings(derandomize=True, max_examples=100, deadline=None)
@given(ENTRIES, QUERIES)
def test_no_tree_of_links_leads_out_and_what_is_inside_is_read(
    entries: list[tuple[str, str | None]], query: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        grow(top, entries)
        root, path = top / "root", top / "root" / query
        if rooted.BY_DESCRIPTOR:
            assert outcome(lambda: content(path, root)) != OUTSIDE
        try:
            admitted = PathGuard(root).admit(str(path))
        except PhotoError:
            return
        assert admitted.is_relative_to(root)
        # Nothing has changed since: what the guard lets pass is what the system gives.
        plain = outcome(lambda: content(path, None))
        found = outcome(lambda: content(admitted, root))
        if isinstance(plain, bytes):
            assert found == plain
        elif ".." not in query:  # the guard takes back a step into a folder that is not there; the system does not
            assert not isinstance(found, bytes)


# -- the race ---------------------------------------------------------------------------------------------------------


@contextmanager
def just_before_opening(name: str, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do something the first time that a path of this last name is opened, before it is."""
    real, todo = os.open, [act]

    def opened(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if Path(path).name == name and todo:
            todo.pop()()
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        yield
    assert not todo


def put_link(world: Path, place: str) -> Callable[[], object]:
    """Puts a link to the same place outside where something stands beneath the root."""

    def swap() -> None:
        (world / "root" / place).rename(world / "was")
        (world / "root" / place).symlink_to(world / "outside" / place)

    return swap


@posix
@by_descriptor
@pytest.mark.parametrize("place", ["a", "a/b", "a/b/1.jpg"])
def test_a_link_put_there_just_before_a_name_is_opened_is_refused(
    world: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = world / "root" / "a" / "b" / "1.jpg", open_files()
    with (
        just_before_opening(Path(place).name, put_link(world, place), monkeypatch),
        pytest.raises(PhotoError, match="refused: a link has taken a place on its path"),
    ):
        content(path, world / "root")
    assert path.read_bytes() == OUTSIDE  # which is what opening it by its path gives
    assert open_files() == before


@posix
@by_descriptor
@pytest.mark.parametrize(("name", "place"), [("b", "a"), ("1.jpg", "a"), ("1.jpg", "a/b")])
def test_a_link_put_there_once_a_folder_is_open_changes_nothing(
    world: Path, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with just_before_opening(name, put_link(world, place), monkeypatch):
        assert content(world / "root" / "a" / "b" / "1.jpg", world / "root") == INSIDE


@posix
@pytest.mark.parametrize("place", ["a", "a/b", "a/b/1.jpg"])
def test_a_file_that_was_opened_by_its_path_is_compared_with_what_lies_beneath_the_root(
    world: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooted, "BY_DESCRIPTOR", False)
    path = world / "root" / "a" / "b" / "1.jpg"
    with (
        just_before_opening("1.jpg", put_link(world, place), monkeypatch),
        pytest.raises(PhotoError, match="outside the folder"),
    ):
        content(path, world / "root")


@posix
@by_descriptor
@pytest.mark.parametrize("place", ["a", "a/b"])
def test_a_folder_that_became_a_link_is_not_listed(world: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (world / "outside" / "a" / "b" / "secret").touch()
    with (
        just_before_opening(Path(place).name, put_link(world, place), monkeypatch),
        pytest.raises(PhotoError, match="refused"),
        listing(world / "root" / "a" / "b", world / "root"),
    ):
        pass
