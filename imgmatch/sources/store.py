"""What every reader of URLs is: a request is made again where that may help, within a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.sources.retrying import RemoteOptions, retry

if TYPE_CHECKING:
    from imgmatch.model import Fetched, RemoteMetadata
    from imgmatch.model.photos import Reserving
    from imgmatch.sources.base import Source
    from imgmatch.sources.names import NameRule
    from imgmatch.sources.remote import Remote


class RemoteStore(ABC):
    """What lies under the URLs of one scheme. To be used in one event loop.

    A scheme is one file with a class such as this, and one line in ``registry.STORES``. What the class is asked for
    once (``_metadata``, ``_fetch``) raises ``TransientError`` where another try may end otherwise.

    Args:
        scheme: of the URLs.
        options: how they are read.

    Raises:
        ImportError: a package that reads such URLs is not installed.
    """

    def __init__(self, scheme: str, options: RemoteOptions) -> None:
        self._scheme = scheme
        self._options = options

    async def metadata(self, url: str) -> RemoteMetadata:
        """The metadata of a photo, without fetching it.

        Raises:
            PhotoError: it is missing or refused, or nobody answers.
        """
        return await retry(partial(self._metadata, url), self._options, seconds=self._options.total_seconds)

    async def fetch(self, url: str, metadata: RemoteMetadata, reserved: Reserving | None = None) -> Fetched:
        """All of a photo. If more or less comes than was announced, now or by ``metadata``, it is not taken for whole.

        Raises:
            NoRoomError: there is no room for it now, and nothing of it is held any more.
            PhotoError: it is missing, refused, too large, late, or cannot be had whole.
        """
        attempt = partial(self._fetch, url, metadata, reserved)
        return await retry(attempt, self._options, seconds=self._options.total_seconds)

    @abstractmethod
    async def _metadata(self, url: str) -> RemoteMetadata: ...

    @abstractmethod
    async def _fetch(self, url: str, metadata: RemoteMetadata, reserved: Reserving | None) -> Fetched:
        """One try; room is reserved before anything is read."""

    @abstractmethod
    async def copy(self, url: str, file: BinaryIO) -> None:
        """Write all of a manifest into a file.

        Raises:
            PhotoError: it cannot be had whole.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""

    def folder(self, url: str, remote: Remote, names: NameRule) -> Source | None:
        """The folder at a URL as a source; ``None`` where there is none, but perhaps a photo.

        Args:
            url: of it.
            remote: the connections.
            names: what is passed over by its name.

        Raises:
            PhotoError: it cannot be found out.
        """
        del url, remote, names
        return None
