"""The digest of a photo's pixels: the same for the same pixels, colours among them, and for nothing else."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import photos
import pytest
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch import Kind, compare
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture
from imgmatch.imaging.scaling import scaled_size, shrunk
from imgmatch.imaging.sizes import SMALL_SIDE

PICTURE = photos.picture(5, (500, 400))
GOLDEN = {(500, 400): "e435aa15006647b2aa8609e0ef66933b", (1100, 900): "e03ab6dce507db5b0e4efeaf90bdc5bc"}
"""Of pictures drawn by formula, in colour and in files without losses, by width and height."""


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def described(data: bytes) -> Description:
    with open_runner("in-process", 1, Settings(("phash",), features=False)) as runner:
        ((_, reply),) = runner.describe([data], Job)
    assert isinstance(reply, Description), reply
    return reply


def digest(data: bytes) -> str:
    return described(data).first.pixels.hex()


def recoloured(image: Image.Image) -> Image.Image:
    """A picture of luma and chroma with its chroma planes changed for each other."""
    luma, blue, red = image.convert("YCbCr").split()
    return Image.merge("YCbCr", (luma, red, blue))


def toned(grey: Image.Image) -> Image.Image:
    """A grey picture with each grey in a colour of exactly its luma."""
    levels = np.arange(256)
    tones = np.stack([levels + 14, levels - 7, levels], axis=-1).clip(0, 255).astype(np.uint8)
    luma = np.asarray(Image.fromarray(tones[np.newaxis]).convert("L"))[0]
    tones[luma != levels] = levels[luma != levels, np.newaxis]
    assert (luma == levels).sum() > 100
    return Image.fromarray(tones[np.asarray(grey)])


@pytest.mark.parametrize("size", GOLDEN)
def test_the_digest_of_a_picture_in_colour_outlives_releases(size: tuple[int, int]) -> None:
    picture = np.stack([drawn(seed, *size[::-1]) for seed in (1, 2, 3)], axis=-1)
    assert digest(photos.png(Image.fromarray(picture))) == GOLDEN[size]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(500, 400), (900, 700), (2400, 1800)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_saving_a_photo_without_losses_keeps_its_digest(mode: str, size: tuple[int, int]) -> None:
    image = PICTURE.resize(size).convert(mode)
    files = [packed(image, "PNG"), packed(image, "TIFF"), packed(image, "WEBP", lossless=True)]
    files += [packed(image, "PNG", compress_level=0), packed(image, "TIFF", compression="tiff_lzw")]
    files += [packed(image.convert("RGB"), "BMP")]
    if mode == "L":
        files += [packed(image.convert("P"), "PNG")]
    assert len({digest(data) for data in files}) == 1


@pytest.mark.parametrize("size", [(500, 400), (2000, 1500)])
def test_the_same_coefficients_in_another_order_keep_the_digest(size: tuple[int, int]) -> None:
    image = PICTURE.resize(size)
    assert digest(photos.jpeg(image)) == digest(photos.jpeg(image, progressive=True))
    assert digest(photos.jpeg(image)) == digest(photos.jpeg(image, optimize=True, comment=b"another"))


@pytest.mark.slow
@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("size", [(500, 401), (641, 333)])
def test_a_photo_that_is_turned_by_its_metadata_or_its_pixels_has_one_digest(tag: int, size: tuple[int, int]) -> None:
    held = PICTURE.resize(size)
    exif = Image.Exif()
    exif[0x0112] = tag
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = held.transpose(turns[tag]) if tag in turns else held
    assert digest(packed(held, "PNG", exif=exif)) == digest(packed(upright, "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "BMP"])
def test_a_picture_without_colour_has_the_digest_of_its_grey(kind: str) -> None:
    grey = PICTURE.convert("L")
    save = {"lossless": True} if kind == "WEBP" else {}
    assert digest(packed(grey.convert("RGB"), kind, **save)) == digest(packed(grey, "PNG"))


def test_a_jpeg_without_colour_has_the_digest_of_its_grey() -> None:
    luma = PICTURE.convert("L")
    blank = Image.new("L", luma.size, 128)
    coloured = Image.merge("YCbCr", (luma, blank, blank))
    assert digest(photos.jpeg(coloured)) == digest(photos.jpeg(luma))


def test_equal_grey_in_other_colours_is_near_at_no_bit_and_not_exact() -> None:
    grey = PICTURE.convert("L")
    for one, other in (
        (photos.jpeg(PICTURE.convert("YCbCr")), photos.jpeg(recoloured(PICTURE))),
        (photos.png(grey), photos.png(toned(grey))),
        (photos.png(toned(grey)), packed(toned(grey).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG")),
    ):
        assert digest(one) != digest(other)
    found = compare(photos.png(grey), photos.png(toned(grey)))
    assert np.array_equal(np.asarray(toned(grey).convert("L")), np.asarray(grey))
    assert (found.is_match, found.evidence.kind, found.evidence.distance) == (True, Kind.NEAR, 0)
    assert compare(photos.png(grey), packed(grey, "TIFF")).evidence.kind is Kind.EXACT


@pytest.mark.parametrize("left", [0, 250, 492])
def test_one_patch_in_another_colour_is_another_picture(left: int) -> None:
    grey = PICTURE.convert("L")
    patched = grey.convert("RGB")
    box = (left, 200, left + 8, 208)
    patched.paste(toned(grey).crop(box), box)
    assert digest(photos.png(patched)) != digest(photos.png(grey))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_left_of_a_photo_has_not_the_digest_of_the_whole(kind: str) -> None:
    data = packed(PICTURE, kind)
    for share in (0.03, 0.2, 0.4):
        assert digest(data[: len(data) - round(len(data) * share)]) != digest(data)


@given(st.integers(32, 1600), st.integers(32, 1600), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_luma_is_the_same_whether_or_not_chroma_is_decoded(
    width: int,
    height: int,
    subsampling: str,
    progressive: bool,  # noqa: FBT001 -- drawn
) -> None:
    data = photos.jpeg(PICTURE.resize((width, height)), subsampling=subsampling, progressive=progressive)
    planes = {}
    for mode in ("L", "YCbCr"):
        with Image.open(BytesIO(data)) as image:
            image.draft(mode, scaled_size(width, height, SMALL_SIDE))
            planes[mode] = np.asarray(image)
    assert np.array_equal(planes["L"], planes["YCbCr"][..., 0])
    grey = shrunk(planes["L"], width, height, SMALL_SIDE)
    assert np.array_equal(grey, small_picture(data, Limits()).grey)


@given(st.integers(641, 1500), st.integers(641, 1500), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_a_channel_is_scaled_alike_alone_and_among_others(width: int, height: int, times: int) -> None:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    together = shrunk(pixels, width * times, height * times, 512)
    alone = shrunk(np.asarray(cv2.extractChannel(pixels, 0)), width * times, height * times, 512)
    assert np.array_equal(together[..., 0], alone)
