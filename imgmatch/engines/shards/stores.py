"""Where snapshots of shards lie: a folder that all nodes share, or one in a bucket."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imgmatch.errors import ImgmatchError, IndexUnusableError, MissingExtraError, NotFoundError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = {"s3": "s3", "gs": "gs"}
"""Schemes of URLs of buckets, each with the extra that reads it."""

_FILE = "file://"
_PROBE = "imgmatch-may-write-here"
_PIECE = 8 << 20
_NAME = re.compile(r"[\w.-]{1,200}")


class SnapshotStore(Protocol):
    """Files in one folder. What goes wrong is an ``ImgmatchError`` that names the folder."""

    def read(self, name: str, most: int) -> bytes:
        """A small file; of a larger one no more than a byte beyond ``most``. NotFoundError: it is not there."""
        ...

    def fetch(self, name: str, path: Path, size: int) -> None:
        """Copy a file to ``path``, no more of it than a byte beyond ``size``. NotFoundError: it is not there."""
        ...

    def put(self, path: Path, name: str) -> None:
        """Copy ``path`` into a file, in the place of another one in one step."""
        ...

    def names(self) -> list[str]:
        """All files there are, in order; none where there is no such folder."""
        ...

    def drop(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...


def snapshot_store(url: str, beneath: str) -> SnapshotStore:
    """The folder ``beneath`` one that is named by a path from the root, ``file://``, ``s3://`` or ``gs://``.

    Raises:
        UnknownNameError: it is named by something else.
        MissingExtraError: what reaches it is not installed.
    """
    scheme, found, rest = url.partition("://")
    if url.startswith(_FILE) or not found:
        folder = Path(url.removeprefix(_FILE))
        if folder.is_absolute():
            return _FolderStore(folder / beneath)
    elif scheme in _SCHEMES and rest.strip("/"):
        return _Bucket(scheme, f"{rest.strip('/')}/{beneath}")
    raise UnknownNameError(f"{url!r} is no place for snapshots: a path from the root, file://, s3:// or gs://")


def refuse_unless_writable(url: str, beneath: str) -> None:
    """See that files can be written there, by writing one and removing it.

    Raises:
        ImgmatchError: they cannot.
    """
    store = snapshot_store(url, beneath)
    store.put(Path(os.devnull), _PROBE)
    store.drop(_PROBE)


class _FolderStore:
    """On a disk that all nodes see."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str, most: int) -> bytes:
        with self._explained(), self._path(name).open("rb") as file:
            return file.read(most + 1)

    def fetch(self, name: str, path: Path, size: int) -> None:
        with self._explained(), self._path(name).open("rb") as file, path.open("wb") as copy:
            _copy(file, copy, size)

    def put(self, path: Path, name: str) -> None:
        part = self._path(f"{name}.{secrets.token_hex(8)}.part")
        with self._explained():
            self._root.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, part) if path.is_file() else part.touch()
                part.replace(self._path(name))
            finally:
                part.unlink(missing_ok=True)

    def names(self) -> list[str]:
        with self._explained():
            return sorted(path.name for path in self._root.iterdir()) if self._root.is_dir() else []

    def drop(self, name: str) -> None:
        with self._explained():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._root / _plain(name)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFoundError(f"there is no such file in {self._root}") from None
        except OSError as error:
            raise IndexUnusableError(f"{self._root} cannot be used ({error.strerror or error})") from None


class _Bucket:
    """In a bucket, by fsspec: its packages find the credentials and the endpoint."""

    def __init__(self, scheme: str, root: str) -> None:
        self._url, self._root = f"{scheme}://{root}", root
        try:
            import fsspec  # noqa: PLC0415 -- an extra

            options = {"config_kwargs": {"connect_timeout": 10, "retries": {"total_max_attempts": 3}}}
            usual = {"use_listings_cache": False, "skip_instance_cache": True}
            self._files: Any = fsspec.filesystem(scheme, **usual, **(options if scheme == "s3" else {}))
        except ImportError as error:
            extra = _SCHEMES[scheme]
            raise MissingExtraError(f'{scheme}:// needs {error.name}: pip install "imgmatch[{extra}]"') from None

    def read(self, name: str, most: int) -> bytes:
        with self._explained():
            data: bytes = self._files.cat_file(self._path(name), start=0, end=most + 1)
        return data

    def fetch(self, name: str, path: Path, size: int) -> None:
        with (
            self._explained(),
            self._files.open(self._path(name), "rb", cache_type="none") as file,
            path.open("wb") as copy,
        ):
            _copy(file, copy, size)

    def put(self, path: Path, name: str) -> None:
        try:
            with self._explained():
                if path.is_file():
                    self._files.put_file(str(path), self._path(name))
                else:
                    self._files.pipe_file(self._path(name), b"")
        except NotFoundError:
            raise IndexUnusableError(f"{self._url} cannot be used: there is no such bucket") from None

    def names(self) -> list[str]:
        try:
            with self._explained():
                return sorted(one.rpartition("/")[2] for one in self._files.ls(self._root, detail=False))
        except NotFoundError:
            return []

    def drop(self, name: str) -> None:
        try:
            with self._explained():
                self._files.rm_file(self._path(name))
        except NotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root}/{_plain(name)}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ImgmatchError:
            raise
        except FileNotFoundError:
            raise NotFoundError(f"there is no such object in {self._url}") from None
        except Exception as error:  # noqa: BLE001 -- whatever fsspec and what is beneath it raise
            said = " ".join((str(error) or type(error).__name__).split())
            raise IndexUnusableError(f"{self._url} cannot be used ({said})") from None


def _copy(file: Any, copy: Any, size: int) -> None:  # noqa: ANN401 -- files of any kind
    left = size + 1
    while left and (data := file.read(min(left, _PIECE))):
        copy.write(data)
        left -= len(data)


def _plain(name: str) -> str:
    if _NAME.fullmatch(name) is None or name.startswith("."):
        raise IndexUnusableError(f"{name!r} is no name of a file of ours")
    return name
