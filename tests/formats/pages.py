"""Checks with pictures, for the tests of the page: a drawn photo, and its mirrored square crop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import photos
from PIL import ImageOps

from imgmatch.formats.html import Shown, ShownCheck, ShownMatch
from imgmatch.model import CheckResult, Evidence, Kind, Match, Photo, Status

NOW = datetime(2026, 3, 1, 14, 2, tzinfo=UTC)
SIZE = (240, 300)
LEFT, TOP, SIDE, CROP = 40, 20, 180, 120
"""The square that was cut out of the photo, and the side it was brought to, in pixels."""

QUERY_CORNERS = ((1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
STORED_CORNERS = tuple(
    (x / SIZE[0], y / SIZE[1])
    for x, y in ((LEFT, TOP), (LEFT + SIDE, TOP), (LEFT + SIDE, TOP + SIDE), (LEFT, TOP + SIDE))
)
PARTIAL = Evidence(
    Kind.PARTIAL, 0.997, None, mirrored=True, rotation=0, overlap=0.62, agreement=0.94,
    outline_query=QUERY_CORNERS, outline_stored=STORED_CORNERS,
)  # fmt: skip
NEAR = Evidence(Kind.NEAR, 0.89, 28, mirrored=False, rotation=90)


@cache
def stored() -> Shown:
    return Shown(photos.jpeg(photos.picture(1, SIZE)), *SIZE)


@cache
def crop() -> Shown:
    cut = photos.picture(1, SIZE).crop((LEFT, TOP, LEFT + SIDE, TOP + SIDE)).resize((CROP, CROP))
    return Shown(photos.jpeg(ImageOps.mirror(cut)), CROP, CROP)


@cache
def other() -> Shown:
    return Shown(photos.jpeg(photos.picture(2, (200, 100))), 200, 100, "this is the stored thumbnail")


GONE = Shown(None, 0, 0, "the file is gone")


def photo(account: str, name: str | None = None, *, day: int = 0, label: str = "1.jpg") -> Photo:
    return Photo(account, f"{account}/{label}", f"{account}-id", name, NOW + timedelta(days=day))


def check(name: str, query: Shown, *matches: tuple[Photo, Evidence, Shown], accounts: int = 0) -> ShownCheck:
    found = tuple(ShownMatch(Match(owner, evidence), picture) for owner, evidence, picture in matches)
    status = Status.MATCH if matches else Status.NO_MATCH
    several = accounts or len({owner.account for owner, _, _ in matches})
    result = CheckResult(
        name, status, None, several, truncated=bool(accounts), matches=tuple(shown.match for shown in found)
    )
    return ShownCheck(result, query, found)


def three_matches(name: str = "q.jpg") -> ShownCheck:
    return check(
        name,
        crop(),
        (photo("a17", "Lena"), PARTIAL, stored()),
        (photo("b2", day=-9), NEAR, other()),
        (photo("c3", "Mia"), PARTIAL, GONE),
    )
