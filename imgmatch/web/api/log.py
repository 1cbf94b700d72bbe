"""The log of what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from imgmatch.formats.records import audit_record, proof_record
from imgmatch.web.access import Admin
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import AuditLogShape, AuditProofShape
from imgmatch.web.service import service_of

router = APIRouter(prefix="/api/v1", tags=["audit"])


@router.get("/audit", response_model=AuditLogShape, responses=problems(422), operation_id="audit")
def audit(
    request: Request,
    caller: Admin,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=1 << 53, description="`next` of the part before.")] = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
) -> JSONResponse:
    """What was done, by whom and when, the latest first."""
    del caller
    found = service_of(request).index.people.audit(limit=limit, before=before, action=action)
    return JSONResponse(
        {
            "entries": [audit_record(one) for one in found],
            "next": found[-1].number if len(found) == limit else None,
        }
    )


@router.get("/audit/proof", response_model=AuditProofShape, responses=problems(422), operation_id="auditProof")
def proof(
    request: Request, caller: Admin, head: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None
) -> JSONResponse:
    """Whether the log is whole; with a digest that was noted earlier, that nothing was cut off since."""
    del caller
    return JSONResponse(proof_record(service_of(request).index.people.verify_audit(head)))
