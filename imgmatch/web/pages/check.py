"""Check: photos are dropped in, and the accounts that carry them are shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from imgmatch.errors import NotFoundError, PhotoError, SkipReason
from imgmatch.formats.evidence import there, unsearched
from imgmatch.model import CheckResult, Match, Status, profile_matches
from imgmatch.web.access import Asker
from imgmatch.web.api.checks import bytes_of, read_photos
from imgmatch.web.api.photos import LARGEST_SIDE, Jpeg
from imgmatch.web.pages.base import picture_url, render
from imgmatch.web.pages.pairs import Side, named, pair, words
from imgmatch.web.service import Service, service_of

router = APIRouter()

_SIDE = 640
_SMALL = 160


@router.get("/")
def home(request: Request, caller: Asker) -> Response:
    """Where photos are dropped."""
    counts = service_of(request).index.counts()
    return render(request, "check", caller, counts=counts, hours=service_of(request).settings.upload_hours)


@router.post("/checks")
def keep(
    request: Request,
    caller: Asker,
    photo: Annotated[list[UploadFile], File()],
    account: Annotated[str, Form(max_length=1_000)] = "",
) -> Any:  # noqa: ANN401 -- a record, or a redirection
    """Keep photos for some hours, and say where their check is."""
    service = service_of(request)
    service.rate.count(caller.name)
    with service.gate.passed(bytes_of(photo)):
        photos = [(one.name, one.content) for one in read_photos(service, photo) if isinstance(one.content, bytes)]
        if not any(data for _, data in photos):
            raise PhotoError(SkipReason.UNREADABLE, "nothing was chosen, or it is empty")
        check = service.uploads.keep(photos, account.strip() or None, caller.name)
    url = f"/checks/{check}"
    wants_page = "text/html" in request.headers.get("accept", "")
    return RedirectResponse(url, 303) if wants_page else {"url": url}


@router.get("/checks/{check}")
def answer(request: Request, caller: Asker, check: str) -> Response:
    """What is found now: a check that is opened again is made again."""
    service = service_of(request)
    kept = service.uploads.read(check)
    with service.gate.passed():
        results = list(service.index.check_many(kept.photos, account=kept.account))
    accounts = {match.photo.account for result in results for match in result if match.photo.account}
    return render(
        request,
        "answer",
        caller,
        rings=service.index.rings_of(accounts),
        unknown_account=kept.account is not None and not _is_known(service, kept.account),
        check=kept,
        answers=[_answer(check, place, result) for place, result in enumerate(results)],
        profile=profile_matches(results) if len(results) > 1 else (),
        hours=service.settings.upload_hours,
    )


@router.get("/checks/{check}/picture/{place}")
async def picture(
    request: Request,
    caller: Asker,
    check: str,
    place: int,
    frame: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    side: Annotated[int, Query(ge=16, le=LARGEST_SIDE)] = _SIDE,
) -> Response:
    """A photo that was asked about, upright and without metadata."""
    del caller
    service = service_of(request)
    photos = service.uploads.read(check).photos
    if not 0 <= place < len(photos):
        raise NotFoundError("this check has no such photo")
    shown = await service.drawn(lambda: next(service.index.view([photos[place]], side=side, frames=[frame])))
    if shown.jpeg is None:
        raise NotFoundError(shown.note or "this photo cannot be shown")
    return Jpeg(shown.jpeg)


def _is_known(service: Service, account: str) -> bool:
    try:
        service.index.account(account)
    except NotFoundError:
        return False
    return True


def _answer(check: str, place: int, result: CheckResult) -> dict[str, Any]:
    first = min((match.photo.seen_at for match in result), default=None) if result.accounts > 1 else None
    return {
        "result": result,
        "name": result.photo,
        "verdict": _verdict(result),
        "unsearched": unsearched(result.incomplete),
        "tone": {Status.MATCH: "match", Status.NO_MATCH: "none"}.get(result.status, "trouble"),
        "picture": None if result.status is Status.UNREADABLE else _own_url(check, place, None, _SMALL),
        "matches": [_shown(check, place, result, match, match.photo.seen_at == first) for match in result],
    }


def _own_url(check: str, place: int, frame: int | None, side: int) -> str:
    meant = "" if frame is None else f"&frame={frame}"
    return f"/checks/{check}/picture/{place}?side={side}{meant}"


def _shown(check: str, place: int, result: CheckResult, match: Match, earliest: bool) -> dict[str, Any]:  # noqa: FBT001 -- a mark
    photo = match.photo
    own = _own_url(check, place, match.query_frame, _SIDE)
    query = Side(own, named(result.photo, match.query_frame), "Photo asked about")
    stored = Side(picture_url(photo.photo_id, match.frame, _SIDE), named(photo.photo, match.frame), "Stored photo")
    return {
        "photo": photo,
        "small": picture_url(photo.photo_id, match.frame, _SMALL),
        "words": words(match.evidence) + there(photo.damaged),
        "score": match.evidence.score,
        "earliest": earliest,
        "pair": pair(query, stored, match.evidence),
    }


def _verdict(result: CheckResult) -> str:
    if result.status is Status.MATCH:
        beyond = "; not all are shown" if result.truncated else ""
        if not result.accounts and not result.matches:
            return f"On no account, and known to be stolen{there(result.damaged)}"
        return f"On {result.accounts:,} account{'s' * (result.accounts != 1)}{beyond}{there(result.damaged)}"
    if result.status is Status.NO_MATCH:
        return f"On no account{there(result.damaged)}"
    what = "searched" if result.status is Status.NOT_SEARCHABLE else "read"
    return f"Could not be {what}" + (f": {result.reason.partition(': ')[2] or result.reason}" if result.reason else "")
