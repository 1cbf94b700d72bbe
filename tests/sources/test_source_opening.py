from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imgmatch.errors import SourceError
from imgmatch.model import NewPhoto
from imgmatch.sources import open_source

if TYPE_CHECKING:
    from pathlib import Path

needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")


def test_a_photo_is_an_account_named_by_its_stem(tmp_path: Path) -> None:
    (tmp_path / "lena.2.jpg").touch()
    source = open_source(tmp_path / "lena.2.jpg")
    [photo] = source
    assert isinstance(photo, NewPhoto)
    assert (photo.account, photo.label, photo.path) == ("lena.2", "lena.2.jpg", tmp_path / "lena.2.jpg")
    assert source.key == str(tmp_path / "lena.2.jpg")


def test_a_photo_without_a_stem_is_named_by_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / ".jpg").touch()
    [photo] = open_source(tmp_path / ".jpg")
    assert photo.account == ".jpg"


@pytest.mark.parametrize("name", ["blank/ .jpg", "bell/\a.jpg"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_photo_whose_stem_cannot_be_an_account_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.touch()
    with pytest.raises(SourceError, match="account"):
        open_source(path)


def test_a_relative_path_has_an_absolute_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_source("./photos/../photos").key == str(tmp_path / "photos")


def test_a_folder_is_a_folder_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "set.csv").mkdir()
    (tmp_path / "set.csv" / "a.jpg").touch()
    assert [photo.account for photo in open_source(tmp_path / "set.csv")] == ["a"]


@pytest.mark.parametrize("path", ["gone.jpg", "gone.csv", "file/below.jpg"])
def test_what_is_not_there_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"(gone|below).*does not exist"):
        open_source(tmp_path / path)


@pytest.mark.parametrize("path", ["", "a\0b.csv", "a\udcff.csv"])
def test_a_path_no_file_can_have_is_an_error(path: str) -> None:
    with pytest.raises(SourceError):
        open_source(path)


@needs_fifo
@pytest.mark.parametrize("name", ["pipe.jpg", "pipe.csv"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_source(tmp_path / name)


@needs_fifo
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.csv")
        with pytest.raises(SourceError, match="neither a file nor a folder"):
            open_source("s.csv")


@needs_fifo
def test_a_link_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(SourceError, match=r"loop\.csv"):
        open_source(tmp_path / "loop.csv")


@needs_fifo
def test_a_name_too_long_for_the_system_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(tmp_path / ("x" * 5000))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not let go of a current folder")
def test_a_current_folder_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SourceError, match="current folder"):
        open_source("a.csv")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_current_folder_that_is_not_utf8_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "\udcff").mkdir()
    monkeypatch.chdir(tmp_path / "\udcff")
    with pytest.raises(SourceError, match="not valid UTF-8"):
        open_source("a.csv")


def test_sources_load_no_pyarrow_before_it_is_needed() -> None:
    check = "import sys, imgmatch.sources; sys.exit('pyarrow' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
