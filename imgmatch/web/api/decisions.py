"""Decisions, and taking them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from imgmatch.errors import ConflictError
from imgmatch.formats.records import decision_record
from imgmatch.model import Verdict
from imgmatch.web.access import Decider, Reader
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import DecisionQuery, DecisionShape, DecisionsShape, DecisionViewShape, UndoQuery
from imgmatch.web.service import service_of

router = APIRouter(prefix="/api/v1", tags=["decisions"])

Number = Annotated[int, Path(ge=1, le=1 << 53)]


@router.post(
    "/decisions",
    response_model=DecisionShape,
    status_code=201,
    responses=problems(404, 409, 422),
    operation_id="decide",
)
def decide(request: Request, caller: Decider, query: DecisionQuery) -> JSONResponse:
    """Decide on a ring, a group or a pair of photos; what was decided last counts.

    ``expect`` is the ``version`` of the ring as it was shown: one that has changed since is not decided on.
    """
    service = service_of(request)
    if query.verdict in service.settings.require_reason and not (query.reason or "").strip():
        raise ConflictError(f"to {query.verdict} takes a reason here")
    made = service.index.decide(
        Verdict(query.verdict),
        by=caller.name,
        ring=query.ring,
        group=query.group,
        pair=query.pair,
        reason=query.reason or None,
        expect=query.expect,
    )
    return JSONResponse(decision_record(made), 201)


@router.post(
    "/decisions/{number}/undo",
    response_model=DecisionShape,
    status_code=201,
    responses=problems(404, 409, 422),
    operation_id="undo",
)
def undo(request: Request, caller: Decider, number: Number, query: UndoQuery | None = None) -> JSONResponse:
    """Take a decision back, by one more: what was decided before it counts again."""
    reason = None if query is None else query.reason
    return JSONResponse(decision_record(service_of(request).index.undo(number, by=caller.name, reason=reason)), 201)


@router.get("/decisions", response_model=DecisionsShape, responses=problems(422), operation_id="decisions")
def decisions(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=1 << 53, description="`next` of the part before.")] = None,
    by: Annotated[str | None, Query(max_length=100)] = None,
) -> JSONResponse:
    """What was decided, the latest first."""
    del caller
    found = service_of(request).index.decisions(limit=limit, before=before, by=by)
    return JSONResponse(
        {
            "decisions": [decision_record(one) for one in found],
            "next": found[-1].number if len(found) == limit else None,
        }
    )


@router.get(
    "/decisions/{number}", response_model=DecisionViewShape, responses=problems(404, 422), operation_id="decision"
)
def decision(request: Request, caller: Reader, number: Number) -> JSONResponse:
    """One decision, and the accounts it is about."""
    del caller
    found, accounts = service_of(request).index.reviews.decision(number)
    return JSONResponse({**decision_record(found), "accounts": list(accounts)})
