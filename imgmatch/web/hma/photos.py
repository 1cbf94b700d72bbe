"""A photo that an HMA client sends, or names the URL of, and its PDQ value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import anyio.to_thread
from starlette.datastructures import UploadFile

from imgmatch.errors import SkipReason
from imgmatch.model import PDQ, PDQ_QUALITY, NamedPhoto
from imgmatch.web.hma.answers import abort, shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from imgmatch.web.access import Caller
    from imgmatch.web.hma.remembered import Asked
    from imgmatch.web.service import Service

PHOTO = "photo"
"""The content type, as HMA calls it; also the field of a form that holds one."""

_MOST_FIELDS = 32
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """What came.

    Attributes:
        name: what it is called.
        data: its bytes.
        fields: the other fields of its form.
    """

    name: str
    data: bytes
    fields: dict[str, str]

    @property
    def photo(self) -> NamedPhoto:
        """It, to be worked on."""
        return NamedPhoto(self.name, self.data)


@asynccontextmanager
async def posted_photo(request: Request, service: Service) -> AsyncIterator[Sent]:
    """The photo of a form, whose field is called by its content type; it counts as under way while the block lasts.

    Raises:
        HTTPException: the form holds none, or several, or something else.
        BusyError: too much is under way.
    """
    async with request.form(max_files=2, max_fields=_MOST_FIELDS) as form:
        items = form.multi_items()
        uploads = [(field, value) for field, value in items if isinstance(value, UploadFile)]
        if not uploads:
            abort(400, "Missing multipart/form-data file upload")
        if len(uploads) > 1:
            abort(400, "Only one file allowed per request")
        [(field, upload)] = uploads
        refuse_other_content(field)
        with service.gate.passed(upload.size or 0):
            name = (upload.filename or PHOTO)[:_LONGEST_NAME]
            fields = {key: value for key, value in items if isinstance(value, str)}
            yield Sent(name, await upload.read(), fields)


@asynccontextmanager
async def linked_photo(service: Service, url: str, content_type: str | None = None) -> AsyncIterator[Sent]:
    """The photo at a URL, likewise.

    Raises:
        HTTPException: it cannot be had, or nothing is fetched from there.
        BusyError: too much is under way.
    """
    refuse_other_content(content_type or PHOTO)
    with service.gate.passed():
        async with service.hma.fetcher.fetched(url) as data:
            name = PurePosixPath(unquote(urlsplit(url).path, errors="replace")).name
            yield Sent(name[:_LONGEST_NAME] or PHOTO, data, {})


def refuse_other_content(content_type: str) -> None:
    """Photos are all there is.

    Raises:
        HTTPException: it is something else.
    """
    if content_type != PHOTO:
        abort(400, f"no such content_type: {shown(content_type)}")


def refuse_other_signals(types: str | None) -> None:
    """PDQ is all there is.

    Raises:
        HTTPException: another type of signal is asked for, or none.
    """
    if types is None:
        return
    named = [one.strip() for one in types.split(",") if one.strip()]
    if not named:
        abort(400, "empty signal type selection")
    for one in named:
        if one != PDQ:
            abort(400, f"signal type {shown(one)} doesn't exist or is disabled")


async def pdq_of(service: Service, sent: Sent) -> str:
    """The PDQ value of a photo; empty where that has too little in it for one to mean anything.

    Raises:
        HTTPException: it is no photo that can be used.
    """
    return await anyio.to_thread.run_sync(_pdq_of, service, sent)


def _pdq_of(service: Service, sent: Sent) -> str:
    [hashed] = service.index.hash([sent.photo])
    if hashed.reason is not None:
        if hashed.reason.startswith((SkipReason.TOO_SMALL, SkipReason.FLAT)):
            return ""
        abort(400, f"the photo cannot be used: {hashed.reason}")
    if PDQ not in hashed.fingerprints:
        abort(501, "this index computes no PDQ: make one whose hashers have it")
    return hashed.fingerprints[PDQ] if (hashed.quality or 0) >= PDQ_QUALITY else ""


def asked_by(caller: Caller, pdq: str) -> Asked:
    """Under what a photo is remembered: a token and a person of one name are two."""
    return ("program" if caller.csrf is None else "person", caller.name, pdq)
