"""Photos that programs add and remove, and pictures of those that are there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from imgmatch.errors import NotFoundError, PhotoError, SkipReason
from imgmatch.formats.records import erase_record
from imgmatch.web.access import Reader, Writer
from imgmatch.web.api.answers import problems
from imgmatch.web.api.schemas import AddedPhotoShape, AnythingShape, ErasureQuery, RemovedShape
from imgmatch.web.service import service_of

router = APIRouter(prefix="/api/v1", tags=["photos"])

LARGEST_SIDE = 2_000

PhotoId = Annotated[str, Query(min_length=1, max_length=1_000, description="The platform's own id of the photo.")]


@router.put("/photo", response_model=AddedPhotoShape, responses=problems(409, 422, 423), operation_id="addPhoto")
def add(
    request: Request,
    caller: Writer,
    photo_id: PhotoId,
    photo: Annotated[UploadFile, File()],
    account: Annotated[str, Form(min_length=1, max_length=1_000)],
    name: Annotated[str | None, Form(max_length=1_000)] = None,
    seen_at: Annotated[
        datetime | None, Form(description="When it was first seen; without it, what is known, or now.")
    ] = None,
) -> JSONResponse:
    """Add a photo, or replace the one of that id; the same again changes nothing."""
    del caller
    if seen_at is not None and seen_at.tzinfo is None:
        raise PhotoError(SkipReason.REFUSED, "seen_at needs a time zone")
    service = service_of(request)
    with service.gate.passed(photo.size or 0):
        state = service.index.add_photo(
            photo.file.read(),
            photo_id=photo_id,
            account=account,
            name=name,
            seen_at=seen_at,
            folder=service.settings.photos_path,
        )
    return JSONResponse({"photo_id": photo_id, "state": state})


@router.delete("/photo", response_model=RemovedShape, responses=problems(422, 423), operation_id="removePhoto")
def remove(request: Request, caller: Writer, photo_id: PhotoId) -> JSONResponse:
    """Remove a photo that is merely no longer wanted; one that is not there is no error."""
    del caller
    service = service_of(request)
    return JSONResponse({"removed": service.index.remove(photo_id=photo_id, folder=service.settings.photos_path)})


@router.post("/erasures", response_model=AnythingShape, responses=problems(404, 422, 423), operation_id="erase")
def erase(request: Request, caller: Writer, query: ErasureQuery) -> JSONResponse:
    """Remove an account or a photo everywhere, and prove it; this takes a while."""
    service = service_of(request)
    done = service.index.erase(
        account=query.account,
        photo_id=query.photo_id,
        mask_reasons=query.mask_reasons,
        by=caller.name,
        folder=service.settings.photos_path,
    )
    return JSONResponse(erase_record(done))


class Jpeg(Response):
    """A picture that no browser and no proxy keeps."""

    media_type = "image/jpeg"


@router.get(
    "/picture",
    response_class=Jpeg,
    responses={**problems(404, 422), 200: {"content": {"image/jpeg": {}}}},
    operation_id="picture",
)
async def picture(
    request: Request,
    caller: Reader,
    photo_id: PhotoId,
    frame: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    side: Annotated[int, Query(ge=16, le=LARGEST_SIDE)] = 640,
) -> Response:
    """A stored photo, upright, without metadata, from its file as it is now; else the small grey picture that is kept.

    ``X-Imgmatch-Note`` says so then, and why.
    """
    del caller
    key: str | tuple[str, int] = photo_id if frame is None else (photo_id, frame)
    service = service_of(request)
    shown = await service.drawn(lambda: service.index.pictures([key], side=side).get(key))
    if shown is None or shown.jpeg is None:
        raise NotFoundError(shown.note if shown is not None and shown.note else "there is no such photo")
    headers = {} if shown.note is None else {"X-Imgmatch-Note": shown.note}
    return Jpeg(shown.jpeg, headers=headers)
