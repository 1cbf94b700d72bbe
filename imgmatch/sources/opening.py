"""Which source a path is: a folder, a manifest or an archive by its suffix, or one photo."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.sources.archive import ArchiveSource
from imgmatch.sources.archive_tar import TarArchive
from imgmatch.sources.archive_zip import ZipArchive
from imgmatch.sources.base import PathGuard, Source, is_utf8, lexical, shown
from imgmatch.sources.folder import FolderSource
from imgmatch.sources.lines_csv import read_csv
from imgmatch.sources.lines_jsonl import read_jsonl
from imgmatch.sources.lines_parquet import read_parquet
from imgmatch.sources.manifest import ManifestSource
from imgmatch.sources.remote_source import Copy, open_url
from imgmatch.sources.retrying import RemoteOptions
from imgmatch.sources.single import SinglePhotoSource
from imgmatch.sources.urls import is_url, shown_url, url_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.sources.archive import Archive
    from imgmatch.sources.remote import Remote
    from imgmatch.sources.rows import Reader

MANIFESTS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
}
"""A manifest format is one file and one line here."""

ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    ".zip": ZipArchive,
    ".tar": TarArchive,
    ".tar.gz": TarArchive,
    ".tgz": TarArchive,
    ".tar.bz2": TarArchive,
    ".tbz2": TarArchive,
    ".tar.xz": TarArchive,
    ".txz": TarArchive,
}
"""A kind of archive is one file and one line here."""


def open_source(path: str | Path, *, root: Path | None = None, remote: Remote | None = None) -> Source:
    """Open a folder, a manifest, an archive or one photo.

    A manifest's header is read at once, so that what is wrong with it shows before any work is done.

    Args:
        path: a folder (one sub-folder per account), a manifest (``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``,
            ``.parquet``), an archive (``.zip``, ``.tar``, packed or not), or any other file: one photo, its account
            named by the file's stem. With ``remote`` also the URL of one, where a folder must lie in a bucket (s3, gs),
            and archives are not read.
        root: if given, neither the source nor any photo in it may lie outside this folder, symbolic links followed.
        remote: the connections for URLs; without them URLs are refused. They must be open for as long
            as photos of the source are fetched.

    Returns:
        a source to iterate over, as often as wanted.

    Raises:
        MissingExtraError: a Parquet manifest or a URL, and the packages that read such are not installed.
        SourceError: there is nothing at ``path``, it cannot be read, it leaves ``root``, it is a socket or a pipe, or
            it is no manifest though its suffix says so.
    """
    guard = PathGuard(root)
    if isinstance(path, str) and is_url(path):
        return _open_url(path, guard, remote)
    absolute = _absolute(path)
    try:
        admitted = guard.admit(absolute)
        mode = _mode(admitted, absolute)
        if stat.S_ISDIR(mode):
            return FolderSource(absolute, guard)
        if not stat.S_ISREG(mode):
            raise SourceError(f"{shown(absolute)} is neither a file nor a folder.")
        if read := MANIFESTS.get(Path(absolute).suffix.lower()):
            return ManifestSource(absolute, guard, read, remote)
        if opened := _archive(absolute):
            limit = (remote.options if remote else RemoteOptions()).file_bytes
            return ArchiveSource(absolute, opened(admitted), limit)
        return SinglePhotoSource(absolute, guard)
    except PhotoError as error:
        raise SourceError(f"{shown(absolute)}: {error.detail}") from error


def _open_url(url: str, guard: PathGuard, remote: Remote | None) -> Source:
    if guard.root is not None:
        raise SourceError(f"{shown(shown_url(url))}: the URL leaves the folder {shown(str(guard.root))}")
    if remote is None:
        raise SourceError(f"{shown(shown_url(url))}: only a scan reads URLs.")
    if _archive(url):
        raise SourceError(f"{shown(shown_url(url))}: archives are read from this machine only; download it first.")
    opened = open_url(url, remote, frozenset(MANIFESTS))
    if not isinstance(opened, Copy):
        return opened
    return ManifestSource(opened, guard, MANIFESTS[Path(url_path(opened.url)).suffix.lower()], remote)


def _archive(path: str) -> Callable[[Path], Archive] | None:
    return next((kind for suffix, kind in ARCHIVES.items() if path.lower().endswith(suffix)), None)


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
