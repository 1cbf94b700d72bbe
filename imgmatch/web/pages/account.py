"""One account, with all that is known of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from imgmatch.actions.account import MOST_OF_COMMON
from imgmatch.model import between
from imgmatch.web.access import Reader
from imgmatch.web.pages.base import picture_url, render
from imgmatch.web.pages.pairs import pair, side_of, words
from imgmatch.web.service import service_of

if TYPE_CHECKING:
    from imgmatch.model import AccountView, SharedPhoto

router = APIRouter()

BURST = timedelta(days=7)
"""Accounts that show one picture for the first time within so long of each other were opened in a burst."""


@router.get("/account")
def account(request: Request, caller: Reader, id: str = "") -> Response:  # noqa: A002 -- in a URL
    """Its photos, whom it shares them with, when, its rings and decisions."""
    if not id.strip():
        return RedirectResponse("/", 303)
    view = service_of(request).index.account(id)
    return render(
        request,
        "account",
        caller,
        view=view,
        shares=[_shown(one) for one in view.shares],
        variants=_variants(view),
        sharing=_sharing(view),
    )


def _shown(one: SharedPhoto) -> dict[str, Any]:
    query, stored = side_of(one.other, "Photo of the other account"), side_of(one.own, "Photo of this account")
    relation = between(one.evidence, one.own_evidence)
    apart = one.other.seen_at - one.own.seen_at
    return {
        "share": one,
        "small": picture_url(one.other.photo_id, one.other.frame, 160),
        "words": words(relation),
        "score": relation.score,
        "earlier": apart < timedelta(0),
        "burst": abs(apart) <= BURST,
        "days": abs(apart).days,
        "pair": pair(query, stored, relation, (one.evidence, one.own_evidence)),
    }


def _sharing(view: AccountView) -> str:
    """With how many; of a common picture not all are shown."""
    accounts = len({one.other.account for one in view.shares})
    shown = f"{accounts:,} account{'s' * (accounts != 1)}"
    cut = any(one.common and one.others > MOST_OF_COMMON for one in view.shares)
    return f"more than {shown}, of which some are shown" if cut else shown


def _variants(view: AccountView) -> list[str]:
    """The names that go with its pictures on other accounts."""
    names = dict.fromkeys(one.other.name for one in view.shares if one.other.name and not one.common)
    return [name for name in names if name != view.name]
