from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imgmatch.errors import PhotoError
from imgmatch.imaging.files import read_photo
from imgmatch.imaging.limits import Limits

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def refusal(path: Path, limits: Limits | None = None) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, limits or Limits())
    assert caught.value.__cause__ is None
    return caught.value.reason, caught.value.detail


def test_the_bytes_of_a_file_come_back_as_they_are(tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000
    (tmp_path / "a").write_bytes(content)
    assert read_photo(tmp_path / "a", Limits()) == content


@posix
def test_a_link_to_a_file_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_photo(tmp_path / "b", Limits()) == b"content"


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == ("missing", "there is no such file")


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert refusal(tmp_path / "a" / "b")[0] == "missing"


def test_a_folder_is_unreadable(tmp_path: Path) -> None:
    assert refusal(tmp_path)[0] == "unreadable"


@posix
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.append(refusal(tmp_path / "pipe")), daemon=True)
    thread.start()
    thread.join(5)
    assert found == [("unreadable", "it is not a regular file")]


@posix
def test_a_socket_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        reason, detail = refusal(Path("socket"))
    assert reason == "unreadable"
    assert detail


@posix
def test_a_device_is_unreadable() -> None:
    assert refusal(Path("/dev/zero")) == ("unreadable", "it is not a regular file")


@posix
def test_a_link_to_itself_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    reason, detail = refusal(tmp_path / "loop")
    assert reason == "unreadable"
    assert "link" in detail


@posix
def test_a_link_to_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    assert refusal(tmp_path / "link")[0] == "missing"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_path_no_system_takes_is_unreadable(tmp_path: Path, name: str) -> None:
    reason, detail = refusal(tmp_path / name)
    assert reason in {"unreadable", "missing"}
    assert detail


GIVE_UP_ROOT = """
import os, sys
from pathlib import Path
from imgmatch.errors import PhotoError
from imgmatch.imaging.files import read_photo
from imgmatch.imaging.limits import Limits
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    read_photo(Path("a"), Limits())
except PhotoError as error:
    print(error)
"""


@posix
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    path.chmod(0)
    tmp_path.chmod(0o755)
    if os.access(path, os.R_OK):  # root reads everything
        said = subprocess.run(
            [sys.executable, "-c", GIVE_UP_ROOT, tmp_path], capture_output=True, text=True, check=True
        )
        assert said.stdout == "unreadable: permission denied\n"
    else:
        assert refusal(path) == ("unreadable", "permission denied")


def test_an_empty_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert refusal(tmp_path / "a") == ("unreadable", "the file is empty")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space, and no machine could hold it
    assert refusal(path) == ("too large", "1,099,511,627,776 bytes; the limit is 67,108,864")


def test_a_file_of_just_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345678")
    assert len(read_photo(tmp_path / "a", Limits(file_bytes=8))) == 8
    assert refusal(tmp_path / "a", Limits(file_bytes=7))[0] == "too large"


@posix
def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        read_photo(tmp_path / "a", Limits())
        refusal(tmp_path)
    assert len(list(Path("/dev/fd").iterdir())) == before
