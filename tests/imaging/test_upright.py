from __future__ import annotations

from io import BytesIO

import numpy as np
import photos
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import SmallPicture, small_picture

ORIENTATION = 0x0112
UPRIGHT = photos.picture(3, (300, 200))

HELD = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # counter-clockwise: a viewer has to turn it clockwise
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the stored pixels differ from the upright picture, by EXIF orientation."""


def exif(orientation: object) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def photo(tag: int, kind: str = "PNG", size: tuple[int, int] = (300, 200), **save: object) -> bytes:
    image = UPRIGHT.resize(size)
    method = HELD[tag]
    file = BytesIO()
    (image if method is None else image.transpose(method)).save(file, kind, exif=exif(tag), **save)
    return file.getvalue()


def small(data: bytes) -> SmallPicture:
    return small_picture(data, Limits())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("tag", HELD)
def test_a_picture_held_in_any_way_comes_out_upright(tag: int, kind: str) -> None:
    found = small(photo(tag, kind, lossless=True))  # which the two others do not know, and are
    assert (found.width, found.height) == (300, 200)
    assert np.abs(found.grey.astype(int) - np.asarray(UPRIGHT.convert("L"))).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
@pytest.mark.parametrize("tag", HELD)
def test_a_lossy_picture_held_in_any_way_comes_out_upright(tag: int, kind: str) -> None:
    size = (2400, 1600) if kind == "JPEG" else (600, 400)  # so large that a JPEG is decoded as a draft
    found = small(photo(tag, kind, size=size, quality=90))
    assert (found.width, found.height) == size
    expected = np.asarray(UPRIGHT.convert("L").resize((found.grey.shape[1], found.grey.shape[0])))
    assert np.abs(found.grey.astype(int) - expected).mean() < 4


@pytest.mark.slow
@given(st.sampled_from(sorted(HELD)), st.integers(509, 516), st.integers(509, 516))
@example(tag=1, width=512, height=512)
@example(tag=6, width=512, height=512)
@settings(max_examples=20, deadline=None)
def test_the_size_is_that_of_the_upright_photo_however_near_it_is_to_a_square(
    tag: int, width: int, height: int
) -> None:
    found = small(photo(tag, "JPEG", size=(2 * width - 1, 2 * height), quality=30))
    assert (found.width, found.height) == (2 * width - 1, 2 * height)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    assert small(photos.jpeg(UPRIGHT, exif=exif(orientation))).width == 300


@pytest.mark.slow
@given(st.binary(max_size=200))
@settings(deadline=None)
def test_damaged_exif_does_not_matter(block: bytes) -> None:
    plain = small(photos.jpeg(UPRIGHT)).grey
    found = small(photos.jpeg(UPRIGHT, exif=b"Exif\0\0" + block)).grey
    assert sorted(found.shape) == sorted(plain.shape)


@given(st.integers(0, 200), st.integers(0, 255))
@settings(deadline=None)
def test_exif_damaged_at_one_byte_does_not_matter(place: int, value: int) -> None:
    block = bytearray(exif(1).tobytes())
    block[6 + place % (len(block) - 6)] = value
    assert sorted(small(photos.jpeg(UPRIGHT, exif=bytes(block))).grey.shape) == [200, 300]


def test_exif_after_the_pixels_of_a_png_counts() -> None:
    data = photo(6)
    at = data.index(b"eXIf") - 4
    length = int.from_bytes(data[at : at + 4], "big") + 12
    chunk, rest = data[at : at + length], data[:at] + data[at + length :]
    end = rest.index(b"IEND") - 4
    late = rest[:end] + chunk + rest[end:]
    assert late.index(b"eXIf") > late.index(b"IDAT")
    assert np.array_equal(small(late).grey, small(data).grey)


def test_orientation_in_xmp_alone_counts() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    file = BytesIO()
    UPRIGHT.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", xmp=xmp)
    found = small(file.getvalue())
    assert (found.width, found.height) == (300, 200)
