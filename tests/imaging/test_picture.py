from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import SmallPicture, small_picture
from imgmatch.imaging.scaling import SHORT_SIDE
from imgmatch.imaging.sizes import KEPT, SMALL_SIDE

FRAMES = [photos.picture(seed, (200, 160)) for seed in (1, 2, 3)]


def small(data: bytes) -> SmallPicture:
    return small_picture(data, Limits())


def animation(kind: str, frames: list[Image.Image], **save: object) -> bytes:
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100, **save)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(kind: str) -> None:
    moving = small(animation(kind, FRAMES))
    first = np.asarray(FRAMES[0].convert("L")).astype(int)
    assert np.abs(moving.grey - first).mean() < 8
    assert (moving.width, moving.height, moving.format) == (200, 160, kind)


@given(st.integers(600, 3000), st.integers(600, 3000))
@settings(max_examples=15, deadline=None)
def test_a_jpeg_decoded_as_a_draft_is_near_the_full_picture(width: int, height: int) -> None:
    data = photos.jpeg(photos.picture(5, (width, height)), 90)
    found = small(data)
    with Image.open(BytesIO(data)) as image:
        full = np.asarray(image.convert("L"))
    expected = cv2.resize(full, found.grey.shape[::-1], interpolation=cv2.INTER_AREA)
    difference = np.abs(found.grey.astype(int) - expected)
    assert difference.mean() < 4  # a size no multiple of eight moves what stands at the far edge by half a pixel


@given(st.integers(32, 2500), st.integers(32, 2500), st.sampled_from(["JPEG", "PNG"]))
@settings(max_examples=40, deadline=None)
def test_the_small_picture_is_about_512_pixels_and_keeps_its_shape(width: int, height: int, kind: str) -> None:
    image = photos.flat((width, height))
    found = small(photos.jpeg(image) if kind == "JPEG" else photos.png(image))
    assert (found.width, found.height) == (width, height)
    tall, wide = found.grey.shape
    if max(width, height) <= round(KEPT * SMALL_SIDE):
        assert (wide, tall) == (width, height)
    elif min(width, height) / max(width, height) * SMALL_SIDE >= SHORT_SIDE:
        assert SMALL_SIDE <= max(wide, tall) <= round(KEPT * SMALL_SIDE)
    assert min(wide, tall) >= SHORT_SIDE
    assert wide * height == pytest.approx(tall * width, rel=2 / min(wide, tall))


@pytest.mark.parametrize("size", [(9000, 40), (40, 9000), (30_000, 32), (3000, 100)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_long_strip_keeps_its_short_side(size: tuple[int, int], kind: str) -> None:
    strip = photos.picture(2, (640, 480)).resize(size)
    found = small(photos.jpeg(strip) if kind == "JPEG" else photos.png(strip))
    assert min(found.grey.shape) >= SHORT_SIDE
    assert (found.width, found.height) == size


def test_the_small_picture_is_one_block_of_memory() -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert small(photos.jpeg(FRAMES[0], exif=exif)).grey.flags.c_contiguous


def test_the_same_pixels_come_out_of_every_lossless_format() -> None:
    files = []
    for kind, save in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        file = BytesIO()
        FRAMES[0].save(file, kind, **save)
        files.append(small(file.getvalue()).grey)
    assert all(np.array_equal(files[0], other) for other in files[1:])
