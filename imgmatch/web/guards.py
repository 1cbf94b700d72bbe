"""What every request passes, whatever it asks for: its host, its size, headers for browsers, a line in the log."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from imgmatch.errors import ImgmatchError, NotAllowedError
from imgmatch.web.access import known_caller
from imgmatch.web.hma.answers import HmaAnswer
from imgmatch.web.paths import is_hma, takes_photo

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from imgmatch.web.metrics import Metrics
    from imgmatch.web.settings import ServeSettings

_LOGGER = logging.getLogger("imgmatch.web")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
_UPLOADS = {"/checks", "/api/v1/check", "/api/v1/compare", "/api/v1/photo"}
_WITHOUT_INDEX = {"/healthz", "/status", "/status/live"}
_UNAVAILABLE = 503
_RETRY_SECONDS = 2
_OTHER_BYTES = 1 << 20
"""Of a request that brings no photos."""

BODY_SECONDS = 120.0
"""A body that is not here by then is given up, however it trickles in."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, browsers do not say where a form comes from
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, noarchive",
}


class Guards:
    """The outermost layer of the server.

    What is refused here is refused before a byte of a body is kept.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = secrets.token_hex(8), time.perf_counter(), 500

        body = _Bounded(receive, self._most(scope))

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Request-Id"] = request_id
            await send(message)

        async def answering(message: Message) -> None:
            if not body.is_over:  # else whoever was reading has been told that it broke off, and would say just that
                await sending(message)

        try:
            refusal = self._refused(scope) or _not_yet(scope)
            if (
                refusal is None
                and self._brings_photos(scope)
                and not await run_in_threadpool(_is_known, Request(scope))
            ):
                refusal = 401, "say who asks: log in, or send a token"
            if refusal is None:
                await self._app(scope, body, answering)
                refusal = (413, _TOO_LARGE) if body.is_over else None
            if refusal is not None:
                await _refuse(*refusal, scope, receive, sending)
        finally:
            self._note(scope, request_id, status, time.perf_counter() - started)

    def _brings_photos(self, scope: Scope) -> bool:
        """Whether the body may be large: nobody sends one before it is known who that is."""
        kind = Headers(scope=scope).get("content-type", "")
        return (scope["path"] in _UPLOADS or takes_photo(scope)) and kind.startswith("multipart/")

    def _most(self, scope: Scope) -> int:
        return self._settings.upload_bytes if self._brings_photos(scope) else _OTHER_BYTES

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not self._is_ours(scope, headers.get("host", "")):
            return 421, "this server does not go by that name; see --host-name"
        size = headers.get("content-length", "0")
        if not size.isascii() or not size.isdigit() or int(size) > self._most(scope):
            return 413, _TOO_LARGE
        return None

    def _is_ours(self, scope: Scope, said: str) -> bool:
        """A page of another site whose name suddenly leads here must not speak with our voice."""
        if not (self._settings.local or self._settings.hosts):
            return True
        try:
            host = urlsplit(f"//{said}").hostname or ""
        except ValueError:
            return False
        peer = (scope.get("client") or ("",))[0]
        local = self._settings.local or peer in _LOOPBACK  # whoever looks whether the server is alive
        return host in {name.lower() for name in self._settings.hosts} | (_LOOPBACK if local else set())

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.answered(route, method, status, seconds)
        fields = {"request": request_id, "method": method, "route": route, "status": status}
        fields["milliseconds"] = round(1000 * seconds, 1)
        _LOGGER.info("request", extra={"imgmatch_fields": fields})


def _not_yet(scope: Scope) -> tuple[int, str] | None:
    """Until the index is open nothing is known, least of all that something is not there."""
    if hasattr(scope["app"].state, "service") or scope["path"] in _WITHOUT_INDEX:
        return None
    return _UNAVAILABLE, "the index is still being opened; try again soon"


def _is_known(request: Request) -> bool:
    try:
        return known_caller(request) is not None
    except NotAllowedError:
        return False
    except ImgmatchError:  # such as an index that is gone: the route says so
        return True


_TOO_LARGE = "this request is larger than the server takes"


class _Bounded:
    """A body of which no more is read than may be: then it ends as if whoever sends it had gone."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self._until = time.monotonic() + BODY_SECONDS
        self._whole = False

    @property
    def is_over(self) -> bool:
        """It was longer."""
        return self._left < 0

    async def __call__(self) -> Message:
        """The next part of it."""
        if self.is_over:
            return {"type": "http.disconnect"}
        if self._whole:  # what comes now is that whoever asked has gone
            return await self._receive()
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Connection": "close"} | ({"Retry-After": str(_RETRY_SECONDS)} if status == _UNAVAILABLE else {})
    if is_hma(scope):
        refusal: Response = HmaAnswer({"message": detail}, status, headers)
    else:
        body = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}
        refusal = JSONResponse(body, status, headers, "application/problem+json")
    await refusal(scope, receive, send)
