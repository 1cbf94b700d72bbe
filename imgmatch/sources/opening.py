"""Which source a path is: a folder, a manifest by its suffix, or one photo."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.sources.base import Fence, Source, is_utf8, lexical, shown
from imgmatch.sources.folder import FolderSource
from imgmatch.sources.lines_csv import read_csv
from imgmatch.sources.lines_jsonl import read_jsonl
from imgmatch.sources.lines_parquet import read_parquet
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.single import SinglePhotoSource

if TYPE_CHECKING:
    from imgmatch.sources.rows import Reader

MANIFESTS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
}
"""A manifest format is one file and one line here."""


def open_source(path: str | Path, *, root: Path | None = None) -> Source:
    """Open a folder, a manifest or one photo.

    A manifest's header is read at once, so that what is wrong with it shows before any work is done.

    Args:
        path: a folder (one sub-folder per account), a manifest (``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``,
            ``.parquet``), or any other file: one photo, its account named by the file's stem.
        root: if given, neither the source nor any photo in it may lie outside this folder, symbolic links followed.

    Returns:
        a source to iterate over, as often as wanted.

    Raises:
        MissingExtraError: a Parquet manifest, and pyarrow is not installed.
        SourceError: there is nothing at ``path``, it cannot be read, it leaves ``root``, it is a socket or a pipe, or
            it is no manifest though its suffix says so.
    """
    absolute = _absolute(path)
    fence = Fence(root)
    try:
        mode = _mode(fence.admit(absolute), absolute)
        if stat.S_ISDIR(mode):
            return FolderSource(absolute, fence)
        if not stat.S_ISREG(mode):
            raise SourceError(f"{shown(absolute)} is neither a file nor a folder.")
        read = MANIFESTS.get(Path(absolute).suffix.lower())
        return ManifestSource(absolute, fence, read) if read else SinglePhotoSource(absolute, fence)
    except PhotoError as error:
        raise SourceError(f"{shown(absolute)}: {error.detail}") from error


def _absolute(path: str | Path) -> str:
    text = os.fspath(path)
    if not text:
        raise SourceError("A source needs a path; this one is empty.")
    if "\0" in text or not is_utf8(text):
        raise SourceError(f"{shown(text)}: a path with a NUL, or not valid UTF-8, cannot be used.")
    try:
        absolute = lexical(str(Path.cwd()), text)
    except OSError as error:
        raise SourceError(f"The current folder cannot be told: {error.strerror or error}") from error
    if not is_utf8(absolute):
        raise SourceError(f"{shown(absolute)}: a path that is not valid UTF-8 cannot be used.")
    return absolute


def _mode(path: Path, name: str) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{shown(name)} does not exist.") from error
    except OSError as error:
        raise SourceError(f"{shown(name)} cannot be read: {error.strerror or error}") from error
