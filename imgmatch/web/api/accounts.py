"""Accounts, and what the index as a whole holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from imgmatch.formats.records import account_record, bank_record, status_record
from imgmatch.web.access import Reader
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import AccountShape, AnythingShape, BankShape
from imgmatch.web.service import service_of

router = APIRouter(prefix="/api/v1", tags=["accounts"])


@router.get("/account", response_model=AccountShape, responses=problems(404, 422), operation_id="account")
def account(
    request: Request,
    caller: Reader,
    id: Annotated[str, Query(min_length=1, max_length=1_000)],  # noqa: A002 -- in a URL
) -> JSONResponse:
    """One account: its photos, whom it shares them with, its rings, and what was decided on it."""
    del caller
    return JSONResponse(account_record(service_of(request).index.account(id)))


@router.get("/status", response_model=AnythingShape, responses=problems(), operation_id="status")
def status(request: Request, caller: Reader) -> JSONResponse:
    """How much the index holds, and whether its files are whole."""
    del caller
    return JSONResponse(status_record(service_of(request).index.status()))


@router.get("/banks", response_model=list[BankShape], responses=problems(), operation_id="banks")
def banks(request: Request, caller: Reader) -> JSONResponse:
    """The banks: what each is for, and how much stands on it."""
    del caller
    records = map(bank_record, service_of(request).index.bank_lists.all())
    return JSONResponse([{"bank": record.pop("name"), **record} for record in records])
