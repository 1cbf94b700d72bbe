"""Opening what lies beneath a root: from the root down, one folder in the other, and through no link.

A path that was checked may lead elsewhere by the time it is opened: whoever may write beneath the root can put a link
in the place of a file, or of a folder on its way. So the guard of a root (``sources.base.PathGuard``) follows all links
first and admits a path without any; here each name of that path is opened in the descriptor of the folder before it,
and a link is refused. What is then checked is the descriptor that is read.

Windows opens nothing in the descriptor of a folder. There a file is opened by its path, and compared with what the path
leads to beneath the root.

Without a root all of this is what the system does itself.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgmatch.errors import PhotoError, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

BY_DESCRIPTOR = hasattr(os, "O_NOFOLLOW") and {os.open, os.stat} <= os.supports_dir_fd and os.scandir in os.supports_fd
"""Whether this system opens names in the descriptor of a folder."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without waiting: a named pipe would be opened when somebody writes into it."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_PASS = _LIST | getattr(os, "O_PATH", 0)
"""To go through a folder, which need not be readable for that where the system tells the two apart."""

_IS_LINK = {errno.ELOOP, errno.EMLINK}  # BSD says the second


def open_to_read(path: Path, root: Path | None = None) -> int:
    """A descriptor of what lies at ``path``, opened for reading and without waiting; the caller closes it.

    Args:
        path: absolute, and without links where there is a root.
        root: a folder by its path without links; ``None`` follows every link.

    Raises:
        OSError: it cannot be opened.
        PhotoError: the path leaves the root, or has come to lead through a link (``refused``).
        ValueError: no file can have such a name.
    """
    if root is None:
        return os.open(path, _READ)
    if not BY_DESCRIPTOR:
        return _opened_by_path(path, root)
    with _folder_of(path, root) as (folder, name):
        return _open_in(folder, name, _READ | _NO_LINK)


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """The same as a file to read bytes from, which is a regular one.

    Raises:
        OSError: it cannot be opened, or is something else.
        PhotoError: as of :func:`open_to_read`.
        ValueError: likewise.
    """
    descriptor = open_to_read(path, root)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # fdopen refuses folders in its own words
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(descriptor, "rb")


def look_at(path: Path, root: Path | None = None) -> os.stat_result:
    """What the system tells of ``path``, without opening it.

    Args:
        path: as of :func:`open_to_read`.
        root: likewise.

    Raises:
        OSError: there is nothing, or it may not be looked at.
        PhotoError: as of :func:`open_to_read`.
        ValueError: likewise.
    """
    if root is None:
        return path.stat()
    if not BY_DESCRIPTOR:
        _names(path, root)
        status = path.stat()
        _check_inside(path, root, status)
        return status
    with _folder_of(path, root) as (folder, name):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        raise _led_away()
    return status


@contextmanager
def listing(path: Path, root: Path | None = None) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of the folder at ``path``, to be looked at before the ``with`` block ends.

    Args:
        path: as of :func:`open_to_read`.
        root: likewise.

    Raises:
        OSError: it cannot be read.
        PhotoError: as of :func:`open_to_read`.
        ValueError: likewise.
    """
    if root is None:
        with os.scandir(path) as entries:
            yield entries
    elif not BY_DESCRIPTOR:
        _names(path, root)
        _check_inside(path, root, path.stat())
        with os.scandir(path) as entries:
            _check_inside(path, root, path.stat())  # once it is open: a later link no longer matters
            yield entries
    else:
        with _folder_of(path, root) as (folder, name):
            descriptor = _open_in(folder, name, _LIST)
        try:
            with os.scandir(descriptor) as entries:
                yield entries
        finally:
            os.close(descriptor)


@contextmanager
def _folder_of(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that holds ``path``, reached from the root through no link; and the name in it."""
    *folders, name = _names(path, root) or ["."]
    here = _open_in(None, os.fspath(root), _PASS)
    try:
        for folder in folders:
            below = _open_in(here, folder, _PASS)
            os.close(here)
            here = below
        yield here, name
    finally:
        os.close(here)


def _names(path: Path, root: Path) -> list[str]:
    """The names on the way from ``root`` to ``path``, which leads down all the way."""
    try:
        names = list(path.relative_to(root).parts)
    except ValueError:
        raise _outside(root) from None
    if ".." in names:
        raise _outside(root)
    return names


def _open_in(folder: int | None, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # Linux says of a link in place of a folder what it says of a file there.
        if error.errno in _IS_LINK or (error.errno == errno.ENOTDIR and _is_link(folder, name)):
            raise _led_away() from None
        raise


def _is_link(folder: int | None, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:  # gone by now: it is what the first error says
        return False


def _opened_by_path(path: Path, root: Path) -> int:
    _names(path, root)
    descriptor = os.open(path, _READ)
    try:
        _check_inside(path, root, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_inside(path: Path, root: Path, status: os.stat_result) -> None:
    """See that what ``status`` is of lies beneath the root by its path without links, as that is now."""
    try:
        real = path.resolve(strict=True)
    except RuntimeError:  # a loop of links, before Python 3.13
        raise _led_away() from None
    if not real.is_relative_to(root):
        raise _outside(root)
    if not os.path.samestat(real.lstat(), status):
        raise _led_away()


def _outside(root: Path) -> PhotoError:
    return PhotoError(SkipReason.REFUSED, f"it lies outside the folder {os.fspath(root)!r}")


def _led_away() -> PhotoError:
    return PhotoError(SkipReason.REFUSED, "a link has taken a place on its path since that was checked")
