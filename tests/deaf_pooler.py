"""What poolers do to notices: it stands between clients and a server of PostgreSQL, and lets no notice through."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOCKET = ".s.PGSQL.5432"
_NOTICE = b"A"


@contextmanager
def deaf_pooler(url: str, behind: Path) -> Iterator[str]:
    """The URL by which the database of ``url``, whose server has its socket in ``behind``, is reached through it."""
    with (
        tempfile.TemporaryDirectory(prefix="imgmatch-px-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening,
    ):
        listening.bind(str(Path(folder) / _SOCKET))
        listening.listen()
        threading.Thread(target=_serve, args=(listening, behind / _SOCKET), daemon=True).start()
        yield url.replace(f"host={behind}", f"host={folder}")
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, behind: Path) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.connect(str(behind))
            threading.Thread(target=_to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=_to_client, args=(client, server), daemon=True).start()


def _to_server(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError), server:
        while some := client.recv(1 << 16):
            server.sendall(some)


def _to_client(client: socket.socket, server: socket.socket) -> None:
    """Message by message, each of which begins with its kind and its length."""
    with suppress(OSError, struct.error), client, server.makefile("rb") as messages:
        while head := messages.read(5):
            kind, length = struct.unpack("!cI", head)
            body = messages.read(length - 4)
            if kind != _NOTICE:
                client.sendall(head + body)
