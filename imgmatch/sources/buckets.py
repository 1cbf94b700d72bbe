"""Photos and manifests in buckets (s3, gs), by fsspec: its packages find the credentials and the endpoint."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import fsspec

from imgmatch.errors import PhotoError
from imgmatch.model import Fetched, RemoteMetadata, SkipReason
from imgmatch.sources.base import shown
from imgmatch.sources.bucket import BucketSource
from imgmatch.sources.remote_metadata import metadata_of
from imgmatch.sources.retrying import RemoteOptions, TransientError, retry
from imgmatch.sources.store import RemoteStore
from imgmatch.sources.urls import url_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model.photos import Reserving
    from imgmatch.sources.base import Source
    from imgmatch.sources.names import NameRule
    from imgmatch.sources.remote import Remote

_PIECE = 8 << 20
_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "RefreshError"}
)


class Entry(NamedTuple):
    """One name in a folder of a bucket; ``metadata`` are empty for a folder."""

    name: str
    folder: bool
    metadata: RemoteMetadata


class BucketStore(RemoteStore):
    """What lies under URLs of one scheme. To be used in fsspec's event loop."""

    def __init__(self, scheme: str, options: RemoteOptions) -> None:
        super().__init__(scheme, options)
        self._opened: Any = None
        fsspec.get_filesystem_class(scheme)

    def folder(self, url: str, remote: Remote, names: NameRule) -> Source | None:
        """The folder at a URL as a source; ``None`` where there is a photo.

        Raises:
            PhotoError: there is nothing, or it cannot be found out.
        """
        if url_path(url).endswith("/"):
            if not remote.wait(partial(self.entries, url)):
                raise PhotoError(SkipReason.MISSING, "there is nothing in this folder")
        elif remote.wait(partial(self.info, url))["type"] != "directory":
            return None
        return BucketSource(url, remote, self, names)

    async def info(self, url: str) -> dict[str, Any]:
        """What fsspec tells of an object or a folder; ``type`` says which it is.

        Raises:
            PhotoError: there is neither, or it is refused, or the bucket cannot be reached.
        """
        return await retry(partial(self._info, url), self._options, seconds=self._options.total_seconds)

    async def _info(self, url: str) -> dict[str, Any]:
        with _errors():
            found: dict[str, Any] = await self._files()._info(_path(url))  # noqa: SLF001 - fsspec's names for coroutines
        return found

    async def entries(self, url: str) -> list[Entry]:
        """What lies in a folder, without its sub-folders, sorted by name.

        Raises:
            PhotoError: it cannot be listed.
        """
        return await retry(partial(self._entries, url), self._options, seconds=self._options.manifest_seconds)

    async def _entries(self, url: str) -> list[Entry]:
        with _errors():
            found = await self._files()._ls(_path(url), detail=True, refresh=True)  # noqa: SLF001 - fsspec's names for coroutines
        start = len(_path(url).rstrip("/")) + 1
        named = ((info["name"][start:].rstrip("/"), info) for info in found)
        entries = [Entry(name, info["type"] == "directory", _metadata_of_info(info)) for name, info in named if name]
        return sorted(entries, key=lambda entry: entry.name)

    async def _metadata(self, url: str) -> RemoteMetadata:
        return _metadata_of_info(await self._info(url))

    async def _fetch(self, url: str, metadata: RemoteMetadata, reserved: Reserving | None) -> Fetched:
        if metadata.size is None:
            metadata = _metadata_of_info(await self._info(url))
        size, limit = metadata.size or 0, self._options.file_bytes
        if size > limit:
            raise PhotoError(SkipReason.TOO_LARGE, f"{size:,} bytes; the limit is {limit:,}")
        if reserved is not None:
            reserved.reserve(size)
        data = await self._read(url, 0, size + 1) if size else b""
        if len(data) != size:
            raise TransientError(f"the bucket announced {size:,} bytes, and sent {len(data):,}")
        return Fetched(data, metadata)

    async def _read(self, url: str, start: int, end: int) -> bytes:
        with _errors():
            data: bytes = await self._files()._cat_file(_path(url), start=start, end=end)  # noqa: SLF001 - fsspec's names for coroutines
        return data

    async def copy(self, url: str, file: BinaryIO) -> None:
        """Write all of a manifest into a file.

        Raises:
            PhotoError: it cannot be had whole.
        """
        seconds = self._options.manifest_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._copy(url, file)
        except TimeoutError:
            raise PhotoError(SkipReason.TIMED_OUT, f"not here within {seconds:g} seconds") from None

    async def _copy(self, url: str, file: BinaryIO) -> None:
        before = await self.metadata(url)
        size, limit = before.size or 0, self._options.manifest_bytes
        if size > limit:
            raise PhotoError(SkipReason.TOO_LARGE, f"{size:,} bytes; the limit is {limit:,}")
        for start in range(0, size, _PIECE):
            attempt = partial(self._piece, url, start, min(start + _PIECE, size))
            file.write(await retry(attempt, self._options, seconds=None))
        if await self.metadata(url) != before:
            raise PhotoError(SkipReason.UNREADABLE, "it changed while it was read")

    async def _piece(self, url: str, start: int, end: int) -> bytes:
        data = await self._read(url, start, end)
        if len(data) != end - start:
            raise TransientError("the bucket sent another part than it was asked for")
        return data

    def _files(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The file system of fsspec, without its caches: what it tells must be so now."""
        if self._opened is None:
            plain = {"use_listings_cache": False, "skip_instance_cache": True}
            if self._scheme == "s3":
                options = self._options
                times = {"connect_timeout": options.connect_seconds, "read_timeout": options.total_seconds}
                config = {**times, "max_pool_connections": options.fetchers, "retries": {"total_max_attempts": 1}}
                self._opened = fsspec.filesystem("s3", config_kwargs=config, **plain)
                self._opened.retries = 1  # we try again ourselves
            else:
                self._opened = fsspec.filesystem("gs", access="read_only", **plain)
        return self._opened

    async def close(self) -> None:
        """Nothing: fsspec closes its connections when the file system is let go of."""
        self._opened = None


def _path(url: str) -> str:
    return url.partition("://")[2]


def _metadata_of_info(info: dict[str, Any]) -> RemoteMetadata:
    if info["type"] == "directory":
        return RemoteMetadata()
    modified = info.get("LastModified") or info.get("mtime") or info.get("updated")
    return metadata_of(int(info["size"]), info.get("ETag") or info.get("etag"), modified)


@contextmanager
def _errors() -> Iterator[None]:
    """What fsspec and what is under it raise, in our words.

    Raises:
        PhotoError: another try would end alike.
        TransientError: it may not.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise PhotoError(SkipReason.MISSING, "there is no such object") from error
    except PermissionError as error:
        raise PhotoError(SkipReason.REFUSED, "the bucket may not be read with these credentials") from error
    except Exception as error:
        if type(error).__name__ in _NO_CREDENTIALS:
            raise PhotoError(SkipReason.REFUSED, "no credentials were found that can be used") from error
        raise TransientError(f"the bucket cannot be read: {shown(str(error) or type(error).__name__)}") from error
