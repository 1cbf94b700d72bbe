"""A list of paths and URLs, one a line: photos to ask about. It does not say whose they are, so none is scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import PhotoError
from imgmatch.model.names import is_text
from imgmatch.rooted import open_regular
from imgmatch.sources.lines import physical_lines
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import Row, bad_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place

_SUFFIX = ".txt"
_LOOKED_AT = 4096
_NOBODY = "-"
"""In place of an account, which the list does not tell."""


def is_list(path: Path, root: Path | None = None) -> bool:
    """Whether a file is a list of paths: it is called ``.txt`` and begins with text, as no photo does.

    Args:
        path: absolute, and without links where there is a root.
        root: a folder beneath which it must lie.
    """
    if path.suffix.lower() != _SUFFIX:
        return False
    try:
        with open_regular(path, root) as file:
            return is_text(file.read(_LOOKED_AT))
    except (OSError, ValueError, PhotoError):
        return False  # who reads it as a photo says what is wrong


def open_list(place: Place) -> ManifestSource:
    """Open a list of paths.

    Raises:
        SourceError: it cannot be read, or lies outside the root.
    """
    return ManifestSource(place, read_list)


def read_list(stream: BinaryIO, name: str) -> Iterator[Row | Skipped]:
    """Read a list of paths; those that are relative are so to its folder.

    Args:
        stream: open for reading bytes.
        name: file name, for messages.

    Yields:
        a row, or why there is none, for every line that is not blank.
    """
    for number, text, problem in physical_lines(stream):
        photo = text.rstrip("\r\n")
        if problem is not None:
            yield bad_line(name, number, problem)
        elif photo.strip():
            yield Row(number, _NOBODY, photo, "", None, "", {})
