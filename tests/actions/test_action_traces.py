from __future__ import annotations

import errno
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.actions import traces
from imgmatch.actions.traces import Pieces, found_in, found_in_folder
from imgmatch.errors import IndexUnusableError


@given(
    data=st.binary(max_size=200) | st.text(st.sampled_from("ab"), max_size=200).map(str.encode),
    common=st.just(b"") | st.text(st.sampled_from("ab"), max_size=99).map(str.encode),
    cuts=st.lists(st.tuples(st.integers(0, 199), st.integers(6, 40)), max_size=6),
)
def test_pieces_are_found_wherever_they_stand_as_a_plain_search_finds_them(
    data: bytes, common: bytes, cuts: list[tuple[int, int]]
) -> None:
    needles = {data[start : start + size] for start, size in cuts} | {b"elsewhere", data[:7] + b"\1\2"}
    needles = {needle for needle in needles if len(needle) >= 6}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        assert found_in(path, Pieces(needles, common)) == {needle for needle in needles if needle in data}


@pytest.mark.parametrize("block", [16, 24, 31])
def test_a_piece_across_two_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(traces, "_AT_ONCE", block)
    data = bytes(range(256)) * 2
    (tmp_path / "file").write_bytes(data)
    needles = {data[start : start + 20] for start in range(200)}
    assert found_in(tmp_path / "file", Pieces(needles)) == needles


def test_a_file_is_searched_for_nothing_and_an_empty_one_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert found_in(tmp_path / "file", Pieces(set())) == set()
    assert found_in(tmp_path / "file", Pieces({b"12345678"})) == set()


def test_a_piece_too_short_to_prove_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456")
    assert found_in(tmp_path / "file", Pieces({b"123456"})) == {b"123456"}
    with pytest.raises(ValueError, match="6 bytes"):
        Pieces({b"12345"})


@pytest.mark.slow
def test_every_file_of_a_folder_that_is_not_empty_is_searched_by_a_process_of_its_own(tmp_path: Path) -> None:
    one, two, none = b"first piece", b"second \n\0 piece", b"in no file"
    (tmp_path / "b").write_bytes(b".." + one + b".." + two)
    (tmp_path / "a").write_bytes(two)
    (tmp_path / "c").write_bytes(b"something else")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    assert found_in_folder(tmp_path, [one, two, none]) == {"a": {two}, "b": {one, two}, "c": set()}
    assert found_in_folder(tmp_path, [one, two, none], {"a", "c"}) == {"b": {one, two}}
    with pytest.raises(ValueError, match="prove nothing"):
        found_in_folder(tmp_path, [b"short"])
    with pytest.raises(IndexUnusableError, match="cannot be searched"):
        found_in_folder(tmp_path / "nowhere", [one])


def test_a_piece_is_known_by_what_is_rare_in_what_is_looked_through() -> None:
    paths = b"".join(b"/photos/of/accounts/%d/1.jpg" % number for number in range(300))
    needle = b"/photos/of/accounts/victim/1.jpg"
    pieces = Pieces([needle, b"another", bytes(40)], paths)
    assert b"ctim" in needle[pieces.heads[needle] :][:6]
    assert (pieces.heads[b"another"], pieces.heads[bytes(40)]) == (1, 17)
    assert pieces.within(paths + needle) == {needle}
    assert pieces.within(paths + needle, {needle}) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_no_link_in_the_folder_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"first piece")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "file").write_bytes(b"first piece")
    assert found_in_folder(folder, [b"first piece"]) == {"file": {b"first piece"}}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").write_bytes(b"first piece")

    def unreadable(path: Path, _: Pieces) -> set[bytes]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(traces, "found_in", unreadable)
    with (tmp_path / "asked").open("w+") as asked:
        monkeypatch.setattr("sys.stdin", asked)
        with pytest.raises(SystemExit, match=r"^broken: Input/output error$"):
            traces.main(tmp_path, "asked")


@pytest.mark.skipif(shutil.which("false") is None, reason="no program that fails")
def test_a_search_whose_process_ends_before_its_time_is_an_error_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(IndexUnusableError, match="ended with 1"):
        found_in_folder(tmp_path, [b"first piece"])
