"""``/c/bank/NAME/content`` and ``…/signal``: what stands on a bank."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request

from imgmatch.errors import NotFoundError, PhotoError
from imgmatch.model import PDQ, BankEntry, Opinion
from imgmatch.web.access import Caller, Reader, Writer
from imgmatch.web.hma.answers import (
    HmaAnswer,
    JsonObject,
    abort,
    as_hma_says,
    flag_of,
    json_object,
    note_of,
    read_json,
    shown,
    whole_number_of,
)
from imgmatch.web.hma.banks import bank_record
from imgmatch.web.hma.hashing import ContentType, Types
from imgmatch.web.hma.matching import pdq_signal
from imgmatch.web.hma.metadata import metadata_of, metadata_record
from imgmatch.web.hma.names import find_bank, own_bank
from imgmatch.web.hma.photos import Sent, linked_photo, pdq_of, posted_photo, refuse_other_signals
from imgmatch.web.hma.shapes import PHOTO_FORM, answers, json_form
from imgmatch.web.service import Service, service_of

router = APIRouter(prefix="/c/bank/{name}", tags=["Bank Content"])

_ON, _OFF = 1, 0
"""What HMA says in place of a time."""

_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
_LONGEST_MUTE = timedelta(days=5 * 365)
_MOST_DIGITS = 18


@router.get("/content/{number}", responses=answers(400, 404), operation_id="showContent")
def show(
    request: Request,
    caller: Reader,
    name: str,
    number: str,
    include_signals: str = "false",
    include_metadata: str = "true",
) -> HmaAnswer:
    """One entry."""
    del caller
    service = service_of(request)
    bank = find_bank(service.index.bank_lists, name)
    entry = _entry(service, bank.name, number)
    found = {**_record(entry), "bank": bank_record(bank)}
    if flag_of(include_signals, "include_signals") and entry.pdq is not None:
        found["signals"] = {PDQ: entry.pdq}
    if flag_of(include_metadata, "include_metadata") and entry.metadata:
        found["metadata"] = metadata_record(entry.metadata)
    if entry.note is not None:
        found["note"] = entry.note
    return HmaAnswer(found)


def _entry(service: Service, bank: str, number: str) -> BankEntry:
    """The entry of that number; one that is no number, or too long for one, is not there."""
    try:
        return service.index.bank_lists.entry(bank, _digits(number))
    except NotFoundError:
        abort(404, f"content {shown(number)} not found")


def _digits(number: str) -> int:
    """An entry's number as it stands in a path: 0, which none has, for what is none."""
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS else 0


def _record(entry: BankEntry) -> dict[str, Any]:
    return {"id": entry.entry, "disable_until_ts": _disabled_until(entry), "original_media_uri": entry.uri}


def _disabled_until(entry: BankEntry) -> int:
    """As HMA has it: 1 for what hits, 0 for what hits nothing until somebody says so, else the time it does again."""
    if entry.quarantined_at is not None or entry.opinion is Opinion.DISMISSED or entry.muted_until == _FOREVER:
        return _OFF
    return _ON if entry.muted_until is None else int(entry.muted_until.timestamp())


@router.post("/content", responses=answers(400, 403, 404, 413), openapi_extra=PHOTO_FORM, operation_id="addContent")
async def add(
    request: Request,
    caller: Writer,
    name: str,
    url: str | None = None,
    content_type: ContentType = None,
    types: Types = None,
) -> HmaAnswer:
    """Put a photo on a bank, from a form or a URL, so that crops of it are found, too; the photo itself is not kept."""
    service = service_of(request)
    bank = await anyio.to_thread.run_sync(own_bank, service.index.bank_lists, name)
    refuse_other_signals(types)
    if url:
        said = await json_object(request)
        filed = {"note": note_of(said.get("note")), "metadata": metadata_of(said.get("metadata"))}
        async with linked_photo(service, url, content_type) as sent:
            return await _added(service, caller, bank.name, sent, filed)
    async with posted_photo(request, service) as sent:
        filed = {"note": note_of(sent.fields.get("note")), "metadata": metadata_of(_form_metadata(sent))}
        return await _added(service, caller, bank.name, sent, filed)


def _form_metadata(sent: Sent) -> object:
    try:
        return read_json(sent.fields["metadata"]) if "metadata" in sent.fields else None
    except ValueError:
        abort(400, "metadata form field must be valid JSON")


async def _added(service: Service, caller: Caller, bank: str, sent: Sent, filed: dict[str, Any]) -> HmaAnswer:
    if not await pdq_of(service, sent):
        abort(400, "Invalid pdq signal: the photo has too little in it to be compared")

    def put() -> BankEntry:
        with as_hma_says():
            try:
                return service.index.bank_lists.add_photo(bank, sent.photo, by=caller.name, **filed)
            except PhotoError as error:
                abort(400, f"the photo cannot be used: {error}")

    return _answer(await anyio.to_thread.run_sync(put))


def _answer(entry: BankEntry) -> HmaAnswer:
    return HmaAnswer({"id": entry.entry, "signals": {} if entry.pdq is None else {PDQ: entry.pdq}})


@router.post(
    "/signal",
    responses=answers(400, 403, 404),
    openapi_extra=json_form({PDQ: "HASH", "note": "TEXT"}),
    operation_id="addSignal",
)
def add_signal(request: Request, caller: Writer, name: str, body: JsonObject) -> HmaAnswer:
    """Put a bare hash on a bank; one that stands there already is that entry."""
    lists = service_of(request).index.bank_lists
    bank = own_bank(lists, name)
    note = note_of(body.get("note"))
    signals = {kind: value for kind, value in body.items() if kind != "note"}
    if not signals:
        abort(400, "No signals given")
    for kind in signals:
        if kind != PDQ:
            abort(400, f"No such signal type {shown(kind)}")
    with as_hma_says():
        return _answer(lists.add_hash(bank.name, pdq_signal(signals[PDQ], PDQ), note=note, by=caller.name))


@router.put(
    "/content/{number}",
    responses=answers(400, 403, 404),
    openapi_extra=json_form({"disable_until_ts": 1, "note": "TEXT"}),
    operation_id="changeContent",
)
def change(request: Request, caller: Writer, name: str, number: str, body: JsonObject) -> HmaAnswer:
    """Have an entry hit nothing until a time, or give it another note."""
    service = service_of(request)
    lists = service.index.bank_lists
    bank = own_bank(lists, name)
    entry = _entry(service, bank.name, number)
    note = note_of(body.get("note"))
    with as_hma_says():
        if "disable_until_ts" in body:
            until = _muted_until(body["disable_until_ts"])
            entry = lists.mute(entry.bank, entry.entry, until, by=caller.name)
        if "note" in body:
            entry = lists.annotate(entry.bank, entry.entry, note, by=caller.name)
    found = {**_record(entry), "collab_metadata": {}, "bank": bank_record(bank)}
    metadata = metadata_record(entry.metadata) if entry.metadata else None
    return HmaAnswer({**found, "user_metadata": metadata, "note": entry.note})


def _muted_until(said: object) -> datetime | None:
    seconds = _ON if said is None else whole_number_of(said, "disable_until_ts")
    if seconds < 0:
        abort(400, "disable_until_ts must be a non-negative integer")
    if seconds > (datetime.now(UTC) + _LONGEST_MUTE).timestamp():
        abort(400, "disable_until_ts must be less than 5 years in the future")
    if seconds in {_ON, _OFF}:
        return None if seconds == _ON else _FOREVER
    return datetime.fromtimestamp(seconds, UTC)


@router.delete("/content/{number}", responses=answers(403, 404), operation_id="removeContent")
def remove(request: Request, caller: Writer, name: str, number: str) -> HmaAnswer:
    """Take an entry off a bank; one that is not there is no error."""
    service = service_of(request)
    bank = own_bank(service.index.bank_lists, name)
    try:
        with as_hma_says():
            service.index.bank_lists.remove(bank.name, _digits(number), by=caller.name)
    except NotFoundError:
        return HmaAnswer({"deleted": 0})
    return HmaAnswer({"deleted": 1})
