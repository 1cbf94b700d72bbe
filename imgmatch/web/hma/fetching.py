"""Photos from URLs that an HMA client names: only from hosts that were allowed when the server was started."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imgmatch.errors import MissingExtraError, PhotoError, SkipReason
from imgmatch.model import RemoteMetadata
from imgmatch.sources.retrying import RemoteOptions
from imgmatch.web.hma.answers import abort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from imgmatch.sources.store import RemoteStore
    from imgmatch.web.settings import ServeSettings

MOST_BYTES = 32 << 20
MOST_AT_ONCE = 8
_CONNECT_SECONDS = 5.0
_SECONDS = 20.0
_TRIES = 2  # clients try again themselves

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?P<any>\*\.)?(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class FetchHost:
    """A host that photos may be fetched from.

    Attributes:
        scheme: ``https``, or ``http`` where that was said.
        host: in small letters, an IPv6 address without brackets.
        port: the only one.
        with_names_below: also hosts whose names end in this one, and not this one itself.
    """

    scheme: str
    host: str
    port: int
    with_names_below: bool = False

    @classmethod
    def of(cls, text: str) -> FetchHost:
        """What ``HOST``, ``*.HOST``, ``HOST:PORT`` or one of these behind ``http://`` or ``https://`` means.

        Raises:
            ValueError: it is none of these.
        """
        scheme, _, rest = text.lower().rpartition("://")
        scheme = scheme or "https"
        found = _HOST.fullmatch(rest)
        port = int(found["port"] or _PORTS.get(scheme, 0)) if found is not None else 0
        if found is None or scheme not in _PORTS or not 0 < port < 1 << 16:
            raise ValueError(
                f"{text!r} is no host: give HOST, *.HOST or HOST:PORT, or http://HOST where that has no HTTPS"
            )
        return cls(scheme, found["host"].strip("[]"), port, found["any"] is not None)

    def allows(self, url: str) -> bool:
        """Whether a URL leads there."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            return False
        fits = host.endswith(f".{self.host}") if self.with_names_below else host == self.host
        named = re.fullmatch("[a-z0-9.:-]+", host) is not None
        return fits and named and (parts.scheme, port) == (self.scheme, self.port)


class Fetcher:
    """Fetches photos by HTTP, with the guards of every other reader of URLs."""

    def __init__(self, settings: ServeSettings) -> None:
        self._hosts = tuple(map(FetchHost.of, settings.fetch_hosts))
        self._options = RemoteOptions(
            allow_private=settings.allow_private,
            fetchers=MOST_AT_ONCE,
            file_bytes=min(settings.upload_bytes, MOST_BYTES),
            connect_seconds=_CONNECT_SECONDS,
            total_seconds=_SECONDS,
            tries=_TRIES,
        )
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._store: RemoteStore | None = None

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[bytes]:
        """The photo at a URL; while the block lasts, it counts as one of those that may be in memory.

        Raises:
            HTTPException: nothing may be fetched from there, or it cannot be had.
        """
        from imgmatch.sources.urls import checked  # noqa: PLC0415 -- with what fetches

        async with self._turns:
            try:
                if not self._hosts:
                    raise PhotoError(SkipReason.REFUSED, "this server fetches nothing: see --fetch-host")  # noqa: TRY301 -- one place that answers
                store = self._opened()
                photo = (await store.fetch(checked(url), RemoteMetadata())).data
            except PhotoError as error:
                abort(413 if error.reason is SkipReason.TOO_LARGE else 400, f"Failed to fetch URL: {error.detail}")
            yield photo

    def _opened(self) -> RemoteStore:
        if self._store is None:
            try:
                from imgmatch.web.hma.allowed_store import AllowedStore  # noqa: PLC0415 -- an extra
            except ImportError as error:
                raise MissingExtraError(f'URLs need {error.name}: pip install "imgmatch[remote]"') from None
            self._store = AllowedStore(self._options, self._hosts)
        return self._store

    async def close(self) -> None:
        """Close every connection."""
        if self._store is not None:
            await self._store.close()
            self._store = None
