"""The queue of rings that wait for a decision."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from imgmatch.errors import NotFoundError
from imgmatch.model import Change, QueueOrder, QueueState
from imgmatch.web.access import Decider, Reader
from imgmatch.web.pages.base import render
from imgmatch.web.service import service_of

router = APIRouter()

_ON_A_PAGE = 50


@router.get("/rings")
def queue(
    request: Request,
    caller: Reader,
    state: QueueState = QueueState.WAITING,
    order: QueueOrder = QueueOrder.NEW,
    search: Annotated[str, Query(max_length=200)] = "",
    change: str = "",
    after: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """A part of it."""
    wanted = Change(change) if change else None
    service = service_of(request)
    found = service.index.queue(state=state, order=order, search=search, change=wanted, limit=_ON_A_PAGE, after=after)
    kept = {"state": str(state), "order": str(order), "search": search, "change": change}
    oldest = found.oldest_waiting
    return render(
        request,
        "queue",
        caller,
        queue=found,
        skipped=service.index.reviews.skipped(caller.name),
        none_left="none" in request.query_params,
        open_by={name: review.reviewer for name, review in service.index.reviews.who_reviews().items()},
        kept=kept,
        more=None if found.next is None else "/rings?" + urlencode(kept | {"after": found.next}),
        is_first=after is None,
        orders=[str(one) for one in QueueOrder],
        states=[str(one) for one in QueueState],
        changes=[str(one) for one in Change if one is not Change.GONE],
        oldest_days=None if oldest is None else max((datetime.now(UTC) - oldest).days, 0),
    )


@router.get("/rings/next")
def next_ring(request: Request, caller: Reader, order: QueueOrder = QueueOrder.NEW, without: str | None = None) -> Any:  # noqa: ANN401 -- a record, or a redirection
    """The ring to look at next: nobody else has it open."""
    found = service_of(request).index.reviews.next_ring(caller.name, order=order, without=without)
    if "application/json" in request.headers.get("accept", ""):
        return {"url": None if found is None else f"/rings/{found}"}
    return RedirectResponse("/rings?none=1" if found is None else f"/rings/{found}", 303)


@router.get("/rings/of")
def ring_of(
    request: Request,
    caller: Reader,
    group: Annotated[list[str], Query(max_length=500)],
    was: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The ring that groups tie now, which may go by another id after a decision; else the queue."""
    del caller
    index = service_of(request).index
    with contextlib.suppress(NotFoundError):
        return RedirectResponse(f"/rings/{index.ring(was).ring}", 303)
    found = index.reviews.ring_of_groups(group)
    return RedirectResponse("/rings" if found is None else f"/rings/{found}", 303)


@router.post("/rings/take-up")
def take_up(request: Request, caller: Decider, ring: Annotated[str | None, Query(max_length=100)] = None) -> Response:
    """What I have put aside I take up again: one ring, or all."""
    service_of(request).index.reviews.take_up(caller.name, ring)
    return Response(status_code=204)
