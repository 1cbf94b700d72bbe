"""``/c/exchanges`` and ``/c/exchange/NAME``: lists of others, which imgmatch takes by ``imgmatch bank import`` alone.

That is the one API there is, so that a client can make a bank for such a list, and sees which banks hold one. This
server fetches nothing from anybody, and keeps no credentials.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from imgmatch.model import Bank
from imgmatch.web.access import Reader, Writer
from imgmatch.web.hma.answers import HmaAnswer, JsonObject, abort, flag_of, shown
from imgmatch.web.hma.banks import OWNER, make_bank
from imgmatch.web.hma.names import find_bank, hma_name, own_bank
from imgmatch.web.hma.shapes import answers, json_form
from imgmatch.web.service import service_of

router = APIRouter(prefix="/c", tags=["Exchanges"])

API = "imgmatch_import"
"""What exchanges of HMA are of here."""

_HOW = "imgmatch fetches from nobody: lists are brought by `imgmatch bank import`"


@router.get("/exchanges/apis", responses=answers(), operation_id="listApis")
def list_apis(caller: Reader) -> HmaAnswer:
    """What exchanges can be of."""
    del caller
    return HmaAnswer([API])


@router.get("/exchanges/api/{api}", responses=answers(400), operation_id="showApi")
def show_api(caller: Reader, api: str) -> HmaAnswer:
    """Whether it takes credentials, and has any: no."""
    del caller
    return _api(api)


@router.get("/exchanges/api/{api}/schema", responses=answers(404), operation_id="showApiSchema")
def show_schema(caller: Reader, api: str) -> HmaAnswer:
    """What an exchange of it takes: nothing."""
    del caller
    if api != API:
        abort(404, f"Exchange API {shown(api)} not found: {_HOW}")
    return HmaAnswer({"config_schema": {"fields": []}, "credentials_schema": None})


@router.post(
    "/exchanges/api/{api}",
    responses=answers(400),
    openapi_extra=json_form({"credential_json": {}}),
    operation_id="setApi",
)
def set_api(caller: Writer, api: str, body: JsonObject) -> HmaAnswer:
    """Credentials are not taken: there is nobody to send them to."""
    del caller
    answer = _api(api)
    if body.get("credential_json"):
        abort(400, f"credentials are not kept: {_HOW}")
    return answer


def _api(api: str) -> HmaAnswer:
    if api != API:
        abort(400, f"no such Exchange API {shown(api)}: {_HOW}")
    return HmaAnswer({"supports_authentification": False, "has_set_authentification": False})


@router.get("/exchanges", responses=answers(), operation_id="listExchanges")
def list_exchanges(request: Request, caller: Reader) -> HmaAnswer:
    """The names of banks that hold a list, or wait for one."""
    del caller
    return HmaAnswer([hma_name(bank.name) for bank in service_of(request).index.bank_lists.all() if _is_list(bank)])


@router.post(
    "/exchanges",
    status_code=201,
    responses=answers(400, 403),
    openapi_extra=json_form({"bank": "CAPS_AND_UNDERSCORES", "api": API, "api_json": {}}),
    operation_id="makeExchange",
)
def make(request: Request, caller: Writer, body: JsonObject) -> HmaAnswer:
    """Make a bank for a list that ``imgmatch bank import`` is to bring."""
    if body.get("bank") is None:
        abort(400, "bank is required")
    if not isinstance(body.get("api_json", {}), dict):
        abort(400, "Field `api_json` must be object")
    if body.get("api") != API:
        abort(400, f"No such exchange type {shown(body.get('api'))}: {_HOW}, which is {API!r} here")
    make_bank(request, body["bank"], caller.name, owner=API)
    return HmaAnswer({"message": "Created successfully"}, 201)


def _is_list(bank: Bank) -> bool:
    return bank.owner == API or bank.checkpoint is not None


def _list_bank(request: Request, name: str) -> Bank:
    bank = find_bank(service_of(request).index.bank_lists, name, "Exchange")
    if not _is_list(bank):
        abort(404, f"Exchange {shown(name)} not found")
    return bank


def _record(bank: Bank) -> dict[str, Any]:
    return {"name": hma_name(bank.name), "api": API, "enabled": True}


@router.get("/exchange/{name}", responses=answers(404), operation_id="showExchange")
def show(request: Request, caller: Reader, name: str) -> HmaAnswer:
    """One of them."""
    del caller
    return HmaAnswer(_record(_list_bank(request, name)))


@router.get("/exchange/{name}/status", responses=answers(404), operation_id="exchangeStatus")
def status(request: Request, caller: Reader, name: str) -> HmaAnswer:
    """What was brought: when is not kept."""
    del caller
    bank = _list_bank(request, name)
    was_brought = bank.checkpoint is not None
    return HmaAnswer(
        {
            "checkpoint_ts": None,
            "running_fetch_start_ts": None,
            "last_fetch_complete_ts": None,
            "last_fetch_succeeded": True if was_brought else None,
            "up_to_date": was_brought,
            "fetched_items": bank.entries,
        }
    )


@router.put(
    "/exchange/{name}",
    responses=answers(400, 404),
    openapi_extra=json_form({"enabled": True}),
    operation_id="changeExchange",
)
def change(request: Request, caller: Writer, name: str, body: JsonObject) -> HmaAnswer:
    """There is no fetching that could be ended."""
    del caller
    bank = _list_bank(request, name)
    if body.get("enabled") is not None and not flag_of(body["enabled"], "enabled"):
        abort(400, f"{_HOW}; to have its bank hit nothing, set the enabled_ratio of that to 0")
    return HmaAnswer(_record(bank))


@router.delete("/exchange/{name}", responses=answers(400, 403), operation_id="removeExchange")
def remove(request: Request, caller: Writer, name: str) -> HmaAnswer:
    """Have a bank that waits for a list be one like others; one that is none is no error."""
    lists = service_of(request).index.bank_lists
    if any(hma_name(bank.name) == name and _is_list(bank) for bank in lists.all()):
        bank = own_bank(lists, name)
        if bank.checkpoint is not None:
            abort(400, f"{_HOW}, which has filled this bank: delete the bank")
        lists.update(bank.name, by=caller.name, owner=OWNER)
    return HmaAnswer({"message": "Exchange deleted"})
