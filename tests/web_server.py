"""A web server of this machine that misbehaves as it is told. Nothing here knows imgmatch."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


@dataclass
class Page:
    """One answer.

    Attributes:
        body: what is announced.
        headers: beside the length.
        statuses: of one GET after the other; the last one stays.
        announce: this length instead of the true one; none at all for ``None``.
        head_announce: likewise for HEAD.
        first_byte_after: seconds.
        drops: so many requests are cut off half-way before one is answered in full.
        head: answer HEAD; or else 405.
    """

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=lambda: [200])
    announce: int | None = -1
    head_announce: int | None = -1
    first_byte_after: float = 0.0
    drops: int = 0
    head: bool = True


class WebServer:
    """Serves ``pages`` by path and notes what it is asked: ``asked`` has a (method, path) a request."""

    def __init__(self, pages: dict[str, Page] | None = None) -> None:
        self.pages = pages or {}
        self.asked: list[tuple[str, str]] = []
        self.most_at_once = 0
        self.at_once = 0
        self.guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def busy(self, more: int) -> None:
        with self.guard:
            self.at_once += more
            self.most_at_once = max(self.most_at_once, self.at_once)

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    owner: WebServer
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(head=False)

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def _answer(self, *, head: bool) -> None:
        owner = self.server.owner
        owner.asked.append((self.command, self.path))
        page = owner.pages.get(self.path)
        if page is None or (head and not page.head):
            self._begin(404 if page is None else 405, 0, {})
            return
        owner.busy(1)
        time.sleep(page.first_byte_after)
        owner.busy(-1)
        status = page.statuses[0] if head or len(page.statuses) == 1 else page.statuses.pop(0)
        body = page.body if status == 200 else b""
        length = (page.head_announce if head else page.announce) if status == 200 else -1
        self._begin(status, len(body) if length == -1 else length, page.headers)
        if head:
            return
        if page.drops:
            page.drops -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        with suppress(OSError):
            self.wfile.write(body)
        if length != -1:
            self.close_connection = True

    def _begin(self, status: int, length: int | None, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
