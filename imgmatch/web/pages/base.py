"""What every page has: its template, what it is filled with, and files that browsers keep."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from imgmatch.errors import ImgmatchError
from imgmatch.formats.evidence import percent
from imgmatch.formats.records import moment
from imgmatch.formats.text import clean
from imgmatch.model import RING_VERDICTS
from imgmatch.web.access import Caller, known_caller
from imgmatch.web.service import service_of

if TYPE_CHECKING:
    from datetime import datetime

    from fastapi import Request, Response
    from starlette.types import Scope

_STATIC = Path(__file__).resolve().parents[1] / "static"
_ALL_BUT_CERTAIN = 0.99
_ONE_IN_TEN_DAYS = 0.1
_LONGEST_SOUGHT = 200
_YEAR = "public, max-age=31536000, immutable"


class _Static(StaticFiles):
    """Our own scripts and styles: their URLs change with them, so browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for long; of another version than ours it is not there."""
        version, _, name = path.partition("/")
        if version != static_version():
            raise HTTPException(404)
        response = await super().get_response(name, scope)
        if response.status_code == 200:  # noqa: PLR2004 -- OK
            response.headers["Cache-Control"] = _YEAR
        return response


def static_files() -> StaticFiles:
    """Scripts and styles."""
    return _Static(directory=_STATIC)


@cache
def static_version() -> str:
    """Stands in the URL of each of them; another one where any of them has changed: they name each other."""
    digest = hashlib.sha256()
    for path in sorted(_STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """The URL of one of them."""
    return f"/static/{static_version()}/{name}"


def minute(value: datetime) -> str:
    """A time for a person, in UTC."""
    return moment(value)[:16].replace("T", " ")


def picture_url(photo_id: str, frame: int | None = None, side: int = 320) -> str:
    """Where a stored photo can be had."""
    asked: dict[str, str | int] = {"photo_id": photo_id, "side": side}
    return "/api/v1/picture?" + urlencode(asked if frame is None else asked | {"frame": frame})


def account_url(account: str) -> str:
    """The page of an account."""
    return "/account?" + urlencode({"id": account})


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("imgmatch.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    found.filters |= {"moment": moment, "minute": minute, "percent": percent, "likely": likely, "rate": rate}
    found.globals["past"] = {"confirm": "confirmed", "dismiss": "dismissed", "common": "common", "undo": "undone"}
    found.globals |= {"static_url": static_url, "picture_url": picture_url, "account_url": account_url}
    return found


def render(request: Request, name: str, caller: Caller | None, *, status: int = 200, **context: Any) -> HTMLResponse:  # noqa: ANN401 -- whatever a template shows
    """A page."""
    service = service_of(request)
    text = _environment().get_template(f"{name}.html.j2").render(
        caller=caller, blur=service.settings.blur, reasons=[_reason(one) for one in service.settings.reasons],
        required=service.settings.require_reason, page=name, **context,
    )  # fmt: skip
    return HTMLResponse(text, status)


def _reason(text: str) -> tuple[str, str]:
    """The verdict that a reason is for, empty for all, and the reason."""
    verdict, colon, said = text.partition(":")
    return (verdict, said.strip()) if colon and verdict in RING_VERDICTS else ("", text)


def likely(score: float) -> str:
    """A score for a person: what is all but certain is not 99 %."""
    return percent(score) if score < _ALL_BUT_CERTAIN or score == 1 else ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"


def rate(accounts_per_day: float) -> str:
    """How fast a ring spread, in words."""
    if accounts_per_day >= _ONE_IN_TEN_DAYS:
        return f"{accounts_per_day:g} accounts a day"
    return f"an account every {1 / accounts_per_day:.0f} days" if accounts_per_day else ""


def error_page(request: Request, status: int, title: str, detail: str, headers: dict[str, str] | None) -> HTMLResponse:
    """What went wrong, for a person."""
    try:
        caller = known_caller(request)
    except ImgmatchError:
        caller = None
    sought = request.query_params.get("id", "")[:_LONGEST_SOUGHT]
    page = render(request, "error", caller, status=status, title=title, detail=detail, sought=sought)
    page.headers.update(headers or {})
    return page
