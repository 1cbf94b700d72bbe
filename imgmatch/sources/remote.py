"""What lies at URLs: one place for the connections of a scan, and photos that know where they lie."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TYPE_CHECKING, Any

from imgmatch import registry
from imgmatch.errors import ImgmatchError, MissingExtraError
from imgmatch.model import Fetched, RemoteMetadata
from imgmatch.sources.guard import photo_error
from imgmatch.sources.retrying import RemoteOptions
from imgmatch.sources.room import NoRoomError
from imgmatch.sources.urls import WEB, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from imgmatch.errors import PhotoError
    from imgmatch.model.photos import Reserving
    from imgmatch.sources.retrying import Result
    from imgmatch.sources.store import RemoteStore

_CLOSED = "the connections were closed while photos were on their way"
_CLOSING_SECONDS = 5.0
_EXTRAS = {"http": "remote"}
"""What to install for a scheme, where the extra does not go by its name."""


class Remote:
    """The connections of one scan.

    They live in fsspec's event loop, a thread of this process; at most ``options.fetchers`` requests run at once.
    """

    def __init__(self, options: RemoteOptions | None = None) -> None:
        self.options = options or RemoteOptions()
        self._stores: dict[str, RemoteStore] = {}
        self._running: set[Future[Any]] = set()
        self._turns = asyncio.Semaphore(self.options.fetchers)

    def file(self, url: str, metadata: RemoteMetadata | None = None) -> UrlFile:
        """A photo at a checked URL.

        Args:
            url: of it.
            metadata: what a listing has told of it.

        Raises:
            MissingExtraError: what reads such URLs is not installed.
        """
        return UrlFile(url, self, self.store(url), metadata)

    def store(self, url: str) -> RemoteStore:
        """What reads a checked URL.

        Raises:
            MissingExtraError: it is not installed.
        """
        scheme = url.partition(":")[0]
        scheme = "http" if scheme in WEB else scheme
        if scheme not in self._stores:
            self._stores[scheme] = _opened(scheme, self.options, url)
        return self._stores[scheme]

    def start(
        self, ask: Callable[[], Coroutine[Any, Any, Result]], reserved: Reserving | None = None
    ) -> Future[Result]:
        """Ask as soon as it is its turn; what needs more room than there is is asked for again once there is."""
        import fsspec.asyn  # noqa: PLC0415 - an extra

        asking = self._in_turn(ask) if reserved is None else self._with_room(ask, reserved)
        future = asyncio.run_coroutine_threadsafe(asking, fsspec.asyn.get_loop())
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    async def _in_turn(self, ask: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        async with self._turns:
            return await ask()

    async def _with_room(self, ask: Callable[[], Coroutine[Any, Any, Result]], reserved: Reserving) -> Result:
        """Others have their turns while it waits, and no server holds a connection for it."""
        while True:
            try:
                return await self._in_turn(ask)
            except NoRoomError as error:
                size = error.size
            await reserved.wait_for(size)

    def wait(self, ask: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Ask, and wait for the answer."""
        return result_of(self.start(ask))

    def close(self) -> None:
        """Give up what is on its way, and close every connection."""
        for future in list(self._running):
            future.cancel()
        for store in self._stores.values():
            with contextlib.suppress(TimeoutError):
                self.start(store.close).result(_CLOSING_SECONDS)
        self._stores.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class UrlFile:
    """A photo at a URL; see :class:`imgmatch.model.RemoteFile`."""

    __slots__ = ("_metadata", "_remote", "_store", "url")

    def __init__(self, url: str, remote: Remote, store: RemoteStore, metadata: RemoteMetadata | None = None) -> None:
        self.url = url
        self._remote = remote
        self._store = store
        self._metadata = metadata

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"UrlFile({shown_url(self.url)!r})"

    @property
    def lanes(self) -> int:
        """How many such photos can be fetched at once."""
        return self._remote.options.fetchers

    def look(self) -> Future[RemoteMetadata]:
        """Its metadata; what a listing has told is not asked for again."""
        if self._metadata is None:
            return self._remote.start(self._ask)
        known: Future[RemoteMetadata] = Future()
        known.set_result(self._metadata)
        return known

    async def _ask(self) -> RemoteMetadata:
        self._metadata = await self._store.metadata(self.url)
        return self._metadata

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        """All of it."""
        return self._remote.start(partial(self._fetch, reserved), reserved)

    async def _fetch(self, reserved: Reserving | None) -> Fetched:
        return await self._store.fetch(self.url, self._metadata or RemoteMetadata(), reserved)


class LostFile:
    """A photo at a URL that cannot be asked for; see :class:`imgmatch.model.RemoteFile`.

    Args:
        url: of it.
        why: what everybody is told who asks.
    """

    __slots__ = ("_why", "url")
    lanes = 1

    def __init__(self, url: str, why: PhotoError) -> None:
        self.url = url
        self._why = why

    def __str__(self) -> str:
        return self.url

    def look(self) -> Future[RemoteMetadata]:
        """Why there are no metadata."""
        lost: Future[RemoteMetadata] = Future()
        lost.set_exception(self._why)
        return lost

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        """Why there is nothing."""
        del reserved
        lost: Future[Fetched] = Future()
        lost.set_exception(self._why)
        return lost


def result_of(future: Future[Result]) -> Result:
    """What a future comes to: the door of all that stores do.

    Raises:
        PhotoError: it cannot be had, for whatever reason.
        ImgmatchError: the connections were closed before.
    """
    try:
        return future.result()
    except CancelledError:
        raise ImgmatchError(_CLOSED) from None
    except ImgmatchError:
        raise
    except Exception as error:
        raise photo_error(error, "a request") from error


def _opened(scheme: str, options: RemoteOptions, url: str) -> RemoteStore:
    try:
        import fsspec.asyn  # noqa: F401, PLC0415 - an extra, in whose event loop all requests are made

        return registry.store(scheme)(scheme, options)
    except ImportError as error:
        extra = _EXTRAS.get(scheme, scheme)
        raise MissingExtraError(
            f'{shown_url(url)}: {scheme} URLs need packages that are not installed: pip install "imgmatch[{extra}]"'
        ) from error
