"""``/c/banks`` and ``/c/bank/NAME``: banks are made, changed, and removed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from imgmatch.errors import NotFoundError
from imgmatch.model import Bank, Purpose
from imgmatch.web.access import Reader, Writer
from imgmatch.web.hma.answers import HmaAnswer, JsonObject, abort, as_hma_says, flag_of, ratio_of
from imgmatch.web.hma.names import find_bank, hma_name, is_taken, own_bank, refuse_bad_name
from imgmatch.web.hma.shapes import answers, json_form
from imgmatch.web.service import service_of

router = APIRouter(prefix="/c", tags=["Banks"])

OWNER = "hma"
"""Whose banks are that HMA clients make."""

_BANK = {"name": "CAPS_AND_UNDERSCORES", "enabled_ratio": 1.0}


def bank_record(bank: Bank) -> dict[str, Any]:
    """A bank as HMA writes it: one that takes no part has a share of nothing."""
    return {"name": hma_name(bank.name), "matching_enabled_ratio": float(bank.ratio) if bank.enabled else 0.0}


@router.get("/banks", responses=answers(), operation_id="listBanks")
def list_banks(request: Request, caller: Reader) -> HmaAnswer:
    """Every bank."""
    del caller
    return HmaAnswer([bank_record(bank) for bank in service_of(request).index.bank_lists.all()])


@router.get("/bank/{name}", responses=answers(404), operation_id="showBank")
def show(request: Request, caller: Reader, name: str) -> HmaAnswer:
    """One bank."""
    del caller
    return HmaAnswer(bank_record(find_bank(service_of(request).index.bank_lists, name)))


@router.post(
    "/banks", status_code=201, responses=answers(400, 403), openapi_extra=json_form(_BANK), operation_id="makeBank"
)
def make(request: Request, caller: Writer, body: JsonObject) -> HmaAnswer:
    """Make a bank, which only flags."""
    made = make_bank(request, body.get("name"), caller.name, ratio=_ratio_said(body, 1.0) or 0.0)
    return HmaAnswer(bank_record(made), 201)


def make_bank(request: Request, name: object, by: str, *, owner: str = OWNER, ratio: float = 1.0) -> Bank:
    """Make a bank for an HMA client.

    Raises:
        HTTPException: its name cannot be one, or another bank goes by it.
    """
    lists, wanted = service_of(request).index.bank_lists, refuse_bad_name(name)
    if is_taken(lists.all(), wanted):
        abort(403, "Bank already exists")
    with as_hma_says():
        return lists.create(wanted, purpose=Purpose.PARTNER, owner=owner, ratio=ratio, by=by)


def _ratio_said(body: dict[str, Any], otherwise: float | None) -> float | None:
    """The share of traffic that a client asks for, in one of two ways."""
    if body.get("enabled_ratio") is not None:
        return ratio_of(body["enabled_ratio"])
    if body.get("enabled") is not None:
        return 1.0 if flag_of(body["enabled"], "enabled") else 0.0
    return otherwise


@router.put("/bank/{name}", responses=answers(400, 403, 404), openapi_extra=json_form(_BANK), operation_id="changeBank")
def change(request: Request, caller: Writer, name: str, body: JsonObject) -> HmaAnswer:
    """Give a bank another name or another share of traffic."""
    lists = service_of(request).index.bank_lists
    bank = own_bank(lists, name)
    changes: dict[str, Any] = {}
    ratio = _ratio_said(body, None)
    if ratio is not None:
        changes |= {"ratio": ratio, "enabled": True}
    if body.get("name") is not None and body["name"] != name:
        wanted = refuse_bad_name(body["name"])
        if is_taken(lists.all(), wanted):
            abort(403, "Bank name already exists")
        changes["new_name"] = wanted
    with as_hma_says():
        return HmaAnswer(bank_record(lists.update(bank.name, by=caller.name, **changes) if changes else bank))


@router.delete("/bank/{name}", responses=answers(403), operation_id="removeBank")
def remove(request: Request, caller: Writer, name: str) -> HmaAnswer:
    """Remove a bank and all that stands on it; one that is not there is no error."""
    lists = service_of(request).index.bank_lists
    try:
        with as_hma_says():
            if any(hma_name(bank.name) == name for bank in lists.all()):
                lists.delete(own_bank(lists, name).name, by=caller.name)
    except NotFoundError:  # somebody else was faster
        pass
    return HmaAnswer({"message": "Done"})
