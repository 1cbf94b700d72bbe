from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from imgmatch.errors import ImgmatchError, IndexFullError, NotFoundError, TooManyTriesError
from imgmatch.web.gate import BusyError, Gate, Rate
from imgmatch.web.settings import ServeSettings
from imgmatch.web.uploads import Uploads, default_folder


def test_photos_are_kept_under_their_names_for_nobody_else_to_read(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "new" / "folder", 1)
    check = uploads.keep([("a b/ü.jpg", b"one"), ("x" * 300, b"two")], "mia", "ana")
    kept = uploads.read(check)
    assert [(photo.name, Path(str(photo.content)).read_bytes()) for photo in kept.photos] == [
        ("a b/ü.jpg", b"one"),
        ("x" * 200, b"two"),
    ]
    assert (kept.account, kept.by) == ("mia", "ana")
    for path in [tmp_path / "new" / "folder", *(tmp_path / "new" / "folder").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("check", ["", "..", "../../etc/passwd", "a" * 21, "a" * 23, "a/" * 11, "\x00" * 22, "é" * 22])
def test_what_is_no_check_is_not_looked_for(tmp_path: Path, check: str) -> None:
    with pytest.raises(NotFoundError, match="this check is gone"):
        Uploads(tmp_path / "uploads", 1).read(check)


def test_what_was_kept_for_too_long_goes_and_so_does_what_was_cut_off(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", 1)
    old, young = (uploads.keep([("x", b"x")], None, "ana") for _ in range(2))
    half = tmp_path / "uploads" / ("h" * 22 + ".new")
    half.mkdir()
    (tmp_path / "uploads" / "of somebody else").mkdir()
    for path in (tmp_path / "uploads" / old, half):
        os.utime(path, (0, 0))
    with pytest.raises(NotFoundError):
        uploads.read(old)
    uploads.sweep()
    assert {path.name for path in (tmp_path / "uploads").iterdir()} == {young, "of somebody else"}


def test_a_server_that_starts_removes_what_was_kept_for_too_long(tmp_path: Path) -> None:
    old = Uploads(tmp_path / "uploads", 1).keep([("x", b"x")], None, "ana")
    os.utime(tmp_path / "uploads" / old, (0, 0))
    Uploads(tmp_path / "uploads", 1)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_folder_that_somebody_has_removed_is_made_anew(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", 1)
    (tmp_path / "uploads").rmdir()
    assert uploads.read(uploads.keep([("x", b"x")], None, "ana")).by == "ana"


def test_what_cannot_be_kept_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(tmp_path / "uploads", 1)
    with monkeypatch.context() as patch:
        patch.setattr("imgmatch.web.uploads.json.dump", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            uploads.keep([("x", b"x")], None, "ana")
    assert list((tmp_path / "uploads").iterdir()) == []
    with monkeypatch.context() as patch:
        full = shutil.disk_usage("/")._replace(free=1)
        patch.setattr("imgmatch.web.uploads.shutil.disk_usage", lambda _: full)
        with pytest.raises(IndexFullError, match="no space left for photos"):
            uploads.keep([("x", b"x")], None, "ana")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_folder_that_others_look_into_is_refused_and_so_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "file").write_text("")
    for name in ("open", "link", "file"):
        with pytest.raises(ImgmatchError, match="uploads"):
            Uploads(tmp_path / name, 1)


def test_each_index_has_a_folder_of_its_own() -> None:
    assert default_folder("a" * 32) != default_folder("b" * 32)


def test_a_gate_lets_so_many_in_and_says_when_to_come_again() -> None:
    gate = Gate(2)
    with gate.passed(), gate.passed():
        assert gate.inside == 2
        with pytest.raises(BusyError) as caught:
            gate.enter()
        assert (caught.value.retry_after, caught.value.http_status) == (2, 503)
    assert gate.inside == 0
    with pytest.raises(ZeroDivisionError), gate.passed():
        raise ZeroDivisionError
    assert gate.inside == 0


def test_a_gate_lets_no_more_bytes_in_than_memory_has_but_always_one() -> None:
    gate = Gate(9, most_bytes=100)
    with gate.passed(500):
        with pytest.raises(BusyError):
            gate.enter(1)
        with pytest.raises(BusyError):
            gate.enter(0)
    with gate.passed(60), gate.passed(40), pytest.raises(BusyError):
        gate.enter(1)
    with gate.passed(100):
        assert gate.inside == 1


def test_each_caller_may_ask_so_often_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    rate = Rate(2)
    for caller in ("ana", "ben", "ana"):
        rate.count(caller)
    clock[0] += 20
    with pytest.raises(TooManyTriesError, match="ana asks more than 2 times a minute") as caught:
        rate.count("ana")
    assert caught.value.retry_after == 40
    rate.count("ben")
    clock[0] += 41
    rate.count("ana")
    for _ in range(9):
        Rate(None).count("ana")


def test_settings_come_through_the_environment_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGMATCH_SERVE", "")
    settings = ServeSettings("/x", reasons=("a", "b"), hosts=("h",), webhook="http://x", upload_hours=0.5)
    settings.to_environment()
    assert ServeSettings.from_environment() == settings
