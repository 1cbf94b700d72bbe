"""A folder as a source: one sub-folder per account, a photo directly in it an account of its own."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, derived_photo_id
from imgmatch.model.names import storable_name
from imgmatch.rooted import listing, look_at
from imgmatch.sources.base import account_problem, is_utf8, shown, stem
from imgmatch.sources.guard import photo_error

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from imgmatch.sources.place import Place


class _Kind(Enum):
    FOLDER = auto()
    FILE = auto()
    OTHER = auto()  # a link, a socket, a pipe, a device: looked at when its turn comes


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the walk: how its entries' labels begin, where it lies, and those entries still to come."""

    prefix: str
    path: Path
    entries: Iterator[tuple[str, _Kind]]


@dataclass(frozen=True, slots=True)
class _File:
    """A file that will be a photo."""

    label: str
    folder: Path
    name: str
    link: bool


class FolderSource:
    """All photos under a folder, in the order of their names, one directory listing in memory per level.

    A link to a folder stands for that folder, once: what would lead back to a folder that the walk is in, or where
    another link has led to before, is a skipped item.

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
        self._names = place.names

    def __iter__(self) -> Iterator[NewPhoto | Skipped]:
        for found in self._found():
            if isinstance(found, Skipped):
                yield found
                continue
            try:
                item: NewPhoto | Skipped = self._photo(found)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it costs this photo
                item = _skipped(found.label, photo_error(error, f"{self.key}/{found.label}"))
            yield item

    def to_count(self) -> Iterator[object]:
        """See :class:`imgmatch.sources.base.Countable`: the same walk, without a path and an id for each photo."""
        return self._found()

    def _found(self) -> Iterator[_File | Skipped]:
        """What will be a photo, what is passed over, and what cannot be looked at."""
        walk = [_Folder("", self._folder, self._first_listing())]
        followed: set[tuple[int, int]] = set()
        while walk:
            name, kind = next(walk[-1].entries, (None, _Kind.OTHER))
            if name is None:
                walk.pop()
                continue
            label = walk[-1].prefix + storable_name(name)
            try:
                found = self._entry(walk, followed, label, name, kind)
            except OSError as error:
                found = _unreadable(label, error)
            except Exception as error:  # noqa: BLE001 -- the same
                found = _skipped(label, photo_error(error, f"{self.key}/{label}"))
            if isinstance(found, _Folder):
                walk.append(found)
            else:
                yield found

    def _entry(
        self, walk: Sequence[_Folder], followed: set[tuple[int, int]], label: str, name: str, kind: _Kind
    ) -> _Folder | _File | Skipped:
        """One entry of the folder that the walk is in.

        Raises:
            OSError: it cannot be read, or is a link that leads nowhere, or round in circles.
            PhotoError: it is a socket, a pipe or a device; its name cannot be an account; or it is a link that leaves
                the root, or leads to a folder once more.
        """
        here, link = walk[-1].path, kind is _Kind.OTHER
        path = here / name if kind is not _Kind.FILE else here
        if link:
            path = self._guard.admit(str(path))
            kind = self._kind_behind(path)
        if (passed := self._names.passed_over(label, folder=kind is _Kind.FOLDER)) is not None:
            return passed
        if kind is _Kind.FILE:
            return _File(label, here, name, link)
        account_of(label, folder=True)
        if link:
            self._refuse_again(path, walk, followed)
        return _Folder(label + "/", path, self._listing(path))

    def _first_listing(self) -> Iterator[tuple[str, _Kind]]:
        try:
            return self._listing(self._folder)
        except PhotoError as error:
            raise SourceError(f"The folder {self.key} cannot be read: {error.detail}") from error
        except OSError as error:
            raise SourceError(f"The folder {self.key} cannot be read: {error.strerror or error}") from error

    def _listing(self, path: Path) -> Iterator[tuple[str, _Kind]]:
        """The entries of one directory, sorted by name."""
        with listing(path, self._root) as entries:
            # Names and kinds only: a DirEntry takes twice the memory, and a flat folder may hold millions.
            found = [(entry.name, _kind(entry)) for entry in entries]
        found.sort(key=lambda pair: pair[0])
        return iter(found)

    def _kind_behind(self, path: Path) -> _Kind:
        """What a link leads to."""
        mode = look_at(path, self._root).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise PhotoError(SkipReason.UNREADABLE, "This is a socket, a pipe or a device, not a file.")
        return _Kind.FILE if stat.S_ISREG(mode) else _Kind.FOLDER

    def _refuse_again(self, path: Path, walk: Sequence[_Folder], followed: set[tuple[int, int]]) -> None:
        there = self._identity(path)
        if any(self._identity(folder.path) == there for folder in walk):
            raise PhotoError(SkipReason.REFUSED, "The link leads back to a folder that it lies in.")
        if there in followed:  # links to links may lead there in more ways than can be gone
            raise PhotoError(SkipReason.REFUSED, "Another link has led to this folder before.")
        followed.add(there)

    def _identity(self, path: Path) -> tuple[int, int]:
        status = look_at(path, self._root)
        return status.st_dev, status.st_ino

    def _photo(self, found: _File) -> NewPhoto:
        account = account_of(found.label, folder=False)
        path = found.folder / found.name
        # Links to folders were followed on the way here, so only a link to a file can still leave the root.
        path = self._guard.admit(str(path)) if found.link else path
        photo_id = derived_photo_id(account, str(Path(self.key, found.label)))
        return NewPhoto(account, path, found.label, photo_id, None, None, {}, None, self._root)


def _kind(entry: os.DirEntry[str]) -> _Kind:
    try:
        if sys.version_info >= (3, 12) and entry.is_junction():
            return _Kind.OTHER
        if entry.is_dir(follow_symlinks=False):
            return _Kind.FOLDER
        return _Kind.FILE if entry.is_file(follow_symlinks=False) else _Kind.OTHER
    except OSError:
        return _Kind.OTHER


def account_of(label: str, *, folder: bool) -> str:
    """The account a label belongs to: its first folder, or its own stem.

    Raises:
        PhotoError: the name cannot be stored, or cannot be an account.
    """
    if not is_utf8(label):
        raise PhotoError(SkipReason.UNREADABLE, "The name is not valid Unicode.")
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
