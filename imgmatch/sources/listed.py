"""A list of paths and URLs, one a line: photos to ask about. It does not say whose they are, so none is scanned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import PhotoError
from imgmatch.rooted import open_regular
from imgmatch.sources.lines import physical_lines
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.rows import Row, bad_line
from imgmatch.sources.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model import Skipped
    from imgmatch.sources.place import Place

_SUFFIX = ".txt"
_LOOKED_AT = 4096
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
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


def is_text(data: bytes) -> bool:
    """Whether the beginning of something is text that says anything; names in it need not be UTF-8."""
    return bool(data.strip()) and not _NO_TEXT.search(data)


def piped_paths(data: bytes) -> list[str] | None:
    """The paths and URLs that were piped in, if that is a list: text whose first line is a URL, or there."""
    if not is_text(data[:_LOOKED_AT]):
        return None
    lines = [line.rstrip("\r") for line in data.decode(errors="surrogateescape").split("\n")]
    paths = [line for line in lines if line.strip()]
    try:
        return paths if is_url(paths[0]) or Path(paths[0]).exists() else None
    except (OSError, ValueError):
        return None


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
