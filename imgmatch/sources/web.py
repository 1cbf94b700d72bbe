"""Photos and manifests from web servers, none of which is trusted. Needs aiohttp."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from imgmatch.errors import PhotoError
from imgmatch.model import Fetched, RemoteMetadata, SkipReason
from imgmatch.sources.addresses import NotPublicError, connector
from imgmatch.sources.answers import bounded
from imgmatch.sources.remote_metadata import metadata_of_headers
from imgmatch.sources.retrying import RemoteOptions, TransientError, retry
from imgmatch.sources.store import RemoteStore
from imgmatch.sources.urls import WEB, checked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from imgmatch.model.photos import Reserving

_PIECE = 1 << 16
_FREE = 1 << 20
"""What a photo is taken to have at first if nobody says how long it is; one that has more, as much as it may have."""
_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MISSING = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 403, 407, 451})
_TRANSIENT = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
_MOST_DIGITS = 18  # of a length in bytes
_HEADERS = {"User-Agent": "imgmatch", "Accept": "*/*", "Accept-Encoding": "identity"}


class WebStore(RemoteStore):
    """What lies under http(s) URLs.

    Proxies of the environment are not used: they would connect where they like.
    """

    def __init__(self, scheme: str, options: RemoteOptions) -> None:
        super().__init__(scheme, options)
        self._session: aiohttp.ClientSession | None = None

    async def _metadata(self, url: str) -> RemoteMetadata:
        """What the server tells by HEAD; nothing where it refuses, since it may yet answer GET."""
        async with self._asked("HEAD", url) as response:
            if response.status != _OK:
                return RemoteMetadata()
            return metadata_of_headers(response.headers, _length(response))

    async def _fetch(self, url: str, metadata: RemoteMetadata, reserved: Reserving | None) -> Fetched:
        async with self._asked("GET", url) as response:
            data = bytearray()
            async for piece in self._pieces(response, self._options.file_bytes, reserved):
                data += piece
            now = metadata_of_headers(response.headers, len(data))
            if metadata.size not in (None, now.size) and metadata.tag == now.tag:
                raise TransientError(f"the server announced {metadata.size:,} bytes, and sent {now.size:,}")
            return Fetched(bytes(data), now)

    async def copy(self, url: str, file: BinaryIO) -> None:
        """Write all of a manifest into a file.

        Raises:
            PhotoError: it cannot be had whole.
        """
        await retry(partial(self._copy, url, file), self._options, seconds=self._options.manifest_seconds)

    async def _copy(self, url: str, file: BinaryIO) -> None:
        file.seek(0)
        file.truncate()
        async with self._asked("GET", url) as response:
            async for piece in self._pieces(response, self._options.manifest_bytes):
                file.write(piece)

    async def _pieces(
        self, response: aiohttp.ClientResponse, limit: int, reserved: Reserving | None = None
    ) -> AsyncIterator[bytes]:
        """The body, which must be as long as announced and no longer than ``limit``, once there is room."""
        _check_status(response)
        announced, read = _length(response), 0
        if announced is not None and announced > limit:
            raise PhotoError(SkipReason.TOO_LARGE, f"{announced:,} bytes; the limit is {limit:,}")
        if reserved is not None:
            reserved.reserve(_FREE if announced is None else announced)
        async for piece in response.content.iter_chunked(_PIECE):
            read += len(piece)
            if read > limit:
                raise PhotoError(SkipReason.TOO_LARGE, f"more than the limit of {limit:,} bytes")
            if reserved is not None and read > max(announced or 0, _FREE):
                reserved.reserve(limit)  # nobody knows how long it will be
            yield piece
        if announced not in (None, read):
            raise TransientError(f"the server announced {announced:,} bytes, and sent {read:,}")

    @asynccontextmanager
    async def _asked(self, method: str, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, redirects followed; each of them is looked at like the first URL."""
        with photo_errors():
            for _ in range(self._options.redirects + 1):
                async with await self._answered(method, url) as response:
                    where = response.headers.get("Location")
                    if response.status not in _REDIRECTS or where is None:
                        yield response
                        return
                url = _redirected(url, where)
        raise PhotoError(SkipReason.UNREADABLE, f"redirected more than {self._options.redirects} times")

    async def _answered(self, method: str, url: str) -> aiohttp.ClientResponse:
        """The head of an answer.

        Raises:
            PhotoError: ``checked`` lets the URL pass, but a library on the way does not: yarl, idna, the resolver.
        """
        try:
            return await self._opened().request(method, _as_is(url), allow_redirects=False)
        except (aiohttp.ClientError, OSError):
            raise
        except ValueError as error:
            raise PhotoError(SkipReason.REFUSED, "The URL cannot be understood.") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            options = self._options
            self._session = aiohttp.ClientSession(
                connector=bounded(connector(options.fetchers, allow_private=options.allow_private)),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=options.connect_seconds, sock_read=options.total_seconds
                ),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _as_is(url: str) -> URL:
    """A URL for aiohttp, which must not rewrite what may be signed."""
    return URL(url, encoded=url.isascii() and " " not in url)


def _redirected(url: str, where: str) -> str:
    try:
        target = urljoin(url, where)
    except ValueError as error:
        raise PhotoError(SkipReason.REFUSED, "The server redirects to what is no URL.") from error
    found = checked(target)
    if not found.startswith(tuple(f"{scheme}://" for scheme in WEB)):
        raise PhotoError(SkipReason.REFUSED, "The server redirects to what is no web server.")
    return found


def _length(response: aiohttp.ClientResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _check_status(response: aiohttp.ClientResponse) -> None:
    """Go on if the answer is the photo.

    Raises:
        PhotoError: it is not, and will not be soon.
        TransientError: it may be soon.
    """
    status = response.status
    if status == _OK:
        return
    detail = f"the server answered {status}"
    if status in _MISSING:
        raise PhotoError(SkipReason.MISSING, detail)
    if status in _FORBIDDEN:
        raise PhotoError(SkipReason.REFUSED, detail)
    if status in _TRANSIENT or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED):
        after = response.headers.get("Retry-After", "")
        raise TransientError(detail, wait=float(after) if after.isascii() and after.isdecimal() else None)
    raise PhotoError(SkipReason.UNREADABLE, detail)


@contextmanager
def photo_errors() -> Iterator[None]:
    """What aiohttp raises, in our words. Its own may hold the whole URL, with what signs it.

    Raises:
        PhotoError: another try would end alike.
        TransientError: it may not.
    """
    try:
        yield
    except (aiohttp.ServerTimeoutError, aiohttp.ConnectionTimeoutError) as error:
        raise TransientError("the server did not answer in time", SkipReason.TIMED_OUT) from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, NotPublicError):
            detail = f"{error.os_error} (--allow-private lets it pass)"
            raise PhotoError(SkipReason.REFUSED, detail) from error
        if isinstance(error, aiohttp.ClientSSLError):
            raise PhotoError(SkipReason.UNREADABLE, "the server's certificate is not to be trusted") from error
        raise TransientError(_unreachable(error)) from error
    except aiohttp.InvalidURL as error:
        raise PhotoError(SkipReason.REFUSED, "The URL cannot be understood.") from error
    except aiohttp.ClientPayloadError as error:
        raise TransientError("the connection ended before all had come") from error
    except (aiohttp.ClientError, OSError) as error:
        raise TransientError(f"the connection failed: {type(error).__name__}") from error


def _unreachable(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the server's name cannot be resolved"
    return f"the server cannot be reached: {(error.os_error.strerror or type(error.os_error).__name__).lower()}"
