"""``/m``: what a hash or a photo hits on banks."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request

from imgmatch.hashers.hexform import from_hex
from imgmatch.model import PDQ, PDQ_DISTANCE
from imgmatch.web.access import Asker, Reader
from imgmatch.web.hma.answers import HmaAnswer, JsonBody, abort, flag_of, shown
from imgmatch.web.hma.hashing import ContentType, Types
from imgmatch.web.hma.lookups import Lookup, found_by_bank, looked_up, raw_hits
from imgmatch.web.hma.names import asked_banks
from imgmatch.web.hma.photos import asked_by, linked_photo, pdq_of, posted_photo, refuse_other_signals
from imgmatch.web.hma.shapes import PHOTO_FORM, answers, json_form
from imgmatch.web.service import service_of

router = APIRouter(prefix="/m", tags=["Matching"])

Signal = Annotated[str | None, Query(description="64 hexadecimal digits.")]
Named = Annotated[str | None, Query(alias="banks", description="Only these banks, with commas between them.")]


@router.get("/lookup", responses=answers(400, 413, 429), operation_id="lookup")
async def lookup(  # noqa: PLR0913, PLR0917 -- each is a parameter of the query
    request: Request,
    caller: Asker,
    url: str | None = None,
    content_type: ContentType = None,
    types: Types = None,
    signal: Signal = None,
    signal_type: str | None = None,
    banks: Named = None,
) -> HmaAnswer:
    """What a hash, or the photo at a URL, hits, by bank; of a URL by type of signal first, unless one is named."""
    service = service_of(request)
    service.rate.count(caller.name)
    if not url:
        if not signal or not signal_type:
            abort(400, "Either url or both signal and signal_type are required")
        asked = Lookup(pdq_signal(signal, signal_type), asked_banks(banks))
        asked = asked.with_photo(service.hma.remembered.photo(asked_by(caller, asked.pdq)))
        with service.gate.passed(len(asked.photo or b"")):
            return HmaAnswer(found_by_bank(await anyio.to_thread.run_sync(looked_up, service, asked)))
    refuse_other_signals(types)
    async with linked_photo(service, url, content_type) as sent:
        asked = Lookup(await pdq_of(service, sent), asked_banks(banks))
        found = await anyio.to_thread.run_sync(
            looked_up, service, asked.with_photo(sent.data if service.hma.remembered.is_on else None)
        )
    by_type = {PDQ: found_by_bank(found)}
    return HmaAnswer(by_type if signal_type is None else by_type.get(signal_type, {}))


@router.post("/lookup", responses=answers(400, 413, 429), openapi_extra=PHOTO_FORM, operation_id="lookupPhoto")
async def lookup_posted(request: Request, caller: Asker, types: Types = None, banks: Named = None) -> HmaAnswer:
    """What a photo in a form hits, by type of signal and bank."""
    service = service_of(request)
    service.rate.count(caller.name)
    refuse_other_signals(types)
    async with posted_photo(request, service) as sent:
        asked = Lookup(await pdq_of(service, sent), asked_banks(banks))
        found = await anyio.to_thread.run_sync(
            looked_up, service, asked.with_photo(sent.data if service.hma.remembered.is_on else None)
        )
    return HmaAnswer({PDQ: found_by_bank(found)})


@router.get("/raw_lookup", responses=answers(400, 429), operation_id="rawLookup")
def raw_lookup(
    request: Request,
    caller: Asker,
    signal: Signal = None,
    signal_type: str | None = None,
    banks: Named = None,
    include_distance: str = "false",
) -> HmaAnswer:
    """The numbers of the entries that a hash hits."""
    service = service_of(request)
    service.rate.count(caller.name)
    with_distance = flag_of(include_distance, "include_distance")
    if not signal or not signal_type:
        abort(400, "signal and signal_type are required")
    asked = Lookup(pdq_signal(signal, signal_type), asked_banks(banks))
    with service.gate.passed():
        hits = raw_hits(service, asked)
    return HmaAnswer({"matches": [hit.record() if with_distance else hit.entry for hit in hits]})


@router.post(
    "/compare", responses=answers(400), openapi_extra=json_form({PDQ: ["HASH", "HASH"]}), operation_id="compareHashes"
)
def compare(caller: Asker, body: JsonBody) -> HmaAnswer:
    """How far two hashes are apart, and whether that makes them a match."""
    del caller
    if not isinstance(body, dict):
        abort(400, "Request input was not a dict")
    return HmaAnswer({kind: _compared(kind, hashes) for kind, hashes in body.items()})


def _compared(kind: str, hashes: object) -> list[Any]:
    if not isinstance(hashes, list):
        abort(400, f"Comparison hashes for {shown(kind)} was not a list")
    if len(hashes) != 2:  # noqa: PLR2004 -- two are compared
        abort(400, "Comparison hash list length must be exactly 2")
    one, other = (int(pdq_signal(text, kind), 16) for text in hashes)
    distance = (one ^ other).bit_count()
    return [distance <= PDQ_DISTANCE, {"distance": distance}]


@router.get("/index/status", responses=answers(400), operation_id="indexStatus")
def index_status(request: Request, caller: Reader, signal_type: str | None = None) -> HmaAnswer:
    """What lookups search, and up to when changes are in it: always up to now."""
    del caller
    if signal_type not in {None, PDQ}:
        abort(400, f"No such signal type {shown(signal_type)}")
    state = service_of(request).index.bank_lists.state()
    found = {"present": True, "built_to": int(state.built_at.timestamp()), "size": state.size}
    return HmaAnswer({PDQ: found})


def pdq_signal(signal: object, signal_type: str) -> str:
    """A hash that can be looked up, in small letters.

    Raises:
        HTTPException: it is of another type, or none.
    """
    if signal_type != PDQ:
        abort(400, f"No such SignalType {shown(signal_type)}")
    try:
        digits = signal.lower() if isinstance(signal, str) else ""
        from_hex(digits)
    except ValueError:
        abort(400, "invalid signal: invalid PDQ hash")
    return digits
