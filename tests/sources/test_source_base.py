from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.model import derived_photo_id
from imgmatch.sources.base import account_problem, is_utf8, lexical, shown, stem

if TYPE_CHECKING:
    from pathlib import Path

PIECES = st.lists(st.sampled_from(["a", "b.jpg", ".", "..", "", "/", "x.", ".h", "\\"]), max_size=6)


@given(PIECES, st.sampled_from(["/data/nightly", "/"]))
@pytest.mark.skipif(os.sep != "/", reason="paths of POSIX systems")
def test_the_quick_way_to_a_normal_path_is_the_slow_way(pieces: list[str], folder: str) -> None:
    path = "/".join(pieces)
    assert lexical(folder, path) == os.path.abspath(os.path.join(folder, path))  # noqa: PTH100, PTH118


def test_a_derived_id_never_changes() -> None:
    assert derived_photo_id("a17", "/photos/a17/1.jpg") == "4fd393417af8ad56fe57"


def test_a_derived_id_tells_accounts_and_paths_apart() -> None:
    ids = {derived_photo_id(account, path) for account in ("a", "b", "ab") for path in ("/c", "/bc", "/a")}
    assert len(ids) == 9


@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", "a"), ("a.tar.gz", "a.tar"), ("a", "a"), (".jpg", ".jpg"), ("a.", "a")]
)
def test_a_stem_is_the_name_without_its_last_suffix(name: str, expected: str) -> None:
    assert stem(name) == expected


@pytest.mark.parametrize("account", ["", "  ", "a\nb", "a\x7f", "a\x9f", "\0", "x" * 1001])
def test_an_account_that_cannot_be_an_id_says_why(account: str) -> None:
    problem = account_problem(account)
    assert problem is not None
    assert is_utf8(problem)
    assert len(problem) < 300


@pytest.mark.parametrize("account", ["a", " a ", "Ünï\u202ecode", "a\u2028b", "🙂", "x" * 1000])
def test_any_other_text_can_be_an_account(account: str) -> None:
    assert account_problem(account) is None


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_shown_text_can_be_stored_and_is_one_short_line(text: str) -> None:
    result = shown(text)
    assert is_utf8(result)
    assert not any(ord(char) < 32 for char in result)
    assert len(result) <= 201 * len("\\U0001f600")


def test_a_path_stays_as_it_is_without_a_folder_to_add(tmp_path: Path) -> None:
    assert lexical(str(tmp_path), str(tmp_path / "x" / "a.jpg")) == str(tmp_path / "x" / "a.jpg")
