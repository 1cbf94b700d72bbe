"""``/status`` and what else an HMA client may ask of the server itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse

from imgmatch.errors import ImgmatchError
from imgmatch.model import PDQ
from imgmatch.web.access import Reader, Writer
from imgmatch.web.hma.answers import HmaAnswer, abort, shown
from imgmatch.web.hma.photos import PHOTO
from imgmatch.web.hma.shapes import answers
from imgmatch.web.paths import NOWHERE
from imgmatch.web.service import Service, service_of

router = APIRouter()

ALIVE, NOT_LOADED, STALE = "I-AM-ALIVE", "INDEX-NOT-LOADED", "INDEX-STALE"


@router.api_route("/status", methods=["GET", "HEAD"], tags=["Core"], include_in_schema=False)
def status(request: Request) -> PlainTextResponse:
    """Whether lookups can be answered at once."""
    if not hasattr(request.app.state, "service"):
        return PlainTextResponse(NOT_LOADED, 503)
    service = service_of(request)
    try:
        service.index.ensure_there()
    except ImgmatchError:
        return PlainTextResponse(STALE, 503)
    return PlainTextResponse(ALIVE) if service.hma.loaded.is_set() else PlainTextResponse(NOT_LOADED, 503)


@router.api_route("/status/live", methods=["GET", "HEAD"], tags=["Core"], include_in_schema=False)
def live() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse(ALIVE)


@router.api_route(NOWHERE, methods=["GET", "HEAD", "POST", "PUT", "DELETE"], include_in_schema=False)
def nowhere() -> HmaAnswer:
    """What has a token in its path and is no route of HMA: not 404, by which clients take a bank for gone."""
    abort(400, "this is no route of HMA: what stands before it is /t/TOKEN and nothing else")


@router.get("/site-map", tags=["Core"], operation_id="siteMap")
def site_map(request: Request) -> HmaAnswer:
    """The paths there are."""
    return HmaAnswer(sorted(_description(request)["paths"].keys() | {"/status", "/status/live"}))


@router.get("/openapi/openapi.json", tags=["Core"], operation_id="openApi")
def openapi(request: Request) -> HmaAnswer:
    """What the routes take and answer."""
    return HmaAnswer(_description(request))


def _description(request: Request) -> dict[str, Any]:
    from imgmatch.web.hma.routes import router as all_routes  # noqa: PLC0415 -- this is one of them

    found = get_openapi(
        title="imgmatch: the routes of HMA",
        version=request.app.version,
        description="As HMA 1.1.7 has them; docs/hma.md says where this differs. Errors are JSON with a message.",
        routes=all_routes.routes,
    )
    found.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"token": []}, {}]
    return found


@router.get("/c/signal_type", tags=["Configuration"], responses=answers(), operation_id="listSignalTypes")
def signal_types(caller: Reader) -> HmaAnswer:
    """PDQ is all there is."""
    del caller
    return HmaAnswer([{"name": PDQ, "enabled_ratio": 1.0}])


@router.get("/c/signal_type/index", tags=["Configuration"], responses=answers(400), operation_id="signalTypeIndex")
def signal_type_index(request: Request, caller: Reader, signal_type: str | None = None) -> HmaAnswer:
    """What lookups search, which is all there is on banks."""
    del caller
    if signal_type not in {None, PDQ}:
        abort(400, f"No such signal type {shown(signal_type)}")
    return HmaAnswer({PDQ: _index(service_of(request))})


def _index(service: Service) -> dict[str, Any]:
    state = service.index.bank_lists.state()
    at = int(state.built_at.timestamp())
    return {
        "db_size": state.size,
        "index_size": state.size,
        "index_out_of_date": False,
        "newest_db_item": at,
        "index_built_to": at,
    }


@router.put("/c/signal_type/{name}", tags=["Configuration"], responses=answers(403), operation_id="changeSignalType")
def change_signal_type(caller: Writer, name: str) -> HmaAnswer:
    """PDQ is there for every photo."""
    del caller
    abort(403, f"signal type {shown(name)}: pdq is all there is, and is always on")


@router.get("/c/content_type", tags=["Configuration"], responses=answers(), operation_id="listContentTypes")
def content_types(caller: Reader) -> HmaAnswer:
    """Photos are all there is."""
    del caller
    return HmaAnswer([{"name": PHOTO, "enabled": True}])
