from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
import screens
from PIL import Image, ImageDraw

from imgmatch import registry
from imgmatch.demo.portraits import portrait
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job, Unchanged
from imgmatch.describing.settings import Settings
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture
from imgmatch.model import ORIENTATIONS, Failure, SkipReason

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = photos.picture(11)
ALL = tuple(sorted(registry.HASHERS))


def described(data: bytes | Path, hashers: tuple[str, ...] = ALL, *, query: bool = False) -> Description:
    reply = Describer(Settings(hashers)).describe(Job(data, query=query))
    assert isinstance(reply, Description), reply
    return reply


def test_every_hasher_that_was_asked_for_gives_its_fingerprint() -> None:
    data = photos.jpeg(PICTURE)
    grey = small_picture(data, Limits()).grey
    found = described(data)
    assert found.first.fingerprints == {name: registry.hasher(name).fingerprint(grey).tobytes() for name in ALL}
    assert found.first.orientations == {}
    assert list(described(data, ("dhash",)).first.fingerprints) == ["dhash"]


def test_a_query_gets_the_fingerprints_of_all_orientations() -> None:
    found = described(photos.jpeg(PICTURE), query=True)
    for name in ALL:
        codes = np.frombuffer(found.first.orientations[name], np.uint8).reshape(len(ORIENTATIONS), 32)
        assert codes[0].tobytes() == found.first.fingerprints[name]
        assert len(np.unique(codes, axis=0)) == 8


def test_a_file_and_its_bytes_are_described_alike(tmp_path: Path) -> None:
    data = photos.jpeg(PICTURE)
    (tmp_path / "1.jpg").write_bytes(data)
    found = described(data)
    assert described(tmp_path / "1.jpg") == found
    assert found.sha256 == hashlib.sha256(data).digest()
    assert (found.width, found.height, found.format) == (480, 600, "JPEG")
    assert 50 <= found.quality <= 100


def test_bytes_that_are_known_already_are_not_decoded() -> None:
    damaged = b"no picture at all"
    known = hashlib.sha256(damaged).digest()
    assert Describer(Settings()).describe(Job(damaged, known)) == Unchanged()
    assert isinstance(Describer(Settings()).describe(Job(damaged, bytes(32))), Failure)


@pytest.mark.parametrize("query", [True, False])
def test_a_job_may_do_without_features_and_all_else_stays_the_same(*, query: bool) -> None:
    with_some = described(photos.jpeg(PICTURE), query=query)
    without = Describer(Settings(ALL)).describe(Job(photos.jpeg(PICTURE), query=query, features=False))
    assert (with_some.first.asked is not None, with_some.first.stored is not None) == (query, not query)
    assert without == replace(with_some, pictures=(replace(with_some.first, asked=None, stored=None),))
    of_settings = Describer(Settings(ALL, features=False)).describe(Job(photos.jpeg(PICTURE), query=query))
    assert of_settings == without


def test_pixels_are_equal_under_other_metadata_and_another_lossless_format() -> None:
    first = described(photos.png(PICTURE))
    file = BytesIO()
    PICTURE.save(file, "WEBP", lossless=True, xmp=b"<x/>")
    second = described(file.getvalue())
    assert first.first.pixels == second.first.pixels
    assert first.sha256 != second.sha256
    assert len(first.first.pixels) == 16


def test_pixels_differ_where_one_pixel_or_the_size_does() -> None:
    changed = PICTURE.copy()
    changed.putpixel((5, 5), (0, 0, 0))
    changed.putpixel((6, 5), (255, 255, 255))
    turned = Image.fromarray(np.asarray(PICTURE).reshape(480, 600, 3))
    digests = {described(photos.png(image)).first.pixels for image in (PICTURE, changed, turned)}
    assert len(digests) == 3


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
def test_a_picture_of_one_colour_is_flat(colour: tuple[int, int, int]) -> None:
    reply = Describer(Settings()).describe(Job(photos.jpeg(photos.flat(colour=colour))))
    assert isinstance(reply, Failure)
    assert reply.reason is SkipReason.FLAT
    assert reply.detail


def test_a_photo_that_cannot_be_used_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    describer = Describer(Settings(limits=Limits(file_bytes=1000)))
    photos_of: dict[SkipReason, Path | bytes] = {
        SkipReason.MISSING: tmp_path / "none.jpg",
        SkipReason.UNREADABLE: tmp_path,
        SkipReason.TOO_LARGE: bytes(1001),
        SkipReason.TOO_SMALL: photos.png(photos.flat((8, 8))),
    }
    for reason, photo in photos_of.items():
        reply = describer.describe(Job(photo))
        assert isinstance(reply, Failure)
        assert reply.reason is reason
        assert reply.detail


@pytest.mark.parametrize("query", [False, True])
def test_photos_on_a_page_are_pictures_behind_that_of_the_page(*, query: bool) -> None:
    page = photos.jpeg(screens.profile(portrait(1)))
    whole, *panels = described(page, query=query).pictures
    assert whole.panel is None
    assert len(panels) >= 4  # the round face and three friends
    for one in panels:
        assert one.panel is not None
        assert (one.frame, one.share, one.flat) == (None, None, None)
        assert one.fingerprints.keys() == whole.fingerprints.keys()
        assert (one.stored is None, one.asked is None) == (query, not query)
    assert len({one.pixels for one in (whole, *panels)}) == len(panels) + 1


def test_a_page_and_its_panels_are_described_as_one_where_no_features_are_wanted_or_one_frame_is() -> None:
    page = photos.jpeg(screens.profile(portrait(1)))
    for job in (Job(page, features=False), Job(page, frame=1), Job(page, frame=1, query=True)):
        reply = Describer(Settings()).describe(job)
        assert isinstance(reply, Description)
        assert len(reply.pictures) == 1


def test_what_is_drawn_on_a_page_is_no_photo() -> None:
    page = Image.new("RGB", screens.SIZE, "white")
    pen = ImageDraw.Draw(page)
    page.paste(screens.fitted(portrait(3), (540, 700)), (0, 0))
    pen.rounded_rectangle((60, 760, 480, 830), 20, fill=(30, 120, 240))
    for place in range(3):
        left = 40 + 160 * place
        pen.rectangle((left, 900, left + 130, 1030), fill=(220, 220, 220))
        screens.words(pen, 910, 3)
    assert [one.panel for one in described(photos.jpeg(page)).pictures if one.panel is not None] == []
