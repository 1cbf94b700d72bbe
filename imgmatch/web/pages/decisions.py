"""What was decided, to be looked through and taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from imgmatch.formats.records import decision_record
from imgmatch.formats.text import as_csv
from imgmatch.web.access import Admin, Reader
from imgmatch.web.pages.base import render
from imgmatch.web.service import service_of

router = APIRouter()

_ON_A_PAGE = 50
_COLUMNS = ("decision", "decided_at", "verdict", "kind", "subject", "photos", "by", "reason", "undone_by")


@router.get("/decisions")
def decisions(
    request: Request,
    caller: Reader,
    before: Annotated[int | None, Query(ge=1, le=1 << 53)] = None,
    by: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """The latest first."""
    found = service_of(request).index.decisions(limit=_ON_A_PAGE, before=before, by=by or None)
    return render(
        request,
        "decisions",
        caller,
        decisions=found,
        by=by or "",
        more=found[-1].number if len(found) == _ON_A_PAGE else None,
    )


@router.post("/decisions/export")
def export(request: Request, caller: Admin) -> Response:
    """All of them, for a spreadsheet. It is noted in the log."""
    service = service_of(request)
    service.index.people.note(caller.name, "export", "decisions")
    found = service.index.decisions(limit=1 << 31)
    text = "".join(as_csv(map(decision_record, found), _COLUMNS))
    return Response(
        text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="decisions.csv"'}
    )
