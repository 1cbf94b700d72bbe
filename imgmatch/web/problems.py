"""What went wrong, as a program is told (RFC 9457) or as a person is."""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from imgmatch.errors import ImgmatchError, NotAllowedError, PhotoError, TooManyTriesError
from imgmatch.web.hma.answers import HmaAnswer
from imgmatch.web.pages.base import error_page
from imgmatch.web.paths import is_hma
from imgmatch.web.service import service_of

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

PROBLEM = "application/problem+json"
_LOGGER = logging.getLogger(__name__)
_TITLES = {
    401: "Log in first",
    403: "Not allowed",
    404: "Not there",
    409: "That does not fit any more",
    413: "Too large",
    422: "That cannot be used",
    429: "Too often",
    500: "Something went wrong",
    503: "Not now",
}
"""What the page of an error is headed with, for a person."""

_PLAINLY = {404: "there is no such page", 405: "that cannot be done here"}
_UNKNOWN = "something went wrong in imgmatch itself; the log of the server has more"


def handle_errors(app: FastAPI) -> None:
    """Have every error answered in one form."""
    app.add_exception_handler(ImgmatchError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _storage)
    app.add_exception_handler(ValueError, _value)
    app.add_exception_handler(Exception, _unexpected)


def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:  # noqa: ANN401 -- whatever JSON can hold
    """A problem, for whoever asks."""
    # Where the index lies is nobody's business who asks.
    detail = detail.replace(f"index {service_of(request).settings.index} ", "the index ")
    title = HTTPStatus(status).phrase
    if is_hma(request.scope):
        return HmaAnswer({"message": detail}, status, headers)
    if is_page(request):
        return error_page(request, status, _TITLES.get(status, title), detail[:1].upper() + detail[1:], headers)
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, PROBLEM)


def is_page(request: Request) -> bool:
    """Whether a person waits for the answer."""
    is_api = is_hma(request.scope) or request.url.path.startswith("/api/")
    return not is_api and "text/html" in request.headers.get("accept", "")


async def _expected(request: Request, error: Exception) -> Response:
    if isinstance(error, NotAllowedError) and error.is_unknown:
        if is_page(request) and request.method == "GET":
            return RedirectResponse("/login?" + urlencode({"next": _path(request)}), 303)
        return answer(request, 401, str(error), {"WWW-Authenticate": 'Bearer realm="imgmatch"'})
    status = error.http_status if isinstance(error, ImgmatchError) else 500
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyTriesError) else {}
    more = {"reason": str(error.reason)} if isinstance(error, PhotoError) else {}
    return answer(request, status, str(error), headers, **more)


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
    return answer(request, 422, "; ".join(said) or "the request cannot be understood")


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    said = {} if is_hma(request.scope) else _PLAINLY
    detail = said.get(error.status_code, str(error.detail))
    return answer(request, error.status_code, detail, dict(error.headers or {}))


async def _value(request: Request, error: Exception) -> Response:
    """What a verb of the index refuses as no value of its kind."""
    _LOGGER.info("a value was refused", exc_info=error)
    return answer(request, 422, str(error))


async def _storage(request: Request, error: Exception) -> Response:
    """A disk that is full, or cannot be written."""
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    _LOGGER.error("what was sent could not be kept: %s", error)
    return answer(request, 507 if full else 503, "the server cannot keep what was sent: its disk is full or not there")


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOGGER.error("a request failed: %s", request.scope.get("route") and request.scope["route"].path, exc_info=error)
    return answer(request, 500, _UNKNOWN)
