"""``/h``: the PDQ value of a photo."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from imgmatch.model import PDQ
from imgmatch.web.access import Asker, Caller
from imgmatch.web.hma.answers import HmaAnswer, abort
from imgmatch.web.hma.photos import Sent, asked_by, linked_photo, pdq_of, posted_photo, refuse_other_signals
from imgmatch.web.hma.shapes import PHOTO_FORM, answers
from imgmatch.web.service import Service, service_of

router = APIRouter(prefix="/h", tags=["Hashing"])

Types = Annotated[str | None, Query(description="Signal types, with commas between them.")]
ContentType = Annotated[str | None, Query()]


@router.get("/hash", responses=answers(400, 413, 429), operation_id="hashUrl")
async def hash_url(
    request: Request, caller: Asker, url: str | None = None, content_type: ContentType = None, types: Types = None
) -> HmaAnswer:
    """The PDQ value of the photo at a URL of an allowed host; empty where it has too little in it."""
    service = service_of(request)
    service.rate.count(caller.name)
    refuse_other_signals(types)
    if not url:
        abort(400, "url is required")
    async with linked_photo(service, url, content_type) as sent:
        return HmaAnswer({PDQ: await hashed(service, caller, sent)})


@router.post("/hash", responses=answers(400, 413, 429), openapi_extra=PHOTO_FORM, operation_id="hashPhoto")
async def hash_posted(request: Request, caller: Asker, types: Types = None) -> HmaAnswer:
    """Likewise, of a photo in a form, whose field is called ``photo``."""
    service = service_of(request)
    service.rate.count(caller.name)
    refuse_other_signals(types)
    async with posted_photo(request, service) as sent:
        return HmaAnswer({PDQ: await hashed(service, caller, sent)})


async def hashed(service: Service, caller: Caller, sent: Sent) -> str:
    """The PDQ value of a photo, which is remembered where that is on."""
    pdq = await pdq_of(service, sent)
    if pdq:
        service.hma.remembered.keep(asked_by(caller, pdq), sent.data)
    return pdq
