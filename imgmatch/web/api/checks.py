"""Checks and comparisons: photos come in, evidence goes out, nothing is kept."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse

from imgmatch.errors import PhotoError, SkipReason
from imgmatch.formats.records import check_record, compare_record, profile_record
from imgmatch.model import CheckResult, NamedPhoto, profile_matches
from imgmatch.web.access import Asker
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import CheckAnswerShape, CheckResultShape, ComparisonShape, FingerprintQuery
from imgmatch.web.service import Service, service_of

router = APIRouter(prefix="/api/v1", tags=["check"])

Photos = Annotated[list[UploadFile], File(description="One photo or several.")]
Account = Annotated[str | None, Form(max_length=1_000, description="Leave out this account's own photos.")]
Limit = Annotated[int, Form(ge=1, le=1_000, description="Accounts a photo at the most.")]
Deadline = Annotated[float | None, Form(gt=0, le=60, description="Seconds: an answer that takes longer is not given.")]


@router.post("/check", response_model=CheckAnswerShape, responses=problems(422), operation_id="check")
async def check(  # noqa: PLR0913, PLR0917 -- each is a field of the form
    request: Request,
    caller: Asker,
    photo: Photos,
    account: Account = None,
    limit: Limit = 20,
    max_distance: Annotated[int | None, Form(ge=0, le=256)] = None,
    min_score: Annotated[float | None, Form(ge=0, le=1)] = None,
    related: Annotated[bool, Form()] = False,  # noqa: FBT002 -- so are flags
    deadline: Deadline = None,
) -> JSONResponse:
    """Which accounts carry each photo; of several, as of one profile, also which account carries how many of them."""
    service = service_of(request)
    service.rate.count(caller.name)
    size = bytes_of(photo)

    begun = False

    def answered() -> list[CheckResult]:
        nonlocal begun
        begun = True
        try:
            photos = read_photos(service, photo)
            return list(
                service.index.check_many(
                    photos,
                    account=account,
                    limit=limit,
                    max_distance=max_distance,
                    min_score=min_score,
                    related=related,
                )
            )
        finally:
            service.gate.leave(size)

    service.gate.enter(size)
    results: list[CheckResult] | None = None
    try:
        with anyio.move_on_after(deadline):
            # What takes too long is not waited for, and goes on to its end by itself.
            results = await anyio.to_thread.run_sync(answered, abandon_on_cancel=True)
    finally:
        if not begun:  # the time was over before there was a thread for it
            service.gate.leave(size)
    return JSONResponse(check_answer(results))


def check_answer(results: list[CheckResult] | None) -> dict[str, Any]:
    """What a program is told; ``None`` where there is no answer in time."""
    found = results or []
    return {
        "complete": results is not None,
        "results": [check_record(result) for result in found],
        "accounts": [profile_record(one) for one in profile_matches(found)],
    }


def read_photos(service: Service, uploads: list[UploadFile]) -> list[NamedPhoto]:
    """The photos of a form, under their names.

    Raises:
        PhotoError: there are too many, or the form has a field without a file.
    """
    if len(uploads) > service.settings.most_photos:
        raise PhotoError(SkipReason.REFUSED, f"a request brings {service.settings.most_photos} photos at the most")
    return [
        NamedPhoto(upload.filename or f"photo {place}", upload.file.read()) for place, upload in enumerate(uploads, 1)
    ]


def bytes_of(uploads: list[UploadFile]) -> int:
    """How much memory the photos of a form will take; until they are read they lie on the disk."""
    return sum(upload.size or 0 for upload in uploads)


@router.post(
    "/check/fingerprint", response_model=CheckResultShape, responses=problems(422), operation_id="checkFingerprint"
)
def check_fingerprint(request: Request, caller: Asker, query: FingerprintQuery) -> JSONResponse:
    """Which accounts carry a picture of this fingerprint, by the first hasher of the index; nothing can be verified."""
    service = service_of(request)
    service.rate.count(caller.name)
    with service.gate.passed():
        found = service.index.check_fingerprint(
            query.fingerprint, account=query.account, limit=query.limit, max_distance=query.max_distance
        )
    return JSONResponse(check_record(found))


@router.post("/compare", response_model=ComparisonShape, responses=problems(422), operation_id="compare")
def compare(
    request: Request,
    caller: Asker,
    query: Annotated[UploadFile, File()],
    stored: Annotated[UploadFile, File()],
    max_distance: Annotated[int | None, Form(ge=0, le=256)] = None,
) -> JSONResponse:
    """The evidence for two photos being copies of one picture, as if the second were in this index."""
    service = service_of(request)
    service.rate.count(caller.name)
    with service.gate.passed(bytes_of([query, stored])):
        one, other = read_photos(service, [query, stored])
        return JSONResponse(compare_record(service.index.compare(one, other, max_distance=max_distance)))
