from __future__ import annotations

import pytest

from imgmatch.model import SkipReason
from imgmatch.sources.names import USUAL_NAMES, NameRule


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "@Recycle", ".@__thumb", "$RECYCLE.BIN", "System Volume Information", "lost+found"),
        *("LOST.DIR", "Temporary Items", "@sharebin", ".stversions", ".dropbox.cache", ".cache", ".AppleDesktop"),
        *(".Trash-1000", ".Trashes", ".fseventsd", ".Spotlight-V100", "__MACOSX", "found.000", ".git"),
    ],
)
def test_a_folder_of_a_system_is_passed_over_in_any_spelling_and_a_file_of_that_name_is_not(name: str) -> None:
    for spelt in (name, name.lower(), name.upper(), f"a/b/{name}"):
        passed = USUAL_NAMES.passed_over(spelt, folder=True)
        assert passed is not None
        assert (passed.photo, passed.reason, passed.part) == (spelt, SkipReason.PASSED_OVER, None)
    assert USUAL_NAMES.passed_over(f"{name}.jpg", folder=False) is None
    assert USUAL_NAMES.passed_over(f"{name}s", folder=True) is None


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", ".DS_Store", "._1.jpg", ".#1.jpg", "Icon\r", "a.TXT", "a.xmp", "M.CTG"]
)
def test_a_file_of_a_system_is_passed_over(name: str) -> None:
    assert USUAL_NAMES.passed_over(f"a/{name}", folder=False) is not None
    assert USUAL_NAMES.passed_over(f"a/{name}", folder=True) is None


def test_a_path_is_passed_over_for_any_of_its_folders() -> None:
    assert USUAL_NAMES.passed_over_within("a/@eaDir/1.jpg/x.jpg") is not None
    assert USUAL_NAMES.passed_over_within("__MACOSX/a/1.jpg") is not None
    assert USUAL_NAMES.passed_over_within("a/Thumbs.db") is not None
    assert USUAL_NAMES.passed_over_within("a/Thumbs.db/1.jpg") is None


@pytest.mark.parametrize("pattern", ["@eaDir", "@EADIR", "@ea*", "a/@eaDir"])
def test_a_pattern_takes_in_names_and_paths(pattern: str) -> None:
    rule = NameRule((pattern,))
    assert rule.passed_over("a/@eaDir", folder=True) is None
    assert rule.passed_over("a/#recycle", folder=True) is not None
    assert (rule.passed_over("b/@eaDir", folder=True) is None) == (pattern != "a/@eaDir")
