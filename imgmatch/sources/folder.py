"""A folder as a source: one sub-folder per account, a photo directly in it an account of its own."""

from __future__ import annotations

import re
import stat
import sys
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.rooted import listing, look_at
from imgmatch.sources.base import account_problem, is_utf8, shown, stem
from imgmatch.sources.guard import photo_error

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from imgmatch.sources.place import Place

# Photos come under any name, so only what is certainly something else is left out.
_NOT_PICTURES = re.compile(
    r"\.(?:txt|md|rst|log|csv|tsv|json|jsonl|ndjson|parquet|html?|xml|ya?ml|toml|ini|pdf|docx?|xlsx?|zip|gz|tar|7z|rar"
    r"|pyc?|js|css|sh|db|sqlite3?|lnk|mp3|mp4|mov|webm)",
    re.IGNORECASE,
)
_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})


class _Kind(Enum):
    FOLDER = auto()
    FILE = auto()
    OTHER = auto()  # a link, a socket, a pipe, a device: looked at when its turn comes


class FolderSource:
    """All photos under a folder, in the order of their names, one directory listing in memory per level.

    Args:
        place: of the folder; with a root, folders are opened from there down, and links may not leave it.

    Raises:
        PhotoError: the folder itself lies outside the root.
    """

    def __init__(self, place: Place) -> None:
        self.key = place.key
        self._folder = place.file()
        self._guard = place.guard
        self._root = place.guard.root

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        for found in self._found():
            if isinstance(found, Skipped):
                yield found
                continue
            label, kind = found
            try:
                item: NewPhoto | Skipped = self._photo(label, link=kind is _Kind.OTHER)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this photo
                item = _skipped(label, photo_error(error, f"{self.key}/{label}"))
            yield item

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`: the same walk, without a path and an id for each photo."""
        return self._found()

    def _found(self) -> Iterator[tuple[str, _Kind] | Skipped]:
        """What will be a photo, and what cannot be looked at."""
        stack = [("", self._first_listing())]
        while stack:
            prefix, entries = stack[-1]
            name, kind = next(entries, (None, _Kind.OTHER))
            if name is None:
                stack.pop()
                continue
            label = prefix + name
            try:
                if kind is _Kind.FOLDER:
                    account_of(label, folder=True)
                    stack.append((label + "/", self._listing(label)))
                elif kind is _Kind.FILE or self._leads_to_file(label):
                    yield label, kind
            except OSError as error:
                yield _unreadable(label, error)
            except Exception as error:  # noqa: BLE001 -- the same
                yield _skipped(label, photo_error(error, f"{self.key}/{label}"))

    def _first_listing(self) -> Iterator[tuple[str, _Kind]]:
        try:
            return self._listing("")
        except PhotoError as error:
            raise SourceError(f"The folder {self.key} cannot be read: {error.detail}") from error
        except OSError as error:
            raise SourceError(f"The folder {self.key} cannot be read: {error.strerror or error}") from error

    def _listing(self, label: str) -> Iterator[tuple[str, _Kind]]:
        """The entries of one directory that are worth a look, sorted by name."""
        with listing(self._folder / label, self._root) as entries:
            # Names and kinds only: a DirEntry takes twice the memory, and a flat folder may hold millions.
            found = [(entry.name, _kind(entry)) for entry in entries]
        wanted = [(name, kind) for name, kind in found if is_wanted(name, folder=kind is _Kind.FOLDER)]
        wanted.sort(key=lambda pair: pair[0])
        return iter(wanted)

    def _leads_to_file(self, label: str) -> bool:
        """Whether a link leads to a file; a link to a folder is passed over without a word.

        Raises:
            OSError: the link leads nowhere, or round in circles.
            PhotoError: a socket, a pipe or a device, or the link leaves the root.
        """
        mode = look_at(self._guard.admit(str(self._folder / label)), self._root).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise PhotoError(SkipReason.UNREADABLE, "This is a socket, a pipe or a device, not a file.")
        return stat.S_ISREG(mode)

    def _photo(self, label: str, *, link: bool) -> NewPhoto:
        account = account_of(label, folder=False)
        # Directory links are not followed, so only a link can leave the folder, which was let through the guard.
        path = self._guard.admit(str(self._folder / label)) if link else self._folder / label
        photo_id = derived_photo_id(account, str(Path(self.key, label)))
        return NewPhoto(account, path, label, photo_id, None, None, {}, None, self._root)


def _kind(entry: os.DirEntry[str]) -> _Kind:
    try:
        if sys.version_info >= (3, 12) and entry.is_junction():
            return _Kind.OTHER
        if entry.is_dir(follow_symlinks=False):
            return _Kind.FOLDER
        return _Kind.FILE if entry.is_file(follow_symlinks=False) else _Kind.OTHER
    except OSError:
        return _Kind.OTHER


def is_wanted(name: str, *, folder: bool) -> bool:
    """Whether an entry may be, or hold, a photo: it is not hidden, and not certainly something else."""
    if name.startswith("."):
        return False
    if folder:
        return True
    return name.lower() not in _CLUTTER and not _NOT_PICTURES.fullmatch(name, max(name.rfind("."), 0))


def account_of(label: str, *, folder: bool) -> str:
    """The account a label belongs to: its first folder, or its own stem.

    Raises:
        PhotoError: the name cannot be stored, or cannot be an account.
    """
    if not is_utf8(label):
        raise PhotoError(SkipReason.UNREADABLE, "The name is not valid UTF-8.")
    first, slash, _ = label.partition("/")
    account = first if slash or folder else stem(first)
    if problem := account_problem(account):
        raise PhotoError(SkipReason.REFUSED, problem)
    return account


def _skipped(label: str, error: PhotoError) -> Skipped:
    return Skipped(shown(label), error.reason, error.detail, part=label)


def _unreadable(label: str, error: OSError) -> Skipped:
    if isinstance(error, FileNotFoundError):
        return Skipped(shown(label), SkipReason.MISSING, "It is gone, or a link that leads nowhere.", part=label)
    return Skipped(shown(label), SkipReason.UNREADABLE, f"It cannot be read: {error.strerror or error}", part=label)
