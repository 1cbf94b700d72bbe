from __future__ import annotations

import inspect
import re

import pytest

from imgmatch import errors
from imgmatch.errors import ImgmatchError, PhotoError

CLASSES = {
    name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, ImgmatchError)
}


def drawn() -> dict[str, tuple[int, int]]:
    """Each class in the picture of the docstring, with its depth and its exit code."""
    lines = re.findall(r"^    ([│├└─ ]*)(\w+Error) +(\d+)  \S", errors.__doc__ or "", re.MULTILINE)
    return {name: (len(branch) // 4, int(code)) for branch, name, code in lines}


def test_the_picture_shows_every_class_and_no_other() -> None:
    assert set(drawn()) == set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_exit_code_and_the_depth_the_picture_gives_it(name: str) -> None:
    depth, exit_code = drawn()[name]
    bases = [base for base in CLASSES[name].__mro__ if base.__module__ == errors.__name__]
    assert bases[-1] is ImgmatchError
    assert (len(bases) - 1, CLASSES[name].exit_code) == (depth, exit_code)


def test_a_photo_error_says_its_reason_before_its_detail() -> None:
    error = PhotoError("flat", "quality 3")
    assert (str(error), error.reason, error.detail) == ("flat: quality 3", "flat", "quality 3")
    assert str(PhotoError("flat", "")) == "flat"
