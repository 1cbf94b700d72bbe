from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import photos
import pytest
from PIL import Image

from imgmatch.actions.pictures import stored_pictures, viewed
from imgmatch.imaging.sizes import SHOWN_SIDE
from imgmatch.index import Index
from imgmatch.model import Failure, NamedPhoto, NewPhoto, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURE = photos.picture(5, (900, 600))


@pytest.fixture(params=[True, False], ids=["thumbnails", "none"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": PICTURE}})
    with Index.create(tmp_path / "index", thumbnails=request.param) as made:
        made.add([NewPhoto.at(tmp_path / "photos" / "a" / "1.jpg", account="a", photo_id="p")])
        yield made


def opened(jpeg: bytes | None) -> Image.Image:
    assert jpeg is not None
    return Image.open(BytesIO(jpeg))


def test_a_stored_photo_is_shown_from_its_file_in_colour(index: Index) -> None:
    picture = stored_pictures(index.parts, ["p"])["p"]
    assert (picture.width, picture.height, picture.note) == (SHOWN_SIDE, SHOWN_SIDE * 2 // 3, None)
    assert opened(picture.jpeg).mode == "RGB"


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_file_that_is_gone_or_changed_gives_the_thumbnail_and_says_so(
    index: Index, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "photos" / "a" / "1.jpg"
    if what == "gone":
        path.unlink()
    else:
        path.write_bytes(photos.jpeg(photos.picture(6)))
    picture = stored_pictures(index.parts, ["p"])["p"]
    assert picture.note is not None
    assert picture.note.startswith("the file has changed" if what == "changed" else "the file cannot be read")
    with index.parts.catalog.read() as session:
        kept = session.sql.exec_driver_sql("SELECT thumbnail FROM features").scalar()
    if kept is None:
        assert (picture.jpeg, "no thumbnail" in picture.note) == (None, True)
    else:
        assert max(opened(picture.jpeg).size) == SHOWN_SIDE
        assert "thumbnail" in picture.note


def test_queries_are_shown_in_order_and_those_that_cannot_say_why(index: Index) -> None:
    asked = [
        NamedPhoto("a", photos.png(PICTURE)),
        NamedPhoto("b", b"junk"),
        NamedPhoto("c", Failure(SkipReason.REFUSED, "outside")),
    ]
    first, second, third = viewed(index.parts.runner, asked)
    assert first.width == SHOWN_SIDE
    assert (second.jpeg, third.jpeg, third.note) == (None, None, "refused: outside")
    assert second.note is not None
    assert second.note.startswith("unreadable")
