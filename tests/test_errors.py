from __future__ import annotations

import inspect
import re
from http import HTTPStatus

import pytest

from imgmatch import errors
from imgmatch.errors import ImgmatchError, PhotoError, SkipReason

CLASSES = {
    name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, ImgmatchError)
}


def drawn() -> dict[str, tuple[int, int, int]]:
    """Each class in the picture of the docstring, with its depth, its exit code and its HTTP status."""
    lines = re.findall(r"^    ([│├└─ ]*)(\w+Error) +(\d+)  (\d+)  \S", errors.__doc__ or "", re.MULTILINE)
    return {name: (len(branch) // 4, int(code), int(status)) for branch, name, code, status in lines}


def test_the_picture_shows_every_class_and_no_other() -> None:
    assert set(drawn()) == set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_place_the_exit_code_and_the_status_that_the_picture_gives_it(name: str) -> None:
    error = CLASSES[name]
    bases = [base for base in error.__mro__ if base.__module__ == errors.__name__]
    assert bases[-1] is ImgmatchError
    assert (len(bases) - 1, error.exit_code, error.http_status) == drawn()[name]
    assert HTTPStatus(error.http_status) >= HTTPStatus.BAD_REQUEST


def test_a_photo_error_says_its_reason_before_its_detail() -> None:
    error = PhotoError(SkipReason.FLAT, "quality 3")
    assert (str(error), error.reason, error.detail) == ("flat: quality 3", SkipReason.FLAT, "quality 3")
    assert str(PhotoError(SkipReason.FLAT, "")) == "flat"
