"""Records and thumbnails of a stranger's index: looked at before they are unpacked or decoded."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgmatch import damage
from imgmatch.features.codebook import shipped
from imgmatch.features.extract import extract
from imgmatch.features.record import (
    MOST_THUMBNAIL_BYTES,
    NOTHING,
    THUMBNAIL_SIDE,
    check_thumbnail,
    open_thumbnail,
    opened_thumbnail,
    pack,
    thumbnail,
    unpack,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.features.codebook import U8

LISTS = shipped().lists


@pytest.fixture(autouse=True)
def _told_anew() -> Iterator[None]:
    damage.forget()
    yield
    damage.forget()


def grey(seed: int, size: tuple[int, int] = (480, 600)) -> U8:
    return np.asarray(photos.picture(seed, size).convert("L"), np.uint8)


def packed(image: Image.Image, form: str = "JPEG", **save: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **save)
    return file.getvalue()


def png_of(width: int, height: int) -> bytes:
    """The head of a picture as large as it says, and nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(480, 600), (600, 90), (96, 96), (40, 31), (200, 1), (1, 1)])
def test_every_thumbnail_of_ours_is_opened(size: tuple[int, int]) -> None:
    data = thumbnail(grey(1, size))
    check_thumbnail(data)
    assert max(open_thumbnail(data).shape) <= THUMBNAIL_SIDE


def test_a_thumbnail_of_noise_stays_far_below_what_is_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 96), dtype=np.uint8)
    assert len(thumbnail(noise)) < MOST_THUMBNAIL_BYTES / 2


LARGE = packed(Image.new("L", (97, 90)))
SMALL = packed(Image.new("L", (96, 90)))
STRANGE = {
    "garbage": b"garbage!" * 20,
    "png": png_of(30_000, 30_000),
    "larger": LARGE,
    "far larger": SMALL[:2] + SMALL[2:].replace(struct.pack(">HH", 90, 96), struct.pack(">HH", 65_000, 65_000), 1),
    "no size": SMALL.replace(struct.pack(">HH", 90, 96), struct.pack(">HH", 0, 96), 1),
    "colour": packed(Image.new("RGB", (96, 90))),
    "many bytes": SMALL + bytes(MOST_THUMBNAIL_BYTES),
    "head alone": SMALL[:20],
    "turned by a note": packed(Image.new("L", (96, 90)), exif=b"Exif\0\0II*\0"),
    "gif": packed(Image.new("L", (90, 90)), "GIF"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_small_grey_jpeg_is_refused_before_it_is_decoded(kind: str) -> None:
    with pytest.raises(ValueError, match="thumbnail"):
        check_thumbnail(STRANGE[kind])
    assert opened_thumbnail(STRANGE[kind]) is None
    assert damage.met() == {"features.thumbnail": 1}


@given(place=st.integers(0, len(SMALL) - 1), value=st.integers(0, 255), cut=st.integers(0, len(SMALL)))
def test_a_damaged_thumbnail_is_a_small_picture_or_none(place: int, value: int, cut: int) -> None:
    for data in (SMALL[:cut], SMALL[:place] + bytes([value]) + SMALL[place + 1 :]):
        picture = opened_thumbnail(data)
        assert picture is None or max(picture.shape) <= THUMBNAIL_SIDE


def test_no_thumbnail_is_none_and_no_damage() -> None:
    assert opened_thumbnail(None) is opened_thumbnail(b"") is None
    assert damage.met() == {}


@pytest.mark.parametrize("at", [4, 6])
def test_a_record_of_a_picture_without_a_side_is_refused(at: int) -> None:
    data = bytearray(pack(extract(grey(1)), shipped()))
    assert len(unpack(bytes(data), LISTS)) > 20
    data[at : at + 2] = bytes(2)
    with pytest.raises(ValueError, match="feature record"):
        unpack(bytes(data), LISTS)


def test_a_record_that_names_a_list_the_codebook_has_not_is_taken_for_one_without_points() -> None:
    data = bytearray(pack(extract(grey(1)), shipped()))
    count = int.from_bytes(data[2:4], "little")
    data[40 + 6 * count : 42 + 6 * count] = LISTS.to_bytes(2, "little")
    with pytest.raises(ValueError, match="list"):
        unpack(bytes(data), LISTS)
    assert unpacked(bytes(data), LISTS) is NOTHING
    assert damage.met() == {"features.record": 1}


@given(st.binary(max_size=200))
def test_whatever_a_record_is_it_is_unpacked_or_refused(data: bytes) -> None:
    found = unpacked(data, LISTS)
    assert len(found.points) == len(found.lists) == len(found.codes)
    assert found.width > 0
    assert found.height > 0
