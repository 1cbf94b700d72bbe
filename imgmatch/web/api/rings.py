"""The queue of rings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from imgmatch.formats.records import queue_record, ring_record
from imgmatch.model import Change, QueueOrder, QueueState
from imgmatch.web.access import Reader
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import AnythingShape, RingQueueShape
from imgmatch.web.service import service_of

router = APIRouter(prefix="/api/v1", tags=["rings"])


@router.get("/rings", response_model=RingQueueShape, responses=problems(422), operation_id="rings")
def queue(  # noqa: PLR0913, PLR0917 -- each is a parameter of the URL
    request: Request,
    caller: Reader,
    state: QueueState = QueueState.WAITING,
    order: QueueOrder = QueueOrder.NEW,
    search: Annotated[str, Query(max_length=200)] = "",
    change: Change | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=2_000, description="`next` of the part before.")] = None,
) -> JSONResponse:
    """A part of the queue of rings that moderators decide on."""
    del caller
    found = service_of(request).index.queue(
        state=state, order=order, search=search, change=change, limit=limit, after=after
    )
    return JSONResponse(queue_record(found))


@router.get("/rings/{ring}", response_model=AnythingShape, responses=problems(404, 422), operation_id="ring")
def ring(request: Request, caller: Reader, ring: str) -> JSONResponse:
    """One ring, with all its photos and the evidence."""
    del caller
    return JSONResponse(ring_record(service_of(request).index.ring(ring)))
