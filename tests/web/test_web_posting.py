from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from imgmatch.web import posting
from imgmatch.web.posting import post

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def endless() -> Iterator[str]:
    """A server that answers with 201 and then with as much as anybody takes."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def answer() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000000\r\n\r\n")
            while not over.is_set():
                connection.sendall(b"x" * 65_536)

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    over.set()
    answering.join(10)
    listening.close()


@pytest.mark.parametrize("most", [0, 1, 4_096])
def test_of_an_endless_answer_so_much_is_read_as_was_asked_for(endless: str, most: int) -> None:
    answer = post(endless, b"{}", {}, most)
    assert (answer.status, answer.text, len(answer.head)) == (201, "201", most)


def test_a_status_stands_though_the_rest_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_TIMEOUT", 0.5)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 90\r\n\r\n{")
                over.wait(30)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        found = post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"{}", {}, 90)
        over.set()
        answering.join(10)
    assert (found.status, found.head) == (201, b"{")


def test_nobody_there_is_an_answer_without_a_status() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert answer.status is None
    assert answer.text.startswith("ConnectError: ")
