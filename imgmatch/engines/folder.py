"""What lies in an index folder, and how it is changed so that a kill at any moment leaves it whole.

``index/README.md`` specifies the format; the tests hold this file to it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from imgmatch.catalog.sqlite import OWN_FILES
from imgmatch.engines.header import parse_header
from imgmatch.errors import (
    IndexFullError,
    IndexLockedError,
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexUnusableError,
    NotAnIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

from imgmatch.engines.header import Header, Snapshot

HEADER, LOCK = "index.json", "lock"
FEATURES = "features"
"""What the engine file of local features is called by, as others are by their hasher."""

ALLOWED_BESIDE = {"README.md", ".gitignore"}
"""Files a folder may hold and still become an index."""

_PATIENCE = 60.0
"""Seconds to wait for who makes the index or changes its header, which takes much less."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class Layout:
    """The files of one index folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._header = root / HEADER
        self._lock = FileLock(root / LOCK, thread_local=False)
        self._thread = threading.Lock()

    def exists(self) -> bool:
        """Whether there is an index here.

        Raises:
            IndexUnusableError: we are not allowed to look.
        """
        try:
            return self._header.is_file()
        except OSError as error:
            raise IndexUnusableError(f"{self._header} cannot be read ({error.strerror or error})") from None

    def create(self, header: Header, make_catalog: Callable[[], None] = lambda: None) -> None:
        """Make the folder, the catalog, and last the header, which is what makes it an index.

        Raises:
            NotAnIndexError: the path is a file, or a folder of something else.
            IndexLockedError: another process has been making it for too long.
            IndexReadOnlyError: it cannot be written.
        """
        self._prepare()
        with self._exclusive():
            if not self.exists():
                make_catalog()
                self.write_header(header)

    def _prepare(self) -> None:
        with self._explained():
            if self.root.exists() and not self.root.is_dir():
                raise NotAnIndexError(f"{self.root} is not a folder")
            self.root.mkdir(parents=True, exist_ok=True)
            # The catalog and the lock may be there without a header: a kill while the index was being made.
            ours = {*OWN_FILES, HEADER, LOCK, f"{HEADER}.new"}
            strange = {entry.name for entry in self.root.iterdir()} - ALLOWED_BESIDE - ours
            if strange and not self.exists():
                raise NotAnIndexError(f"{self.root} holds other things ({min(strange)}, ...); give an empty folder")

    def header(self) -> Header:
        """Read ``index.json``.

        Raises:
            IndexNotFoundError: there is nothing at this path.
            NotAnIndexError: there is something else.
            IndexTooNewError: a newer imgmatch wrote it.
        """
        try:
            text = self._header.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if self._is_empty():
                raise IndexNotFoundError(f"there is no index at {self.root}; make one with: imgmatch scan") from None
            raise NotAnIndexError(f"{self.root} is not an imgmatch index (it has no {HEADER})") from None
        except (OSError, UnicodeDecodeError) as error:
            raise IndexUnusableError(f"{self._header} cannot be read ({error})") from None
        return parse_header(text, self._header)

    def _is_empty(self) -> bool:
        try:
            return all(entry.name in ALLOWED_BESIDE for entry in self.root.iterdir())
        except FileNotFoundError:
            return True
        except OSError:  # a file, or a folder we may not look into
            return False

    def change_header(self, change: Callable[[Header], Header]) -> Header:
        """Replace ``index.json`` in one step by what ``change`` makes of it; others wait meanwhile."""
        with self._exclusive():
            header = change(self.header())
            self.write_header(header)
        return header

    def write_header(self, header: Header) -> None:
        """Replace ``index.json`` in one step, whatever it is now."""
        text = json.dumps(asdict(header), indent=2) + "\n"
        new = self._written(self._header, lambda path: path.write_text(text, encoding="utf-8"))
        self._replace(self._header, new)

    def publish(
        self,
        snapshot: Snapshot,
        write: Callable[[Path], None],
        agreed: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> Header:
        """Write the next generation's engine file, point the header at it, then drop older files.

        Readers that hold the old generation keep what they have loaded.

        Args:
            snapshot: what is written; its file is named here.
            write: writes it where it is told to.
            agreed: entered once the file is whole, around what makes it count: here the caller makes sure that it is
                still its turn.
        """
        new = self._written(self.root / f"{self._stem(snapshot)}.{secrets.token_hex(4)}", write)
        try:
            with agreed():
                header = self.change_header(lambda header: self._named(header, snapshot, new))
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        self._drop_others(header)
        return header

    def _stem(self, snapshot: Snapshot) -> str:
        of = snapshot.of if snapshot.of in self.header().hashers else FEATURES
        return f"{of}.{snapshot.engine}"

    def _named(self, header: Header, snapshot: Snapshot, new: Path) -> Header:
        """The header with this snapshot in the next generation, whose file has its name from now on."""
        generation = header.generation + 1
        name = f"{self._stem(snapshot)}.{generation}"
        self._replace(self.root / name, new)
        field = "snapshot" if snapshot.of in header.hashers else "features"
        changes: dict[str, Any] = {"generation": generation, field: replace(snapshot, file=name)}
        return replace(header, **changes)

    def snapshot_path(self, snapshot: Snapshot) -> Path:
        """Where an engine file lies; never outside the folder, whatever the header says."""
        if snapshot.file in {"", ".."} or Path(snapshot.file).name != snapshot.file:
            raise NotAnIndexError(f"{self._header} names an engine file outside the index")
        return self.root / snapshot.file

    def drop_leftovers(self) -> None:
        """Drop engine files, whole ones and halves, that the header does not name; to be called in turn, as publishing.

        Who was killed while publishing may have left some.
        """
        self._drop_others(self.header())

    def _drop_others(self, header: Header) -> None:
        ours = tuple(f"{name}." for name in (*header.hashers, FEATURES))
        for entry in self.root.iterdir():
            if entry.name not in header.files and entry.name.startswith(ours):
                with contextlib.suppress(OSError):  # a reader on Windows may hold it open; the next publish drops it
                    entry.unlink()

    def _written(self, path: Path, write: Callable[[Path], object]) -> Path:
        """A whole file beside ``path``, on the disk."""
        new = path.with_name(path.name + ".new")
        with self._explained():
            try:
                write(new)
                _sync(new)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        return new

    def _replace(self, path: Path, new: Path) -> None:
        with self._explained():
            new.replace(path)
            _sync(self.root)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Wait until nobody else makes the index or changes its header; the system lets the next one in if we die."""
        with self._thread:
            self._acquire()
            try:
                yield
            finally:
                self._lock.release()

    def _acquire(self) -> None:
        with self._explained():
            try:
                self._lock.acquire(timeout=_PATIENCE)
            except Timeout:
                raise IndexLockedError(
                    f"another process has been changing the header of index {self.root} for too long"
                ) from None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise IndexFullError(f"index {self.root}: no space left on the disk") from error
            raise IndexReadOnlyError(f"index {self.root} cannot be written ({error.strerror or error})") from error


def _sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
