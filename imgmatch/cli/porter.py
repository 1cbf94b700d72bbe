"""Answers at a port while a server's index is opened, which takes long where it is migrated.

Whoever asks then is told to come again (503), and not that there is nothing: a client of HMA would forget its banks.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket as Socket  # noqa: N812 -- a class
    from types import TracebackType

SECONDS = 0.5
"""What is open by then needs no porter."""

_TURN_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0
_MOST_HEAD = 1 << 16
_ALIVE = re.compile(rb"(?:GET|HEAD) \S*/(?:healthz|status/live)[? ]")


class Porter:
    """Binds the port, and answers there until the block ends; a port that cannot be had is left to who comes after."""

    def __init__(self, bind: Callable[[], Socket]) -> None:
        """``bind`` gives a socket that listens."""
        self._bind = bind
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imgmatch-porter", daemon=True)
        self.socket: Socket | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is not None and self.socket is not None:
            self.socket.close()

    def _run(self) -> None:
        if self._over.wait(SECONDS):
            return
        with suppress(click.ClickException):
            self.socket = self._bind()
        if self.socket is None:
            return
        self.socket.settimeout(_TURN_SECONDS)
        while not self._over.is_set():
            with suppress(OSError):  # nobody came, or whoever did has gone
                connection, _ = self.socket.accept()
                with connection:
                    _answer(connection)
        self.socket.settimeout(None)


def _answer(connection: Socket) -> None:
    connection.settimeout(_PATIENCE_SECONDS)
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD:
        some = connection.recv(_MOST_HEAD)
        if not some:
            return
        head += some
    is_alive = _ALIVE.match(head) is not None
    said = "the index is still being opened; try again soon"
    body = json.dumps({"status": "ok"} if is_alive else {"message": said, "detail": said, "status": 503}).encode()
    status = b"200 OK" if is_alive else b"503 Service Unavailable\r\nRetry-After: 2"
    connection.sendall(
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        % (status, len(body))
        + (b"" if head.startswith(b"HEAD ") else body)
    )
