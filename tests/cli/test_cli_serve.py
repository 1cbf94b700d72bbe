from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from serving import picture, serving_process

from imgmatch.cli.main import run
from imgmatch.cli.serve import _is_local, listening
from imgmatch.index import Index
from imgmatch.model import Role, Scope

if TYPE_CHECKING:
    from pathlib import Path


def answered(url: str) -> httpx.Response:
    """The first answer, once the server is up."""
    for _ in range(600):
        try:
            return httpx.get(url, timeout=60)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(url)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_server_answers_logs_without_names_and_ends_in_peace(world: Path, processes: int) -> None:
    with serving_process(world, world.parent, "--processes", str(processes)) as (process, url):
        assert answered(f"{url}/readyz").json() == {"status": "ok"}
        found = httpx.post(f"{url}/api/v1/check", files={"photo": ("x.jpg", picture(1, 50))}, timeout=60).json()
        assert found["results"][0]["accounts"] == 4
        httpx.get(f"{url}/api/v1/account", params={"id": "mia"}, headers={"Authorization": "Bearer secret"}, timeout=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert {(line["method"], line["route"], line["status"]) for line in requests} >= {
        ("GET", "/readyz", 200),
        ("POST", "/api/v1/check", 200),
        ("GET", "/api/v1/account", 401),
    }
    assert all({"request", "milliseconds"} <= set(line) for line in requests)
    assert "mia" not in said
    assert "secret" not in said
    assert (lines[-1]["message"], lines[-1]["exit_code"], process.returncode) == ("finished", 0, 0)


def test_a_server_that_others_reach_is_not_begun_while_nobody_is_named(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--index", str(world), "--host", "0.0.0.0"]) == 2  # noqa: S104 -- it is refused
    assert "whoever reaches it could do everything" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", "--index", str(world), "--port", port, "--uploads", str(world.parent / "kept")]) == 1
    assert f"by port {port}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_others_reach_is_begun_once_somebody_is_named(world: Path) -> None:
    with Index.open(world) as index:
        secret = index.people.add_token("bot", [Scope.READ]).secret
        index.people.add_user("ana", Role.VIEWER, None)
    with serving_process(world, world.parent, "--host", "0.0.0.0") as (_, url):  # noqa: S104 -- of the test
        assert answered(f"{url}/api/v1/rings").status_code == 401
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"{url}/api/v1/rings", headers=headers, timeout=60).json()["total"] == 3


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "photos.example")),  # noqa: S104 -- of no server
    ],
)
def test_only_an_address_of_this_machine_alone_is_local(host: str, local: bool) -> None:  # noqa: FBT001 -- a case
    assert _is_local(host) == local


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--user-header", "X-User"), 2, "--user-header counts only from a --proxy"),
        (("--port", "70000"), 2, "70000"),
        (("--proxy", "here"), 2, "'here' is no address and no network"),
        (("--webhook", "http://[::1/x"), 2, "is no URL"),
        (("--webhook", "ftp://x/y"), 2, "is no URL"),
        (("--webhook", "http://127.0.0.1:1/"), 2, "needs a secret to sign with"),
        (("--proxy", "127.0.0.1"), 2, "whoever reaches it could do everything"),
        (("--host-name", "photos.example"), 2, "whoever reaches it could do everything"),
        (("--uploads", "/proc/nope"), 1, "uploads cannot be kept there"),
        (("--cover", "pink"), 2, "pink"),
        (("--index", "nowhere"), 4, "nowhere"),
    ],
)
def test_a_server_that_cannot_be_begun_says_why(
    world: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, text: str
) -> None:
    assert run(["serve", "--index", str(world), *arguments]) == code
    assert text in capsys.readouterr().err


def test_a_connection_does_not_hold_back_the_end_of_an_answer_until_its_beginning_was_acknowledged() -> None:
    with listening("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
