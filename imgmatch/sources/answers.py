"""How much a server may send around what is asked for: interim answers and tiny chunks cost time for nothing.

aiohttp reads on for as long as something comes. Needs aiohttp.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from aiohttp.client_proto import ResponseHandler

from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    import aiohttp

AROUND_BYTES = 1 << 20
"""What comes around the body of one answer: as much as all headers that aiohttp lets pass."""

AROUND_TIMES = 2
"""Beyond that, for each byte of the body so many may come in all: a chunk of one byte takes six."""


def bounded(connector: aiohttp.TCPConnector) -> aiohttp.TCPConnector:
    """The same connector, whose connections end where a server sends more than that."""
    # aiohttp has no public place for it; the tests of hostile servers would see it gone.
    connector._factory = functools.partial(_answer, connector._loop)  # noqa: SLF001
    return connector


def _answer(loop: Any) -> ResponseHandler:  # noqa: ANN401 -- aiohttp's own
    return BoundedAnswer(loop)


class BoundedAnswer(ResponseHandler):
    """One connection; counts from request to request."""

    def __init__(self, loop: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        super().__init__(loop)
        self._came = 0
        self._refusal: PhotoError | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        """A request begins."""
        self._came = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        super().data_received(data)
        self._came += len(data)
        body = 0 if self._payload is None else self._payload.total_bytes
        if self._refusal is None and self._came > AROUND_BYTES + AROUND_TIMES * body:
            self._refuse()

    def _refuse(self) -> None:
        """Tell whoever waits, for the head or for the body, and hang up: what follows would tell it otherwise."""
        self._refusal = PhotoError(SkipReason.UNREADABLE, "the server sends too much around what it was asked for")
        for waiting in (self._payload, self):
            if waiting is not None:
                waiting.set_exception(self._refusal)
        self._payload = None
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of it."""
        super().connection_lost(exc)
        if self._refusal is not None:
            self.set_exception(self._refusal)
