from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imgmatch import registry
from imgmatch.catalog.sqlite_files import OWN_FILES
from imgmatch.engines.folder import HEADER, LOCK, Layout
from imgmatch.engines.header import FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.rows import FingerprintRows
from imgmatch.engines.snapshots import save_arrays
from imgmatch.engines.sync import load_engine
from imgmatch.errors import (
    IndexFullError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexUnusableError,
    LeaseLostError,
    NotAnIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNIX = pytest.mark.skipif(os.name == "nt", reason="takes signals and users of Unix")
NEW = Header(FORMAT_VERSION, ("phash", "pdq"), "linear", registry.DEFAULT_CODEBOOK)
NEXT = Snapshot("phash", "linear", "", 0, 0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "index")
    made.create(NEW)
    return made


def names(layout: Layout) -> set[str]:
    return {entry.name for entry in layout.root.iterdir()} - {LOCK}


def write(text: str) -> Callable[[Path], None]:
    def to(path: Path) -> None:
        path.write_text(text)

    return to


def run(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True)


# -- the header -------------------------------------------------------------------------------------------------


def test_a_header_that_is_no_text_or_no_file_is_refused(layout: Layout) -> None:
    (layout.root / HEADER).write_bytes(b"\xff\xfe\0")
    with pytest.raises(IndexUnusableError):
        layout.header()
    (layout.root / HEADER).unlink()
    (layout.root / HEADER).mkdir()
    with pytest.raises(IndexUnusableError):
        layout.header()


@pytest.mark.parametrize("file", ["", ".", "..", "../x", "/etc/passwd", "a/b", "./x", "x/", "../index/x"])
def test_an_engine_file_outside_the_folder_is_refused(layout: Layout, file: str) -> None:
    with pytest.raises(NotAnIndexError, match="outside"):
        layout.snapshot_path(replace(NEXT, file=file))


def test_an_engine_file_in_the_folder_is_where_it_says(layout: Layout) -> None:
    assert layout.snapshot_path(replace(NEXT, file="phash.flat.1")) == layout.root / "phash.flat.1"
    assert Layout(Path()).snapshot_path(replace(NEXT, file="phash.flat.1")) == Path("phash.flat.1")


# -- the folder -------------------------------------------------------------------------------------------------


def test_nothing_there_is_no_index_found(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing", tmp_path / "missing" / "too"):
        assert not Layout(root).exists()
        with pytest.raises(IndexNotFoundError, match="imgmatch scan"):
            Layout(root).header()


def test_an_empty_folder_or_one_with_a_readme_becomes_an_index(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    (tmp_path / ".gitignore").touch()
    for root in (tmp_path, tmp_path / "made" / "on the way"):
        Layout(root).create(NEW)
        assert Layout(root).exists()
        assert Layout(root).header() == NEW


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(NotAnIndexError, match=r"holiday\.jpg"):
        Layout(tmp_path).create(NEW)
    with pytest.raises(NotAnIndexError, match=HEADER):
        Layout(tmp_path).header()
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(IndexUnusableError):
            Layout(root).create(NEW)
        with pytest.raises(NotAnIndexError):
            Layout(root).header()
    assert (tmp_path / "file").read_text() == "mine"


def test_an_index_half_made_can_be_made(tmp_path: Path) -> None:
    for name in (*OWN_FILES, LOCK, f"{HEADER}.new"):
        (tmp_path / name).touch()
    Layout(tmp_path).create(NEW)
    assert Layout(tmp_path).header() == NEW


# -- publishing -------------------------------------------------------------------------------------------------


def test_publishing_names_the_next_generation_and_drops_the_one_before(layout: Layout) -> None:
    for generation in (1, 2, 3):
        header = layout.publish(replace(NEXT, through=generation), write(str(generation)))
        name = f"phash.linear.{generation}"
        assert header == layout.header()
        assert (header.generation, header.snapshot) == (generation, replace(NEXT, file=name, through=generation))
        assert names(layout) == {HEADER, name}
        assert (layout.root / name).read_text() == str(generation)


def test_publishing_leaves_files_of_others_alone(layout: Layout) -> None:
    others = {"README.md", *OWN_FILES, "phasher", "pdq"}
    for name in others:
        (layout.root / name).touch()
    layout.publish(NEXT, write("1"))
    assert names(layout) == {HEADER, "phash.linear.1"} | others


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, IndexFullError), (errno.EDQUOT, IndexFullError), (errno.EROFS, IndexReadOnlyError)],
)
def test_a_write_that_fails_leaves_the_old_generation_and_says_why(
    layout: Layout, number: int, told: type[IndexUnusableError]
) -> None:
    header = layout.publish(NEXT, write("old"))

    def half(path: Path) -> None:
        path.write_text("ne")
        raise OSError(number, os.strerror(number))

    with pytest.raises(told, match="index"):
        layout.publish(NEXT, half)
    assert layout.header() == header
    assert names(layout) == {HEADER, "phash.linear.1"}


PUBLISH = """
import sys
from functools import partial
from pathlib import Path
import numpy
from imgmatch.engines.snapshots import save_arrays
from imgmatch.engines.header import Snapshot
from imgmatch.engines.folder import Layout

def publish(layout):
    header = layout.header()
    size = 100 * (header.generation + 1)
    codes = numpy.full((size, 32), header.generation + 1, numpy.uint8)
    write = partial(save_arrays, parts=[(numpy.arange(size), codes)])
    layout.publish(Snapshot("phash", "linear", "", size, size), write)
"""
PUBLISH_WITHOUT_END = """
layout = Layout(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    publish(layout)
"""
PUBLISH_AND_DIE_AT_EVERY_LINE = """
import os, shutil, signal
from itertools import count
import imgmatch.engines.folder

def die_at(line):
    lines = count(1)
    def trace(frame, event, _):
        if frame.f_code.co_filename != imgmatch.engines.folder.__file__:
            return None
        if event == "line" and next(lines) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

for line in count(1):
    root = Path(sys.argv[1]) / str(line)
    shutil.copytree(Path(sys.argv[1]) / "start", root)
    child = os.fork()
    if not child:
        die_at(line)
        publish(Layout(root))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def whole_generation(layout: Layout) -> int:
    """The generation a reader gets, after a look whether all of it is of that generation."""
    header = layout.header()
    parts = load_engine(FingerprintRows(), layout, header)
    if header.generation == 0:
        assert header.snapshot is None
        return 0
    assert parts is not None
    assert len(parts) == parts.watermark == 100 * header.generation
    query = np.full((1, 32), header.generation, np.uint8)
    assert len(parts.search(query, 0)) == 100 * header.generation
    return header.generation


@pytest.mark.slow
@UNIX
def test_a_kill_at_any_line_of_publishing_leaves_the_old_or_the_new_generation_whole(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "start")
    layout.create(NEW)
    for _ in range(2):
        header = layout.header()
        size = 100 * (header.generation + 1)
        arrays = np.arange(size), np.full((size, 32), header.generation + 1, np.uint8)
        save = partial(save_arrays, parts=[arrays])
        layout.publish(Snapshot("phash", "linear", "", size, size), save)
    with run(PUBLISH + PUBLISH_AND_DIE_AT_EVERY_LINE, tmp_path) as process:
        assert process.wait(60) == 0
    lines = sorted((root for root in tmp_path.iterdir() if root.name != "start"), key=lambda root: int(root.name))
    found = [whole_generation(Layout(root)) for root in lines]
    assert len(lines) > 20
    assert found == sorted(found)
    assert set(found) == {2, 3}
    for root in lines:
        layout = Layout(root)
        header = layout.publish(NEXT, write("after the kill"))
        assert header.snapshot is not None
        assert names(layout) == {HEADER, header.snapshot.file}


@pytest.mark.slow
@UNIX
def test_kills_at_random_moments_never_leave_half_a_generation(layout: Layout) -> None:
    moments = random.Random(7)
    for _ in range(6):
        before = layout.header().generation
        with run(PUBLISH + PUBLISH_WITHOUT_END, layout.root) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.01, 0.15))
            process.kill()
        assert whole_generation(layout) >= before


# -- one at a time ----------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from filelock import FileLock
with FileLock(Path(sys.argv[1]) / "lock"):
    print("held", flush=True)
    time.sleep(60)
"""

COUNT = """
import sys
from dataclasses import replace
from pathlib import Path
from imgmatch.engines.folder import Layout
layout = Layout(Path(sys.argv[1]))
for _ in range(20):
    layout.change_header(lambda header: replace(header, generation=header.generation + 1))
"""


@pytest.fixture
def holder(layout: Layout) -> Iterator[subprocess.Popen[str]]:
    """Another process that is changing the header."""
    with run(HOLD, layout.root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_changes_the_header_waits_for_another_process_and_goes_on_when_that_dies(
    layout: Layout, holder: subprocess.Popen[str]
) -> None:
    with ThreadPoolExecutor(1) as threads:
        changed = threads.submit(layout.change_header, lambda header: replace(header, generation=7))
        with pytest.raises(TimeoutError):
            changed.result(0.2)
        assert layout.header() == NEW  # reading waits for nobody
        holder.kill()
        assert changed.result(60).generation == layout.header().generation == 7


@pytest.mark.slow
def test_no_change_of_the_header_is_lost_whoever_makes_it(layout: Layout) -> None:
    processes = [run(COUNT, layout.root) for _ in range(3)]

    def count(_: int) -> None:
        layout.change_header(lambda header: replace(header, generation=header.generation + 1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(40)))
    for process in processes:
        with process:
            assert process.wait(60) == 0
    assert layout.header().generation == 100


def test_a_change_that_fails_lets_the_next_one_in(layout: Layout) -> None:
    def fail(_: Header) -> Header:
        raise KeyError

    with pytest.raises(KeyError):
        layout.change_header(fail)
    assert layout.change_header(lambda header: header) == NEW


def test_what_nobody_agrees_to_any_more_is_not_published(layout: Layout) -> None:
    first = layout.publish(NEXT, write("old"))

    @contextmanager
    def disagreed() -> Iterator[None]:
        raise LeaseLostError("taken over")
        yield

    with pytest.raises(LeaseLostError):
        layout.publish(NEXT, write("new"), disagreed)
    assert layout.header() == first
    assert names(layout) == {HEADER, "phash.linear.1"}
    assert (layout.root / "phash.linear.1").read_text() == "old"


# -- read-only --------------------------------------------------------------------------------------------------

READ_ONLY = """
import os, sys
from pathlib import Path
from imgmatch.errors import IndexReadOnlyError
from imgmatch.engines.header import Snapshot
from imgmatch.engines.folder import Layout
os.getuid() or (os.setgid(65534), os.setuid(65534))
layout = Layout(Path(sys.argv[1]))
header = layout.header()
print(header.generation)
for write in (
    lambda: layout.change_header(lambda header: header),
    lambda: layout.create(header),
    lambda: layout.write_header(header),
    lambda: layout.publish(Snapshot("phash", "linear", "", 0, 0), lambda path: path.touch()),
    lambda: Layout(layout.root / "below").create(header),
):
    try:
        write()
    except IndexReadOnlyError:
        print("read-only")
"""
CLOSED = """
import os, sys
from pathlib import Path
from imgmatch.errors import IndexUnusableError
from imgmatch.engines.folder import Layout
os.getuid() or (os.setgid(65534), os.setuid(65534))
for look in (Layout(Path(sys.argv[1])).exists, Layout(Path(sys.argv[1])).header):
    try:
        look()
    except IndexUnusableError:
        print("unusable")
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may look into."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)
        (Path(made) / "index").chmod(0o755)


@UNIX
def test_a_read_only_folder_can_be_read_and_says_so_when_written(public: Path) -> None:
    layout = Layout(public / "index")
    layout.create(NEW)
    (layout.root / HEADER).chmod(0o644)
    layout.root.chmod(0o555)
    with run(READ_ONLY, layout.root) as process:
        assert process.communicate(timeout=60)[0].split() == ["0"] + 5 * ["read-only"]
    assert names(layout) == {HEADER}


@UNIX
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_nobody_may_look_into_is_an_error_of_the_index(public: Path, mode: int) -> None:
    layout = Layout(public / "index")
    layout.create(NEW)
    layout.root.chmod(mode)
    with run(CLOSED, layout.root) as process:
        assert process.communicate(timeout=60)[0].split() == ["unusable", "unusable"]


@UNIX
def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(public: Path) -> None:
    (public / "index").mkdir(mode=0o111)
    (public / "index").chmod(0o111)
    with run(CLOSED, public / "index") as process:
        assert process.communicate(timeout=60)[0].split() == ["unusable"]
