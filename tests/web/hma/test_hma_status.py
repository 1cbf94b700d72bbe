from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hma_client import Hma, message
from older import back_to_version_7

from imgmatch.index import Index
from imgmatch.model import Scope
from imgmatch.web import working
from imgmatch.web.app import create_app
from imgmatch.web.settings import ServeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI


def test_a_server_says_that_it_is_alive_and_when_lookups_take_no_longer_than_others(hma: Hma) -> None:
    until = time.monotonic() + 60
    while hma.http.get("status").status_code == 503 and time.monotonic() < until:
        assert hma.http.get("status").text in {"INDEX-NOT-LOADED", "I-AM-ALIVE"}
        time.sleep(0.05)
    for path in ("/status", "//status/", "/status/live"):
        for method in ("GET", "HEAD"):
            answer = httpx.request(method, hma.served.url + path, timeout=60)  # without a token
            assert (answer.status_code, answer.text) == (200, "I-AM-ALIVE" if method == "GET" else "")


def test_an_index_that_was_removed_is_503_and_never_404(world: Path, tmp_path: Path) -> None:
    async def ask(app: FastAPI) -> None:
        async with lifespan(app) as http:
            shutil.move(world, tmp_path / "elsewhere")
            assert ((await http.get("/status")).status_code, (await http.get("/status")).text) == (503, "INDEX-STALE")
            assert (await http.get("/status/live")).status_code == 200
            for path in ("/c/bank/X", "/c/banks", f"/m/lookup?signal_type=pdq&signal={'0' * 64}"):
                answer = await http.get(path)
                assert answer.status_code == 503
                assert "removed" in message(answer)

    asyncio.run(ask(app_of(world, tmp_path)))


def app_of(index: Path, tmp_path: Path) -> FastAPI:
    return create_app(ServeSettings(index=str(index), uploads=str(tmp_path / "uploads")))


class lifespan:  # noqa: N801 -- used as a function
    """The application while it runs, asked from this machine."""

    def __init__(self, app: FastAPI) -> None:
        self._running = app.router.lifespan_context(app)
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, client=("127.0.0.1", 1)), base_url="http://127.0.0.1"
        )

    async def __aenter__(self) -> httpx.AsyncClient:
        await self._running.__aenter__()
        return self._http

    async def __aexit__(self, *error: Any) -> None:  # noqa: ANN401, PYI036 -- passed on
        await self._http.aclose()
        await self._running.__aexit__(*error)


def test_an_index_that_is_being_migrated_is_503_in_json_and_then_there(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes into an old catalog, so that its migration has to wait."""
    with Index.open(world) as index:
        token = index.people.add_token("coop", [Scope.READ]).secret
    back_to_version_7(world)
    monkeypatch.setattr(working, "PATIENCE_SECONDS", 0.1)

    async def ask(app: FastAPI, other: sqlite3.Connection) -> None:
        async with lifespan(app) as http:
            for path in (
                "/c/bank/X",
                f"/t/{token}//c/bank/X",
                "/h/hash?url=x",
                "/m/lookup",
                "/c/nope",
                "/openapi/openapi.json",
            ):
                answer = await http.get(path)
                assert answer.status_code == 503, path
                assert "still being opened" in message(answer)
                assert int(answer.headers["Retry-After"]) > 0
            for path in ("/readyz", "/rings", "/api/v1/status"):
                assert (await http.get(path)).status_code == 503
                assert (await http.get(path)).headers["content-type"] == "application/problem+json"
            assert ((await http.get("/status")).status_code, (await http.get("/status")).text) == (
                503,
                "INDEX-NOT-LOADED",
            )
            assert (await http.get("/status/live")).text == "I-AM-ALIVE"
            assert (await http.get("/healthz")).status_code == 200
            other.rollback()
            for _ in range(1_200):
                if (await http.get("/readyz")).status_code == 200:
                    break
                await asyncio.sleep(0.05)
            answer = await http.get("/c/bank/X")
            assert (answer.status_code, message(answer)) == (404, "bank 'X' not found")

    with closing(sqlite3.connect(world / "catalog.sqlite3", check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(ask(app_of(world, tmp_path), other))


def test_an_index_that_cannot_be_opened_ends_the_server_at_once(tmp_path: Path) -> None:
    async def ask(app: FastAPI) -> None:
        async with lifespan(app):
            pass

    with pytest.raises(Exception, match=r"nothing|no index"):
        asyncio.run(ask(app_of(tmp_path / "nowhere", tmp_path)))


def test_an_index_that_cannot_be_opened_after_a_while_is_503_and_in_the_log(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    back_to_version_7(world)
    monkeypatch.setattr(working, "PATIENCE_SECONDS", 0.1)

    async def ask(app: FastAPI, other: sqlite3.Connection) -> None:
        async with lifespan(app) as http:
            other.execute("DROP TABLE photos")
            other.commit()
            for _ in range(1_200):
                if "cannot be used" in caplog.text:
                    break
                await asyncio.sleep(0.05)
            assert (await http.get("/readyz")).status_code == 503
            assert "still being opened" in message(await http.get("/c/bank/X"))

    with closing(sqlite3.connect(world / "catalog.sqlite3", check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.run(ask(app_of(world, tmp_path), other))
    assert "the index cannot be used" in caplog.text


def test_the_routes_and_what_they_take_are_described(hma: Hma) -> None:
    described = httpx.get(f"{hma.served.url}/openapi/openapi.json", timeout=60).json()
    assert described["openapi"].startswith("3.")
    routes = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    assert routes >= {
        "GET /h/hash",
        "POST /h/hash",
        "GET /m/lookup",
        "POST /m/lookup",
        "GET /m/raw_lookup",
        "POST /m/compare",
        "GET /m/index/status",
        "GET /c/banks",
        "POST /c/banks",
        "GET /c/bank/{name}",
        "PUT /c/bank/{name}",
        "DELETE /c/bank/{name}",
        "POST /c/bank/{name}/content",
        "POST /c/bank/{name}/signal",
        "GET /c/bank/{name}/content/{number}",
        "PUT /c/bank/{name}/content/{number}",
        "DELETE /c/bank/{name}/content/{number}",
        "GET /c/signal_type",
        "GET /c/content_type",
        "GET /c/exchanges",
        "POST /c/exchanges",
    }
    site_map = hma.http.get("site-map").json()
    assert site_map == sorted(site_map)
    assert set(site_map) == {*described["paths"], "/status", "/status/live"}
    with hma.served.client() as http:
        ours = http.get("/api/v1/openapi.json").json()["paths"]
    assert not [path for path in ours if path.startswith(("/h/", "/m/", "/c/", "/t"))]


def test_types_of_signals_and_contents_are_pdq_and_photos(hma: Hma) -> None:
    assert hma.http.get("c/signal_type").json() == [{"name": "pdq", "enabled_ratio": 1.0}]
    assert hma.http.get("c/content_type").json() == [{"name": "photo", "enabled": True}]
    index = hma.http.get("c/signal_type/index", params={"signal_type": "pdq"}).json()["pdq"]
    assert set(index) == {"db_size", "index_size", "index_out_of_date", "newest_db_item", "index_built_to"}
    assert index["index_out_of_date"] is False
    assert hma.http.get("c/signal_type/index", params={"signal_type": "md5"}).status_code == 400
    assert hma.http.put("c/signal_type/pdq", json={"enabled_ratio": 0}).status_code == 403


def test_methods_and_paths_that_are_none_are_told_in_json(hma: Hma) -> None:
    for method, path, status in (
        ("PATCH", "c/banks", 405),
        ("DELETE", "h/hash", 405),
        ("GET", "m/compare", 405),
        ("GET", "c/nope", 404),
        ("GET", "h", 404),
        ("GET", "openapi/swagger", 404),
        ("GET", "m/lookup/more", 404),
    ):
        answer = hma.http.request(method, path, headers={"Accept": "text/html"})
        assert answer.status_code == status, path
        message(answer)
