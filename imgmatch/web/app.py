"""The server: one index, its pages and its API."""

from __future__ import annotations

import logging
import threading
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from imgmatch import Index
from imgmatch.errors import ImgmatchError
from imgmatch.web import api, pages
from imgmatch.web.deliveries import Deliveries
from imgmatch.web.gate import Gate, Rate
from imgmatch.web.guards import Guards
from imgmatch.web.metrics import Metrics
from imgmatch.web.problems import handle_errors
from imgmatch.web.service import Service
from imgmatch.web.uploads import Uploads, default_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from imgmatch.web.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)

_SWEEP_SECONDS = 60.0
_SPARE_THREADS = 32
"""Beside those that check: a decision must not wait behind them."""


def create_app(settings: ServeSettings) -> FastAPI:
    """A server for the index that the settings name; the index is opened when it starts."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.most_waiting + _SPARE_THREADS
        with Index.open(settings.index_path, workers=settings.workers) as index:
            folder = Path(settings.uploads) if settings.uploads else default_folder(index.parts.header.catalog or "")
            uploads = Uploads(folder, settings.upload_hours)
            app.state.service = Service(
                index=index,
                settings=settings,
                uploads=uploads,
                gate=Gate(settings.most_waiting),
                rate=Rate(settings.checks_a_minute),
                drawing=CapacityLimiter(settings.workers + 1),
                metrics=metrics,
            )
            warming = threading.Thread(target=_warmed, args=(index,), name="imgmatch-warm-up")
            warming.start()
            over = threading.Event()
            sweeping = threading.Thread(target=_swept, args=(uploads, over), name="imgmatch-sweep", daemon=True)
            sweeping.start()
            with Deliveries(index, settings.webhook):
                yield
            over.set()
            sweeping.join()
            warming.join()

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
    app.mount("/static", pages.static_files(), name="static")
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's own manual does
    app.add_middleware(Guards, settings=settings, metrics=metrics)
    return app


def _swept(uploads: Uploads, over: threading.Event) -> None:
    """What was kept for too long goes, whether or not somebody asks."""
    while not over.wait(_SWEEP_SECONDS):
        try:
            uploads.sweep()
        except OSError as error:
            _LOGGER.warning("photos that were asked about could not be removed: %s", error)


def _warmed(index: Index) -> None:
    try:
        index.warm_up()
    except ImgmatchError as error:
        _LOGGER.warning("the server could not warm up: %s", error)


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
