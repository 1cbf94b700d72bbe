"""Files of our own: plain files that only their owner may read, or his group where an index is shared.

What is made here has its mode whatever the umask is, and is never made through a link. Windows has no such modes: there
a file has the rights that its folder hands down.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

OWNERS_FOLDER, OWNERS_FILE = 0o700, 0o600
"""What nobody but their owner may look into."""

GROUPS_FOLDER, GROUPS_FILE = 0o2770, 0o660
"""What their group may read and write; new files in such a folder belong to the folder's group."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe in place of a file must hold nobody up

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
"""How a file is opened that must not be there yet."""

READ = os.O_RDONLY | _NO_FOLLOW | _BINARY | _NO_WAIT
"""How a file is opened to be read, unless it is a link."""


def is_shared(folder: Path) -> bool:
    """Whether the group of a folder shares what is in it: may look into it and make files there."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return os.name != "nt" and mode & stat.S_IRWXG == stat.S_IRWXG


def file_mode(*, shared: bool) -> int:
    """The mode of new files."""
    return GROUPS_FILE if shared else OWNERS_FILE


def make_folder(folder: Path, *, shared: bool) -> None:
    """Make a folder; those above it are made as any others are.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(OWNERS_FOLDER)
    folder.chmod(GROUPS_FOLDER if shared else OWNERS_FOLDER)


def create(path: str | Path, mode: int, *, folder: int | None = None) -> int:
    """Make a file that is not there yet; returns its descriptor, open to read and write.

    Args:
        path: of the file, or its name in ``folder``.
        mode: what it gets, whatever the umask is.
        folder: descriptor of the folder.

    Raises:
        FileExistsError: something is there, be it a link that leads nowhere.
        OSError: it cannot be made.
    """
    descriptor = os.open(path, NEW, mode, dir_fd=folder)
    if hasattr(os, "fchmod"):
        with suppress(PermissionError):  # file systems that keep no modes
            os.fchmod(descriptor, mode)
    return descriptor


def open_to_read(path: str | Path, *, folder: int | None = None) -> BinaryIO:
    """Open a file to read it, unless it is a link; what is a pipe holds nobody up.

    Args:
        path: of the file, or its name in ``folder``.
        folder: descriptor of the folder.

    Raises:
        OSError: it is a link, or cannot be read.
    """
    return os.fdopen(os.open(path, READ, dir_fd=folder), "rb")


def overwrite(path: Path, *, shared: bool) -> int:
    """Open a file to write it from its beginning; returns its descriptor.

    A file that is there already, or what a link leads to, keeps its mode: whoever made it has said who may read it.

    Raises:
        OSError: it cannot be written.
    """
    try:
        return create(path, file_mode(shared=shared))
    except FileExistsError:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, file_mode(shared=shared))


def kept_mode(path: Path, *, shared: bool) -> int:
    """The mode of a file that is about to be replaced by a new one, or that of a new one."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode) & 0o666
    return file_mode(shared=shared)


def what_is_strange(path: Path) -> str | None:
    """Why something cannot be a file of ours; ``None`` where it is a plain file, or not there.

    Raises:
        OSError: we are not allowed to look.
    """
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return "is a link, which an index never follows"
    return None if stat.S_ISREG(mode) else "is no plain file"
