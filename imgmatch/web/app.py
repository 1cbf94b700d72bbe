"""The server: one index, its pages and its API."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from imgmatch.web import api, pages
from imgmatch.web.guards import Guards
from imgmatch.web.hma.routes import router as hma_router
from imgmatch.web.metrics import Metrics
from imgmatch.web.paths import HmaPaths
from imgmatch.web.problems import handle_errors
from imgmatch.web.service import Service
from imgmatch.web.working import Working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from imgmatch.web.settings import ServeSettings

_SPARE_THREADS = 32
"""Beside those that check: a decision must not wait behind them."""


def create_app(settings: ServeSettings) -> FastAPI:
    """A server for the index that the settings name; the index is opened when it starts."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.most_waiting + _SPARE_THREADS
        working = Working(settings, metrics, CapacityLimiter(settings.workers + 1), partial(_begin, app)).start()
        try:
            await anyio.to_thread.run_sync(working.wait)
            yield
        finally:
            if (service := getattr(app.state, "service", None)) is not None:
                await service.hma.fetcher.close()
            await anyio.to_thread.run_sync(working.end)

    app = FastAPI(
        title="imgmatch",
        version=version("imgmatch"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    handle_errors(app)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.include_router(hma_router, include_in_schema=False)
    app.mount("/static", pages.static_files(), name="static")
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's own manual does
    app.add_middleware(Guards, settings=settings, metrics=metrics)
    app.add_middleware(HmaPaths)  # the first of all: no other is to see a token in a path
    return app


def _begin(app: FastAPI, service: Service) -> None:
    app.state.service = service


def _described(app: FastAPI) -> dict[str, object]:
    """The API, with how a program says who it is; pages are no part of it."""
    if app.openapi_schema is None:
        found = get_openapi(
            title="imgmatch",
            version=app.version,
            summary="Which accounts share a profile photo.",
            description="Errors are problems as RFC 9457 has them. Times are in UTC.",
            routes=app.routes,
        )
        found.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}, {}]
        app.openapi_schema = found
    return app.openapi_schema
