"""Which source a path is: a folder, a manifest or an archive by its suffix, or one photo."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.errors import ImgmatchError, PhotoError, SkipReason, SourceError
from imgmatch.rooted import look_at
from imgmatch.sources.base import PathGuard, Source, is_utf8, lexical, shown
from imgmatch.sources.guard import source_error
from imgmatch.sources.listed import is_list
from imgmatch.sources.names import USUAL_NAMES, NameRule
from imgmatch.sources.place import Place
from imgmatch.sources.remote_source import RemotePhotoSource
from imgmatch.sources.urls import checked, is_url, shown_url, url_path

if TYPE_CHECKING:
    from imgmatch.sources.remote import Remote


def open_source(
    path: str | Path, *, root: Path | None = None, remote: Remote | None = None, names: NameRule = USUAL_NAMES
) -> Source:
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
        names: what is passed over by its name in folders, archives and buckets.

    Returns:
        a source to iterate over, as often as wanted.

    Raises:
        MissingExtraError: a Parquet manifest or a URL, and the packages that read such are not installed.
        SourceError: there is nothing at ``path``, it cannot be read, for whatever reason, it leaves ``root``, it is a
            socket or a pipe, or it is no manifest though its suffix says so.
    """
    try:
        return _opened(path, root, remote, names)
    except ImgmatchError:
        raise
    except Exception as error:
        raise source_error(error, str(path)) from error


def _opened(path: str | Path, root: Path | None, remote: Remote | None, names: NameRule) -> Source:
    guard = PathGuard(root)
    if isinstance(path, str) and is_url(path):
        return _open_url(path, guard, remote, names)
    absolute = _absolute(path)
    try:
        mode = _mode(guard.admit(absolute), guard.root, absolute)
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            raise SourceError(f"{shown(absolute)} is neither a file nor a folder.")
        if stat.S_ISREG(mode) and is_list(guard.admit(absolute), guard.root):
            raise SourceError(
                f"{shown(absolute)} is a list of paths, which does not say whose photos they are: check and hash read"
                " it; to scan them, make a .csv file with the columns account and photo"
            )
        kind = "folder" if stat.S_ISDIR(mode) else suffix_of(absolute) or "photo"
        return registry.source(kind)(Place(absolute, guard, remote, names))
    except PhotoError as error:
        raise SourceError(f"{shown(absolute)}: {error.detail}") from error


def _open_url(text: str, guard: PathGuard, remote: Remote | None, names: NameRule) -> Source:
    where = shown(shown_url(text))
    if guard.root is not None:
        raise SourceError(f"{where}: the URL leaves the folder {shown(str(guard.root))}")
    if remote is None:
        raise SourceError(f"{where}: there are no connections to read URLs by.")
    try:
        url = checked(text)
        if kind := suffix_of(url_path(url)):
            return registry.source(kind)(Place(url, guard, remote, names))
        if folder := remote.store(url).folder(url, remote, names):
            return folder
        if url_path(url).endswith("/"):
            raise SourceError(f"{where}: web servers have no folders; name a manifest or a photo.")
        return RemotePhotoSource(url, remote)
    except PhotoError as error:
        raise SourceError(f"{where}: {error.detail}") from error


def key_of(path: str) -> str:
    """The key that a source at a path or URL has, whether or not anything lies there.

    Raises:
        SourceError: it is no path or URL that can be used.
    """
    if not is_url(path):
        return _absolute(path)
    try:
        return checked(path)
    except PhotoError as error:
        raise SourceError(f"{shown(shown_url(path))}: {error.detail}") from error


def suffix_of(path: str) -> str | None:
    """The suffix by which a file is a manifest or an archive, in small letters; ``None`` if it is neither."""
    return next((kind for kind in registry.SOURCES if kind[0] == "." and path.lower().endswith(kind)), None)


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


def _mode(path: Path, root: Path | None, name: str) -> int:
    try:
        return look_at(path, root).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{shown(name)} does not exist.", SkipReason.MISSING) from error
    except OSError as error:
        raise SourceError(f"{shown(name)} cannot be read: {error.strerror or error}") from error
