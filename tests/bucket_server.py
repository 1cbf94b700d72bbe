"""Buckets of this machine: moto's S3, a relay in front of it that misbehaves, and enough of GCS to be listed and read.

Nothing here knows imgmatch.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 30.0


@contextmanager
def moto() -> Iterator[int]:
    """The port of a running server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("moto did not start")


def send(port: int, method: str, path: str, body: bytes = b"") -> None:
    """One request, which must be a success; moto asks for no signature."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, quote(path), body, {"Authorization": "AWS4-HMAC-SHA256 Credential=x/1/us-east-1/s3/x"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status >= 300:
        raise OSError(f"{method} {path}: {answer.status}")


class Relay(ThreadingHTTPServer):
    """Passes requests on.

    Attributes:
        asked: a (method, path) a request for an object.
        drop: ends of keys whose GET is dropped half-way.
        lie: ends of keys of which half is sent as if it were the whole.
        refuse: ends of keys, or of prefixes that are listed, for which the answer is 503.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _RelayHandler)
        self.port = port
        self.asked: list[tuple[str, str]] = []
        self.drop: tuple[str, ...] = ()
        self.lie: tuple[str, ...] = ()
        self.refuse: tuple[str, ...] = ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _RelayHandler(BaseHTTPRequestHandler):
    server: Relay
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        relay = self.server
        parts = urlsplit(self.path)
        prefix = parse_qs(parts.query).get("prefix", [""])[0]
        path = unquote(parts.path)
        if not prefix:
            relay.asked.append((self.command, path))
        if (prefix or path).endswith(relay.refuse):
            self._answer(503, {"Content-Length": "0"}, b"")
            return
        connection = HTTPConnection("127.0.0.1", relay.port, timeout=10)
        connection.request(self.command, self.path, headers=dict(self.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() != "transfer-encoding"}
        if self.command == "GET":
            if path.endswith(relay.lie):
                body = body[: len(body) // 2]
            headers["Content-Length"] = str(len(body))
            if path.endswith(relay.drop):
                body = body[: len(body) // 2]
                self.close_connection = True
        self._answer(answer.status, headers, body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class GoogleHandler(BaseHTTPRequestHandler):
    """Objects of one bucket: ``objects`` by key."""

    objects: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        _, slash, key = parts.path.partition("/o/")
        if not slash:
            self._answer(200, json.dumps(self._listed(query.get("prefix", ""))).encode())
        elif unquote(key) not in self.objects:
            self._answer(404, b"{}")
        elif query.get("alt") == "media":
            self._answer(200, self.objects[unquote(key)])
        else:
            self._answer(200, json.dumps(self._told(unquote(key))).encode())

    def _listed(self, prefix: str) -> dict[str, object]:
        below = [key for key in self.objects if key.startswith(prefix)]
        here = [key for key in below if "/" not in key[len(prefix) :]]
        folders = {prefix + key[len(prefix) :].partition("/")[0] + "/" for key in below if key not in here}
        return {"kind": "storage#objects", "items": [self._told(key) for key in here], "prefixes": sorted(folders)}

    def _told(self, key: str) -> dict[str, str]:
        size = str(len(self.objects[key]))
        fixed = {"bucket": "b", "updated": "2026-01-02T03:04:05.000Z", "timeCreated": "2026-01-02T03:04:05.000Z"}
        return {"kind": "storage#object", "name": key, "size": size, "etag": f"e{size}", "generation": "1", **fixed}

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """The URL of a server, for as long as it runs."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
