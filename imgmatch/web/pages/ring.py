"""One ring: accounts by pictures, who had them first, and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from imgmatch.formats.records import RING_COLUMNS, moment, ring_rows
from imgmatch.formats.ring_spread import spread
from imgmatch.formats.text import as_csv
from imgmatch.web.access import Caller, Decider, Reader
from imgmatch.web.pages.base import picture_url, render
from imgmatch.web.pages.pairs import pair, side_of, words
from imgmatch.web.service import service_of

if TYPE_CHECKING:
    from imgmatch.model import Evidence, Group, Photo, Review, Ring

router = APIRouter()

_SMALL = 160
_LEFT_OUT = "X-Imgmatch-Left-Out"
"""How many ids a list of lines cannot hold; the table has them."""


@router.get("/rings/{ring}")
def ring(request: Request, caller: Reader, ring: str) -> Response:
    """The page of a ring."""
    service = service_of(request)
    found = service.index.ring(ring)
    holder = service.index.reviews.who_reviews().get(ring)
    return render(
        request,
        "ring",
        caller,
        ring=found,
        holder=None if holder is None or holder.reviewer == caller.name else holder,
        rows=_rows(found),
        columns=[_column(place, group) for place, group in enumerate(found.groups, 1)],
        spread=spread([member.first_seen for member in found.accounts]),
        lookalikes={account for some in found.lookalikes for account in some},
        owner=possible_owner(found),
    )


def possible_owner(ring: Ring) -> str | None:
    """The account that had a picture before all others; ``None`` where two came at the same time."""
    first, *others = ring.accounts
    return None if not others or others[0].first_seen == first.first_seen else first.account


def _column(place: int, group: Group) -> dict[str, Any]:
    medoid = group.medoid
    return {
        "place": place,
        "group": group,
        "small": picture_url(medoid.photo_id, medoid.frame, _SMALL),
        "name": f"reference of picture {place}, on {medoid.account}",
    }


def _rows(ring: Ring) -> list[dict[str, Any]]:
    """An account a row, with what it shows of each picture."""
    cells: dict[str, list[dict[str, Any] | None]] = {
        member.account: [None] * len(ring.groups) for member in ring.accounts
    }
    for place, group in enumerate(ring.groups):
        for photo, evidence in zip(group.photos, group.evidence, strict=True):
            shown = cells.get(photo.account)
            if shown is None:
                continue
            if (cell := shown[place]) is not None:
                cell["more"] += 1
            else:
                shown[place] = _cell(place + 1, group, photo, evidence)
    return [{"member": member, "cells": cells[member.account]} for member in ring.accounts]


def _cell(number: int, group: Group, photo: Photo, evidence: Evidence) -> dict[str, Any]:
    medoid = group.medoid
    reference = photo.photo_id == medoid.photo_id
    query = side_of(photo, f"Copy of {photo.account}")
    stored = side_of(medoid, "Reference of this picture")
    return {
        "name": f"picture {number} on {photo.account}",
        "small": picture_url(photo.photo_id, photo.frame, _SMALL),
        "words": "reference" if reference else words(evidence),
        "score": evidence.score,
        "reference": reference,
        "more": 0,
        "pair": "" if reference else pair(query, stored, evidence),
    }


@router.post("/rings/{ring}/review")
def review(request: Request, caller: Decider, ring: str) -> Any:  # noqa: ANN401 -- a record
    """I have it open; asked again and again, as a sign of life. Says who has it."""
    return _said(service_of(request).index.reviews.open_review(ring, caller.name), caller)


@router.post("/rings/{ring}/leave")
def leave(request: Request, caller: Decider, ring: str) -> Response:
    """I have it open no more."""
    service_of(request).index.reviews.close_review(ring, caller.name)
    return Response(status_code=204)


@router.post("/rings/{ring}/skip")
def skip(request: Request, caller: Decider, ring: str) -> Response:
    """Not now, and not for me."""
    service_of(request).index.reviews.skip(ring, caller.name)
    return Response(status_code=204)


def _said(review: Review, caller: Caller) -> dict[str, Any]:
    return {
        "mine": review.reviewer == caller.name,
        "reviewer": review.reviewer,
        "since": moment(review.opened_at),
    }


@router.post("/rings/{ring}/export")
def export(
    request: Request, caller: Decider, ring: str, form: Annotated[str, Query(pattern="^(ids|csv)$")] = "ids"
) -> Response:
    """What a platform acts on: the ids of the accounts, a line each, or a row a photo. It is noted in the log.

    Who had a picture first may be the victim, and is not among the ids; a row says who that is (``first``).
    """
    service = service_of(request)
    found = service.index.ring(ring)
    service.index.people.note(caller.name, "export", ring)
    if form == "ids":
        owner = possible_owner(found)
        ids = [one.account for one in found.accounts if one.account != owner]
        lines = [one for one in ids if one.isprintable()]  # an id with a line end in it would be two
        return PlainTextResponse("".join(f"{one}\n" for one in lines), headers={_LEFT_OUT: str(len(ids) - len(lines))})
    text = "".join(as_csv(ring_rows(found), RING_COLUMNS))
    return Response(text, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{ring}.csv"'})


@router.post("/reveals")
def reveal(
    request: Request,
    caller: Reader,
    page: Annotated[Literal["answer", "account", "ring", "check", "queue", "decisions", "figures", "error"], Query()],
    ring: Annotated[str | None, Query(pattern="^r[0-9a-f]{1,64}$")] = None,
) -> Response:
    """All pictures of a page are shown: it is noted in the log, which names no account and no photo."""
    service_of(request).index.people.note(caller.name, "reveal", page if ring is None else f"ring {ring}")
    return Response(status_code=204)
