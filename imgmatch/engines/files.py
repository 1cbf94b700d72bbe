"""The files of one index folder, reached through the folder's descriptor where the system can.

A new file is made under a name nobody can guess, and never through a link; it takes its place in one step.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from typing import TYPE_CHECKING

from imgmatch import own_files
from imgmatch.errors import NotAnIndexError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_BY_DESCRIPTOR = {os.open, os.stat, os.unlink, os.rename} <= os.supports_dir_fd
_LOOK_UP = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)  # a folder need not be listed for it

_NEW = re.compile(r".+\.new")
"""Names of files that are being written, as this version and those before it give them."""


class FolderFiles:
    """The files of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int | None]:
        """Its descriptor; ``None`` where names are looked up by the whole path."""
        if not _BY_DESCRIPTOR:
            yield None
            return
        descriptor = os.open(self.root, _LOOK_UP)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _place(self, name: str, folder: int | None) -> str | Path:
        return name if folder is not None else self.root / name

    @property
    def mode(self) -> int:
        """What new files get."""
        return own_files.file_mode(shared=own_files.is_shared(self.root))

    def names(self) -> set[str]:
        """Of all that is in it.

        Raises:
            OSError: it is not there, or may not be listed.
        """
        return {entry.name for entry in self.root.iterdir()}

    def refuse_strange(self, names: Iterable[str]) -> None:
        """Refuse what is a link, a folder or a pipe where a file of ours should be.

        Raises:
            NotAnIndexError: one of these names is that of something else.
            OSError: we are not allowed to look.
        """
        for name in names:
            strange = own_files.what_is_strange(self.root / name)
            if strange is not None:
                raise NotAnIndexError(f"{self.root / name} {strange}")

    def read(self, name: str, most: int) -> bytes:
        """All of a file.

        Raises:
            NotAnIndexError: it is no plain file, or has more than ``most`` bytes.
            OSError: it is not there, or cannot be read.
        """
        self.refuse_strange([name])
        with self._folder() as folder, own_files.open_to_read(self._place(name, folder), folder=folder) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise NotAnIndexError(f"{self.root / name} is larger than {most:,} bytes")
        return content

    def make(self, name: str) -> None:
        """Make an empty file, unless something is there already."""
        with self._folder() as folder, contextlib.suppress(FileExistsError):
            os.close(own_files.create(self._place(name, folder), self.mode, folder=folder))

    def written(self, name: str, write: Callable[[Path], object]) -> str:
        """A whole file, on the disk, that :meth:`replace` puts in its place; returns what it is called until then.

        Args:
            name: what it will be called.
            write: writes it where it is told to, which is an empty file by then.

        Raises:
            NotAnIndexError: somebody else has put another file in its place meanwhile.
            OSError: it cannot be written.
        """
        new = f"{name}.{secrets.token_hex(8)}.new"
        with self._folder() as folder:
            descriptor = own_files.create(self._place(new, folder), self.mode, folder=folder)
            try:
                try:
                    write(self.root / new)
                    there = os.stat(self._place(new, folder), dir_fd=folder, follow_symlinks=False)
                    self._ensure_same(descriptor, there)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)  # first: Windows removes no file that is open
            except BaseException:
                self.drop(new)
                raise
        return new

    def _ensure_same(self, descriptor: int, there: os.stat_result) -> None:
        if not os.path.samestat(os.fstat(descriptor), there):
            raise NotAnIndexError(f"{self.root}: a file was replaced by another while it was written")

    def replace(self, name: str, new: str) -> None:
        """Put a new file in the place of another, in one step."""
        with self._folder() as folder:
            os.replace(self._place(new, folder), self._place(name, folder), src_dir_fd=folder, dst_dir_fd=folder)
        self._sync()

    def _sync(self) -> None:
        """Make sure that the names are on the disk."""
        if os.name == "nt":
            return  # Windows cannot open folders
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def drop(self, name: str) -> None:
        """Remove a file, or a link, if it is there and that is possible: a reader on Windows may hold it open."""
        with contextlib.suppress(OSError), self._folder() as folder:
            os.unlink(self._place(name, folder), dir_fd=folder)

    def drop_unfinished(self, stem: str) -> None:
        """Remove what a process that was killed while it wrote ``stem`` has left; links stay."""
        for name in self.unfinished(stem):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.lstat(self.root / name).st_mode):
                    self.drop(name)

    def unfinished(self, stem: str) -> list[str]:
        """Names of what was begun to be written in place of ``stem``."""
        names = (name for name in self.names() if name.startswith(f"{stem}."))
        return [name for name in names if _NEW.fullmatch(name)]
