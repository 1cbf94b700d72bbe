"""What lies in an index folder, and how it is changed so that a kill at any moment leaves it whole.

``index/README.md`` specifies the format; the tests hold this file to it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import BaseFileLock, FileLock, Timeout

from imgmatch import own_files
from imgmatch.catalog.sqlite_files import OWN_FILES
from imgmatch.engines.files import FolderFiles
from imgmatch.engines.header import Header, Snapshot, filed_as, parse_header
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

HEADER, LOCK = "index.json", "lock"
FEATURES = "features"
"""What the engine file of local features is called by, as others are by their hasher."""

ALLOWED_BESIDE = {"README.md", ".gitignore"}
"""Files a folder may hold and still become an index."""

MOST_HEADER_BYTES = 1 << 20
"""A header of ours has about a thousandth of that."""

_PATIENCE = 60.0
"""Seconds to wait for who makes the index or changes its header, which takes much less."""

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class Layout:
    """The files of one index folder, or of the engines of an index whose catalog is in a database.

    Attributes:
        root: the folder.
        place: of engine files of a database the random name that the catalog knows the folder by.
    """

    def __init__(self, root: Path, place: str | None = None) -> None:
        self.root = root
        self.place = place
        self.files = FolderFiles(root)
        self._header = root / HEADER
        self._thread = threading.Lock()

    def noted_as(self, what: str) -> str:
        """What the catalog files something of this folder under."""
        return filed_as(what, self.place)

    def exists(self) -> bool:
        """Whether there is an index here.

        Raises:
            IndexUnusableError: we are not allowed to look, or the header is a link.
        """
        try:
            self.files.refuse_strange([HEADER])
            return self._header.is_file()
        except OSError as error:
            raise IndexUnusableError(f"{self._header} cannot be read ({error.strerror or error})") from None

    def refuse_strange(self) -> None:
        """Refuse a folder in which a link, or anything but a plain file, is called as a file of an index.

        Engine files are looked at by :meth:`snapshot_path`.

        Raises:
            NotAnIndexError: there is one.
        """
        with self._explained():
            self.files.refuse_strange((HEADER, LOCK, *OWN_FILES))
            lock = self.root / LOCK
            if lock.exists() and lock.stat().st_nlink > 1:
                raise NotAnIndexError(f"{lock} is another name of some other file")

    def create(
        self, header: Header, make_catalog: Callable[[], None] = lambda: None, *, share_with_group: bool = False
    ) -> None:
        """Make the folder, the catalog, and last the header, which is what makes it an index.

        Args:
            header: what the index is made of.
            make_catalog: makes the catalog.
            share_with_group: let the group of the folder read and write the index.

        Raises:
            NotAnIndexError: the path is a file, or a folder of something else.
            IndexLockedError: another process has been making it for too long.
            IndexReadOnlyError: it cannot be written.
        """
        self.prepare(share_with_group=share_with_group)
        with self._exclusive():
            if not self.exists():
                make_catalog()
                self.write_header(header)

    def prepare(self, *, share_with_group: bool = False) -> None:
        """Make the folder of an index that is to be made, or see that it may become one.

        Raises:
            NotAnIndexError: the path is a file, or a folder of something else.
            IndexReadOnlyError: it cannot be written.
        """
        with self._explained():
            if not self.root.exists():
                with contextlib.suppress(FileExistsError):  # another process makes it, too
                    own_files.make_folder(self.root, shared=share_with_group)
            if not self.root.is_dir():
                raise NotAnIndexError(f"{self.root} is not a folder")
            # The catalog and the lock may be there without a header: a kill while the index was being made.
            ours = {*OWN_FILES, HEADER, LOCK, *self.files.unfinished(HEADER)}
            names = self.files.names()
            self.files.refuse_strange(sorted(ours & names))
            self.refuse_strange()
            strange = names - ALLOWED_BESIDE - ours
            if self.exists():
                return
            if strange:
                raise NotAnIndexError(f"{self.root} holds other things ({min(strange)}, ...); give an empty folder")
            with contextlib.suppress(PermissionError):  # a folder of somebody else's, who has let us in
                self.root.chmod(own_files.GROUPS_FOLDER if share_with_group else own_files.OWNERS_FOLDER)

    def share_with_group(self) -> None:
        """Let the group of the folder read and write what is in it from now on.

        Raises:
            IndexReadOnlyError: we are not the owner.
        """
        self.refuse_strange()
        with self._explained():
            named = self.header().files
            for name in (HEADER, LOCK, *OWN_FILES, *named):
                path = self.root / name
                if own_files.what_is_strange(path) is None and path.exists():
                    path.chmod(own_files.GROUPS_FILE)
            self.root.chmod(own_files.GROUPS_FOLDER)  # last: until then nobody else can put a link there

    def header(self) -> Header:
        """Read ``index.json``.

        Raises:
            IndexNotFoundError: there is nothing at this path.
            NotAnIndexError: there is something else.
            IndexTooNewError: a newer imgmatch wrote it.
        """
        try:
            text = self.files.read(HEADER, MOST_HEADER_BYTES).decode()
        except (FileNotFoundError, NotADirectoryError):
            if self._is_empty():
                raise IndexNotFoundError(f"there is no index at {self.root}; make one with: imgmatch scan") from None
            raise NotAnIndexError(f"{self.root} is not an imgmatch index (it has no {HEADER})") from None
        except (OSError, UnicodeDecodeError) as error:
            raise IndexUnusableError(f"{self._header} cannot be read ({error})") from None
        return parse_header(text, self._header)

    def _is_empty(self) -> bool:
        try:
            return all(name in ALLOWED_BESIDE for name in self.files.names())
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
        text = json.dumps({name: value for name, value in asdict(header).items() if name != "place" or value}, indent=2)
        with self._explained():
            self.files.drop_unfinished(HEADER)
            new = self.files.written(HEADER, lambda path: path.write_text(f"{text}\n", encoding="utf-8"))
            self.files.replace(HEADER, new)

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
        stem = self._stem(snapshot)
        with self._explained():
            new = self.files.written(stem, write)
        try:
            with agreed():
                header = self.change_header(lambda header: self._named(header, snapshot, new))
        except BaseException:
            self.files.drop(new)
            raise
        self._drop_others(header)
        return header

    def _stem(self, snapshot: Snapshot) -> str:
        of = snapshot.of if snapshot.of in self.header().hashers else FEATURES
        return f"{of}.{snapshot.engine}"

    def _named(self, header: Header, snapshot: Snapshot, new: str) -> Header:
        """The header with this snapshot in the next generation, whose file has its name from now on."""
        generation = header.generation + 1
        name = f"{self._stem(snapshot)}.{generation}"
        with self._explained():
            self.files.replace(name, new)
        field = "snapshot" if snapshot.of in header.hashers else "features"
        changes: dict[str, Any] = {"generation": generation, field: replace(snapshot, file=name)}
        return replace(header, **changes)

    def snapshot_path(self, snapshot: Snapshot) -> Path:
        """Where an engine file lies; never outside the folder, whatever the header says.

        Raises:
            NotAnIndexError: it is named outside, or what is there is a link or no file.
        """
        name = snapshot.file
        if name in {"", ".."} or Path(name).name != name or not name.isprintable():
            raise NotAnIndexError(f"{self._header} names an engine file outside the index")
        if name in {HEADER, LOCK, *OWN_FILES}:
            raise NotAnIndexError(f"{self._header} names {name} as an engine file")
        with self._explained():
            self.files.refuse_strange([name])
        return self.root / name

    def drop_leftovers(self) -> None:
        """Drop engine files, whole ones and halves, that the header does not name; to be called in turn, as publishing.

        Who was killed while publishing may have left some.
        """
        self._drop_others(self.header())

    def _drop_others(self, header: Header) -> None:
        ours = tuple(f"{name}." for name in (*header.hashers, FEATURES))
        for name in self.files.names():
            if name not in header.files and name.startswith(ours):
                self.files.drop(name)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Wait until nobody else makes the index or changes its header; the system lets the next one in if we die."""
        with self._thread:
            lock = self._acquired()
            try:
                yield
            finally:
                lock.release()

    def _acquired(self) -> BaseFileLock:
        with self._explained():
            self.refuse_strange()
            self.files.make(LOCK)
            lock = FileLock(self.root / LOCK, mode=self.files.mode, thread_local=False)
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                raise IndexLockedError(
                    f"another process has been changing the header of index {self.root} for too long"
                ) from None
        return lock

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise IndexFullError(f"index {self.root}: no space left on the disk") from error
            raise IndexReadOnlyError(f"index {self.root} cannot be written ({error.strerror or error})") from error
