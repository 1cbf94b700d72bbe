"""Photos that are asked about: files, bytes, and all that folders and manifests stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError
from imgmatch.model import Failure, NamedPhoto, Skipped
from imgmatch.sources import open_source
from imgmatch.sources.base import PathGuard
from imgmatch.sources.opening import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD_INPUT = "-"

Query = str | os.PathLike[str] | bytes | NamedPhoto
"""A file, the bytes of one, or a photo under a name of its own."""


def named_photo(photo: Query) -> NamedPhoto:
    """``photo`` under its path, or ``-`` where it came as bytes; it is not looked at here."""
    if isinstance(photo, NamedPhoto):
        return photo
    if isinstance(photo, bytes):
        return NamedPhoto(STANDARD_INPUT, photo)
    return NamedPhoto(os.fspath(photo), Path(photo))


def named_photos(queries: Iterable[Query], *, root: Path | None = None) -> Iterator[NamedPhoto]:
    """Every photo the queries stand for, in order, under the name it is shown by.

    A folder or manifest stands for its photos. A file named directly is not looked at here: whoever reads it says what
    is wrong with it. A line of a manifest that names no photo comes as a failure in its place.

    Args:
        queries: photos, folders and manifests.
        root: refuse photos outside this folder.

    Raises:
        SourceError: a folder or a manifest cannot be read at all.
    """
    guard = PathGuard(root)
    for query in queries:
        if isinstance(query, (bytes, NamedPhoto)):
            yield named_photo(query)
            continue
        path = os.fspath(query)
        if _is_folder(path):
            yield from _photos_in(path, root, prefix=str(Path(path, "_"))[:-1])
        elif Path(path).suffix.lower() in MANIFESTS:
            yield from _photos_in(path, root)
        else:
            yield NamedPhoto(path, _admitted(path, guard))


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered: reading the photo will tell
        return False


def _admitted(path: str, guard: PathGuard) -> Path | Failure:
    if guard.root is None:
        return Path(path)
    try:
        return guard.admit(str(Path(path).absolute()))
    except PhotoError as error:
        return Failure(error.reason, error.detail)


def _photos_in(source: str, root: Path | None, prefix: str = "") -> Iterator[NamedPhoto]:
    for item in open_source(source, root=root):
        if isinstance(item, Skipped):
            where = f" (line {item.line})" if item.line is not None else ""
            yield NamedPhoto(prefix + item.photo, Failure(item.reason, item.detail + where))
        else:
            yield NamedPhoto(prefix + item.label, item.path)
