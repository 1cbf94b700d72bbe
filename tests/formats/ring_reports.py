"""Reports of rings with pictures, for the tests of their page: copies mirrored, turned and cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import photos
from PIL import Image, ImageOps

from imgmatch.formats.ring_page import Shown, rings_page
from imgmatch.model import (
    Change,
    Evidence,
    Gone,
    Group,
    Kind,
    Photo,
    PictureKey,
    Ring,
    RingAccount,
    RingsReport,
    Searched,
)

if TYPE_CHECKING:
    from imgmatch.formats.ring_shown import Pictures

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
SIZE = (120, 150)
EXACT = Evidence(Kind.EXACT, 1.0, 0, mirrored=False, rotation=0, overlap=1.0, agreement=1.0)
MIRRORED = Evidence(Kind.NEAR, 0.98, 6, mirrored=True, rotation=0)
TURNED = Evidence(Kind.NEAR, 0.97, 8, mirrored=False, rotation=90)
BOTH = Evidence(Kind.NEAR, 0.97, 8, mirrored=True, rotation=90)
NEGATIVE = Evidence(Kind.NEAR, 0.97, 2, mirrored=True, rotation=0, negative=True)
PART = Evidence(Kind.PARTIAL, 0.91, None, mirrored=True, rotation=10, overlap=0.4, agreement=0.93)


def photo(account: str, number: int = 1, *, name: str | None = None, day: int = 0) -> Photo:
    return Photo(account, f"{account}/{number}.jpg", f"{account}-{number}", name, NOW + timedelta(days=day - 100))


def shown(image: Image.Image) -> Shown:
    return Shown(photos.jpeg(image), *image.size)


@cache
def drawn(seed: int) -> Image.Image:
    return photos.picture(seed, SIZE)


def group(*members: tuple[Photo, Evidence], medoid: int = 0, **more: object) -> Group:
    owned = tuple(one for one, _ in members)
    return Group(
        owned[0].photo_id,
        owned[medoid],
        owned,
        tuple(dict.fromkeys(one.account for one in owned)),
        common=bool(more.pop("common", False)),
        evidence=tuple(evidence for _, evidence in members),
        **more,  # type: ignore[arg-type]
    )


def ring(name: str, *groups: Group, **more: object) -> Ring:
    first: dict[str, Photo] = {}
    for one in sorted((one for each in groups for one in each.photos), key=lambda one: one.seen_at):
        first.setdefault(one.account, one)
    accounts = tuple(RingAccount(account, one.name, one.seen_at) for account, one in first.items())
    return Ring(name, accounts, groups, accounts[0].account, (), accounts[-1].first_seen, **more)  # type: ignore[arg-type]


def large() -> Ring:
    """Twelve accounts, two pictures: of the second the copies were mirrored, turned, both, cut, and made a negative."""
    many = group(*((photo(f"many{n:02d}", day=n), EXACT) for n in range(12)))
    varied = group(
        (photo("many00", 2, name="Léna Ibáñez"), EXACT),
        (photo("many01", 2, day=1), MIRRORED),
        (photo("many02", 2, day=2), TURNED),
        (photo("many03", 2, day=3), BOTH),
        (photo("many04", 2, day=4), PART),
        (photo("many05", 2, day=5), NEGATIVE),
    )
    grown = ("many10", "many11")
    return ring("rlarge", many, varied, changes=(Change.GROWN,), joined=grown, left=("old1",), accounts_per_day=0.5)


def fast() -> Ring:
    tied = group((photo("fast1", day=50), EXACT), (photo("fast2", day=51), EXACT), (photo("fast3", day=51), EXACT))
    return ring(
        "rfast", tied, new=True, changes=(Change.NEW,), joined=("fast1", "fast2", "fast3"), accounts_per_day=2.0
    )


def decided() -> Ring:
    tied = group(
        (photo("done1", day=90), EXACT), (photo("done2", day=99), EXACT), bank="known-stolen", decision="confirm"
    )
    return ring("rdone", tied, decision="confirm", bank="known-stolen")


def avatar() -> Group:
    return group(*((photo(f"common{n}", day=n), EXACT) for n in range(30)), common=True)


def report() -> RingsReport:
    return RingsReport(
        (large(), fast(), decided()),
        (avatar(),),
        (Gone("rgone", ("gone1", "gone2")),),
        NOW - timedelta(days=1),
        0.4,
        Searched(unreadable=3),
    )


@cache
def pictures() -> dict[PictureKey, Shown]:
    """What the photos of ``report`` look like; that of ``fast3`` is gone."""
    known: dict[PictureKey, Shown] = {one.photo_id: shown(drawn(1)) for one in large().groups[0].photos}
    upright = drawn(2)
    known |= {
        "many00-2": shown(upright),
        "many01-2": shown(ImageOps.mirror(upright)),
        "many02-2": shown(upright.transpose(Image.Transpose.ROTATE_270)),
        "many03-2": shown(ImageOps.mirror(upright).transpose(Image.Transpose.ROTATE_270)),
        "many04-2": shown(ImageOps.mirror(upright.crop((20, 20, 90, 110)))),
        "many05-2": shown(ImageOps.invert(ImageOps.mirror(upright))),
    }
    known |= {one.photo_id: shown(drawn(3)) for one in fast().groups[0].photos}
    known["fast3-1"] = Shown(None, 0, 0, "the file is gone")
    known |= {one.photo_id: shown(drawn(4)) for one in decided().groups[0].photos}
    return known | {"common0-1": Shown(*_small(), "this is the stored thumbnail")}


def _small() -> tuple[bytes, int, int]:
    image = photos.picture(5, (60, 60))
    return photos.jpeg(image), *image.size


def page(of: RingsReport | None = None, known: Pictures | None = None, index: str | None = None) -> str:
    return "".join(rings_page(of or report(), pictures() if known is None else known, at=NOW, index=index))
