from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from hma_client import Hma, message
from serving import picture

from imgmatch.model import Scope
from imgmatch.web.paths import HmaPaths, is_hma, path_token

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

HASH = "ab" * 32


def test_a_token_is_sent_or_stands_in_the_path(hma: Hma) -> None:
    with hma.served.client(hma.token) as http:
        assert http.get("/c/banks").status_code == 200
    sent = {"Authorization": f"Bearer {hma.token}"}
    assert httpx.get(f"{hma.served.url}//c//banks/", headers=sent, timeout=60).status_code == 200
    for path in (f"/t/{hma.token}/c/banks", f"//t//{hma.token}///c/banks//", f"/t/%69mgmatch_{hma.token[9:]}/c/banks"):
        assert httpx.get(hma.served.url + path, timeout=60).status_code == 200, path


@pytest.mark.parametrize(
    "prefix", ["", "/t/imgmatch_unknown", "/t//", "/t/%00", "/t/%F0%9F%98%80", "/t/" + "x" * 5_000]
)
def test_who_has_no_token_that_is_known_is_401_in_json(hma: Hma, prefix: str) -> None:
    for method, path in (
        ("GET", "/c/banks"),
        ("GET", "/c/bank/X"),
        ("POST", "/c/banks"),
        ("GET", "/h/hash?url=x"),
        ("POST", "/h/hash"),
        ("GET", f"/m/lookup?signal_type=pdq&signal={HASH}"),
        ("GET", "/m/index/status"),
        ("POST", "/m/compare"),
        ("GET", "/c/exchanges"),
    ):
        files = {"photo": ("a.jpg", picture(1))} if (method, path) == ("POST", "/h/hash") else None
        answer = httpx.request(method, hma.served.url + prefix + path, files=files, timeout=60)
        assert answer.status_code in {400, 401} if prefix == "/t//" else answer.status_code == 401, path
        message(answer)


def test_a_token_may_do_what_its_scopes_say_wherever_it_stands(hma: Hma) -> None:
    asked = {
        Scope.CHECK: [("POST", "h/hash"), ("GET", "m/lookup"), ("GET", "m/raw_lookup"), ("POST", "m/compare")],
        Scope.READ: [("GET", "c/banks"), ("GET", "c/bank/X"), ("GET", "m/index/status"), ("GET", "c/exchanges/apis")],
        Scope.WRITE: [
            ("POST", "c/banks"),
            ("PUT", "c/bank/X"),
            ("DELETE", "c/bank/X"),
            ("POST", "c/bank/X/signal"),
            ("POST", "c/bank/X/content"),
            ("DELETE", "c/bank/X/content/1"),
            ("POST", "c/exchanges"),
        ],
    }
    for scope in asked:
        secret = hma.index.people.add_token(f"only {scope}", [scope]).secret
        with httpx.Client(base_url=f"{hma.served.url}/t/{secret}/", timeout=60) as http:
            for other, requests in asked.items():
                for method, path in requests:
                    answer = http.request(method, path)
                    assert (answer.status_code == 403) == (other is not scope), (scope, method, path)
                    assert other is scope or f"scope {other}" in message(answer)


@pytest.mark.parametrize(
    "path",
    ["api/v1/status", "rings", "login", "static/app.css", "healthz", "metrics", "", "t/x/c/banks", "c", "cx/banks"],
)
def test_a_token_in_a_path_is_for_routes_of_hma_alone(hma: Hma, path: str) -> None:
    for method in ("GET", "POST"):
        answer = hma.http.request(method, path, headers={"Accept": "text/html"}, follow_redirects=False)
        assert answer.status_code in {400, 404}
        message(answer)


def test_a_token_that_was_revoked_is_401(hma: Hma) -> None:
    secret = hma.index.people.add_token("soon gone", [Scope.READ]).secret
    hma.index.people.remove_token("soon gone")
    assert httpx.get(f"{hma.served.url}/t/{secret}/c/banks", timeout=60).status_code == 401


def test_a_token_in_a_path_is_in_no_log_and_no_answer(hma: Hma, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in (
        "c/banks",
        "c/nope",
        "rings",
        "h/hash?url=nothing",
        "m/lookup?signal_type=pdq&signal=x",
        "",
        "c/banks//",
    ):
        for method in ("GET", "POST", "PATCH"):
            answer = hma.http.request(method, path)
            assert hma.token not in answer.text
            assert hma.token not in str(answer.headers)
    assert any(record.name == "imgmatch.web" for record in caplog.records)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]  # who asks
    assert not [record for record in ours if hma.token in record.getMessage() + str(record.__dict__)]


@pytest.mark.parametrize(
    ("path", "left", "token"),
    [
        ("/t/secret/c/banks", "/c/banks", "secret"),
        ("/t/secret//c//banks/", "/c/banks", "secret"),
        ("/t/secret", "/t", "secret"),
        ("/t/secret/rings", "/t", "secret"),
        ("/t", "/t", ""),
        ("//h/hash", "/h/hash", None),
        ("/c/bank/A B", "/c/bank/A B", None),
        ("/status/", "/status", None),
    ],
)
def test_who_runs_the_server_sees_no_token_in_the_path_either(path: str, left: str, token: str | None) -> None:
    """Such as the log of uvicorn, which is written from the scope that it has given us."""
    scope: AsgiScope = {"type": "http", "path": path, "raw_path": path.encode()}
    passed(scope)
    assert (scope["path"], path_token(scope), is_hma(scope)) == (left, token, True)
    assert b"secret" not in scope["raw_path"]


@pytest.mark.parametrize(
    "path", ["/", "//rings", "/th/x", "/cx", "/hash", "/statuses", "/site-map/x", "/api/v1//status"]
)
def test_other_paths_are_left_as_they_are(path: str) -> None:
    scope: AsgiScope = {"type": "http", "path": path, "raw_path": path.encode()}
    passed(scope)
    assert scope == {"type": "http", "path": path, "raw_path": path.encode()}


def passed(scope: AsgiScope) -> None:
    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        del scope, receive, send

    async def nothing() -> dict[str, object]:
        return {}

    async def nowhere(_: object) -> None: ...

    asyncio.run(HmaPaths(app)(scope, nothing, nowhere))
