"""For leads: how much each moderator decides, how often that is overturned, and a sample for a second look."""

from __future__ import annotations

import random
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from imgmatch.model import DecisionKind, Verdict
from imgmatch.web.access import Admin
from imgmatch.web.pages.base import render
from imgmatch.web.service import service_of

router = APIRouter()

_OF_THE_LATEST = 1_000
_SAMPLED = 10


@router.get("/figures")
def figures(request: Request, caller: Admin, seed: Annotated[int | None, Query(ge=0, le=1 << 31)] = None) -> Response:
    """Another ``seed`` gives another sample; one of them is always the same, so that two may look at it."""
    index = service_of(request).index
    latest = index.decisions(limit=_OF_THE_LATEST)
    rings = [one for one in latest if one.kind is DecisionKind.RING and one.undone_by is None and one.subject]
    chosen = random.randrange(1 << 16) if seed is None else seed  # noqa: S311 -- a sample, no secret
    sample = random.Random(chosen).sample(rings, min(_SAMPLED, len(rings)))  # noqa: S311 -- likewise
    return render(
        request,
        "figures",
        caller,
        figures=index.reviews.moderator_figures(),
        sample=sorted(sample, key=lambda one: -one.number),
        seed=chosen,
        undone=sum(one.verdict is Verdict.UNDO for one in latest),
        proof=index.people.verify_audit(),
    )
