"""Files of our own are private whatever the umask is, and are never made through a link."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from imgmatch import own_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277, 0o777], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize(("shared", "folder", "file"), [(False, 0o700, 0o600), (True, 0o2770, 0o660)])
def test_folders_and_files_have_their_modes_whatever_the_umask(
    tmp_path: Path, folder: int, file: int, *, shared: bool
) -> None:
    own_files.make_folder(tmp_path / "made", shared=shared)
    assert mode(tmp_path / "made") == folder
    assert own_files.is_shared(tmp_path / "made") == shared
    for name, descriptor in (
        ("new", own_files.create(tmp_path / "made" / "new", own_files.file_mode(shared=shared))),
        ("list", own_files.overwrite(tmp_path / "made" / "list", shared=shared)),
    ):
        os.close(descriptor)
        assert mode(tmp_path / "made" / name) == file


def test_a_file_that_is_there_is_written_anew_and_keeps_its_mode(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("as it was, and longer")
    report.chmod(0o644)
    with os.fdopen(own_files.overwrite(report, shared=False), "w") as file:
        file.write("new")
    assert (report.read_text(), mode(report), own_files.kept_mode(report, shared=False)) == ("new", 0o644, 0o644)


@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_nothing_is_made_or_read_through_a_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(FileExistsError):
        own_files.create(tmp_path / "link", 0o600)
    with pytest.raises(OSError, match="link"):
        own_files.open_to_read(tmp_path / "link")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_links_folders_and_pipes_are_strange_and_plain_files_and_nothing_are_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    strange = {name: own_files.what_is_strange(tmp_path / name) for name in ("file", "none", "link", "pipe", ".")}
    assert (strange["file"], strange["none"]) == (None, None)
    assert "link" in (strange["link"] or "")
    assert strange["pipe"] == strange["."] == "is no plain file"
    assert own_files.what_is_strange(tmp_path / "file" / "below") is None
