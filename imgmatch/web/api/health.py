"""For whoever keeps the server running."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from imgmatch.web.access import Reader
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import HealthShape
from imgmatch.web.service import service_of

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=HealthShape, operation_id="alive")
def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=HealthShape, responses=problems(), operation_id="ready")
def ready(request: Request) -> JSONResponse:
    """The index can be read."""
    service_of(request).index.ensure_there()
    service_of(request).index.counts()
    return JSONResponse({"status": "ok"})


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, caller: Reader) -> Response:
    """What Prometheus reads; of several server processes that of the one that answers."""
    del caller
    service = service_of(request)
    return Response(service.metrics.text(service.index, service.gate.inside), media_type="text/plain; version=0.0.4")
