"""Logging in and out."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from imgmatch.actions.people import LOGIN_HOURS
from imgmatch.errors import NotAllowedError, TooManyTriesError
from imgmatch.web.access import COOKIE, Reader, address_of, is_secure, known_caller, refuse_foreign
from imgmatch.web.pages.base import render
from imgmatch.web.service import service_of

router = APIRouter()

_WRONG = "Name and password do not belong together."


@router.get("/login", name="login")
def login(request: Request, next: str = "/") -> Response:  # noqa: A002 -- in a URL
    """The form; who is in already goes on."""
    with contextlib.suppress(NotAllowedError):  # a token that is none
        if known_caller(request) is not None:
            return RedirectResponse(_local(next), 303)
    return render(request, "login", None, next=_local(next), wrong=None, given="")


@router.post("/login")
def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=1_000)] = "",
    password: Annotated[str, Form(max_length=10_000)] = "",
    next: Annotated[str, Form(max_length=4_000)] = "/",  # noqa: A002 -- likewise
) -> Response:
    """Let somebody in, or say why not."""
    refuse_foreign(request, None)
    try:
        let_in = service_of(request).index.people.log_in(name, password, address_of(request))
    except TooManyTriesError as error:
        page = render(request, "login", None, status=429, next=_local(next), wrong=f"{error}.", given=name)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if let_in is None:
        return render(request, "login", None, status=401, next=_local(next), wrong=_WRONG, given=name)
    answer = RedirectResponse(_local(next), 303)
    seconds = LOGIN_HOURS * 3600
    answer.set_cookie(COOKIE, let_in[1], seconds, httponly=True, secure=is_secure(request), samesite="lax")
    return answer


@router.post("/logout")
def log_out(request: Request, caller: Reader) -> Response:
    """End a login."""
    del caller
    service_of(request).index.people.log_out(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer


def _local(path: str) -> str:
    """A page of ours: whoever sends a link must not lead to a page of his own."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours else "/"
