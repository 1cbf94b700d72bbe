from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter

from imgmatch.errors import PhotoError
from imgmatch.imaging.colour import to_colour
from imgmatch.imaging.grey import BAND_PIXELS
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture
from imgmatch.imaging.profiles import PROFILE_BYTES
from imgmatch.imaging.view import QUALITY, View, view
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = (320, 240)
PICTURE = photos.picture(7, SIZE).filter(ImageFilter.GaussianBlur(2))
ORIENTATION = 0x0112


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def shown(found: View) -> Image.Image:
    image = Image.open(BytesIO(found.jpeg))
    image.load()
    return image


def apart(found: View, expected: Image.Image) -> float:
    """The mean difference, in levels of 0 to 255."""
    pixels = np.asarray(shown(found)).astype(float)
    return float(np.abs(pixels - np.asarray(expected.convert("RGB").resize((found.width, found.height)))).mean())


def opaque(mode: str) -> Image.Image:
    image = PICTURE.convert(mode)
    image.putalpha(255)
    return image


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257)


def lab() -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB", 6504)
    found = ImageCms.profileToProfile(PICTURE, *profiles, outputMode="LAB")
    assert found is not None
    found.info = {}
    return found


# Drawn by the test that wants one, not by every process that collects the tests.
FILES: dict[str, tuple[Callable[[], Image.Image], str, dict[str, object]]] = {
    "L": (lambda: PICTURE.convert("L"), "PNG", {}),
    "LA": (lambda: opaque("L"), "PNG", {}),
    "P": (lambda: PICTURE.quantize(256), "PNG", {}),
    "P with transparency": (lambda: PICTURE.quantize(255), "PNG", {"transparency": bytes([255] * 255)}),
    "P in a GIF": (lambda: PICTURE.quantize(255), "GIF", {}),
    "RGB": (lambda: PICTURE, "JPEG", {"quality": 95}),
    "RGBA": (lambda: opaque("RGB"), "PNG", {}),
    "RGBA in a WebP": (lambda: opaque("RGB"), "WEBP", {"lossless": True}),
    "CMYK in a JPEG": (lambda: PICTURE.convert("CMYK"), "JPEG", {"quality": 95}),
    "CMYK in a TIFF": (lambda: PICTURE.convert("CMYK"), "TIFF", {}),
    "YCbCr in a TIFF": (lambda: PICTURE.convert("YCbCr"), "TIFF", {}),
    "LAB": (lab, "TIFF", {}),
    "I;16": (sixteen_bits, "PNG", {}),
    "AVIF": (lambda: PICTURE, "AVIF", {"quality": 95}),
}
GREY = {"L", "LA", "I;16"}


@pytest.mark.parametrize("name", FILES)
def test_every_mode_keeps_its_colours(name: str) -> None:
    draw, kind, save = FILES[name]
    image = draw()
    found = view(packed(image, kind, **save), Limits())
    expected = PICTURE.convert("L") if name in GREY else PICTURE
    assert (found.width, found.height) == SIZE
    assert apart(found, expected) < (6 if image.mode in {"P", "LAB"} else 3)


def test_alpha_is_laid_over_white() -> None:
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 128))
    assert np.abs(np.asarray(shown(view(photos.png(image), Limits()))).astype(int) - (227, 127, 127)).max() <= 3


@pytest.mark.slow
def test_the_first_frame_of_an_animation_is_shown() -> None:
    frames = [PICTURE, photos.picture(8, SIZE), photos.picture(9, SIZE)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = packed(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert apart(view(data, Limits()), PICTURE) < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_it_is_upright_and_says_nothing_of_the_file(tag: int, kind: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    exif[0x010E] = "Lena at home"
    size = SIZE if tag < 5 else SIZE[::-1]
    held = PICTURE.resize(size)
    found = view(packed(held, kind, exif=exif), Limits())
    grey = small_picture(packed(held, kind, exif=exif), Limits()).grey
    assert (found.width, found.height) == SIZE
    assert np.abs(np.asarray(shown(found).convert("L")).astype(int) - grey).mean() < 3
    assert set(shown(found).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"Lena" not in found.jpeg
    assert b"Exif" not in found.jpeg


def test_a_comment_and_a_profile_stay_behind() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = view(packed(PICTURE, "JPEG", comment=b"from Lena", icc_profile=profile, quality=95), Limits())
    assert apart(found, PICTURE) < 3
    assert b"Lena" not in found.jpeg
    assert b"ICC_PROFILE" not in found.jpeg


def test_the_colours_of_a_profile_become_those_of_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A made-up device whose red light is blue: each primary stands once in the table of tags.
    odd = srgb.replace(b"rXYZ", b"gold").replace(b"bXYZ", b"rXYZ").replace(b"gold", b"bXYZ")
    red = photos.flat((64, 64), (220, 40, 40))
    assert apart(view(packed(red, "PNG", icc_profile=odd), Limits()), photos.flat((64, 64), (40, 40, 220))) < 4


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * (PROFILE_BYTES + 1), "LAB"])
def test_a_profile_that_does_not_fit_changes_nothing(profile: bytes | str) -> None:
    if isinstance(profile, str):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert apart(view(packed(PICTURE, "TIFF", icc_profile=profile), Limits()), PICTURE) < 3


@given(st.integers(32, 1500), st.integers(32, 1500), st.sampled_from(["JPEG", "PNG"]), st.integers(16, 700))
@settings(max_examples=30, deadline=None)
def test_it_is_no_larger_than_asked_for_and_keeps_its_shape(width: int, height: int, kind: str, side: int) -> None:
    found = view(packed(photos.flat((width, height)), kind), Limits(), side)
    assert max(found.width, found.height) == min(side, max(width, height))
    scale = min(1.0, side / max(width, height))
    assert found.width == pytest.approx(max(1.0, width * scale), abs=0.5)
    assert found.height == pytest.approx(max(1.0, height * scale), abs=0.5)
    assert shown(found).size == (found.width, found.height)


def test_a_jpeg_decoded_as_a_draft_looks_like_the_full_picture() -> None:
    large = PICTURE.resize((2560, 1920))
    assert apart(view(photos.jpeg(large, 90), Limits()), PICTURE) < 3


def test_a_picture_converted_band_by_band_is_whole() -> None:
    copies = BAND_PIXELS // (SIZE[0] * SIZE[1]) + 2
    tall = Image.new("RGBA", (SIZE[0], SIZE[1] * copies))
    for copy in range(copies):
        tall.paste(PICTURE, (0, copy * SIZE[1]))
    assert np.array_equal(to_colour(tall), np.tile(np.asarray(PICTURE), (copies, 1, 1)))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"", Limits()),
        (b"<html>", Limits()),
        (photos.jpeg(PICTURE)[:900], Limits()),
        (photos.png(PICTURE), Limits(file_bytes=100)),
        (photos.png(PICTURE), Limits(pixels=70_000)),
        (photos.png(PICTURE), Limits(pixels=700)),
        (photos.png(PICTURE), Limits(side=300)),
        (photos.png(PICTURE), Limits(min_side=300)),
    ],
)
def test_it_refuses_what_the_small_picture_refuses_in_the_same_words(data: bytes, limits: Limits) -> None:
    with pytest.raises(PhotoError) as refused:
        small_picture(data, limits)
    with pytest.raises(PhotoError) as found:
        view(data, limits)
    assert (found.value.reason, str(found.value)) == (refused.value.reason, str(refused.value))
    assert isinstance(found.value.reason, SkipReason)


def test_the_same_bytes_give_the_same_jpeg() -> None:
    data = photos.png(PICTURE)
    assert view(data, Limits()) == view(data, Limits())
    assert len(view(data, Limits()).jpeg) < 40_000
    assert QUALITY < 90


@pytest.mark.slow
@pytest.mark.shared
def test_real_files_are_shown_or_refused_as_they_are_searched(shared: Path) -> None:
    paths = sorted(path for path in (shared / "formats").rglob("*") if path.is_file())
    assert len(paths) > 40
    for path in paths:
        data = path.read_bytes()
        try:
            grey = small_picture(data, Limits()).grey
        except PhotoError:
            with pytest.raises(PhotoError):
                view(data, Limits())
            continue
        found = view(data, Limits(), max(grey.shape))
        assert (found.height, found.width) == grey.shape, path
        pixels = np.asarray(shown(found).convert("L")).astype(int)
        # A picture with a profile of its own is lighter or darker by a little in sRGB.
        assert np.abs(pixels - grey).mean() < 12, path


@pytest.mark.shared
@pytest.mark.parametrize("name", ["CMYK.jpg", "LAB.webp", "P.png", "RGBA.png", "YCbCr.jpg", "HSV.webp"])
def test_real_files_of_every_mode_show_the_same_colours(shared: Path, name: str) -> None:
    modes = shared / "formats/modes"
    with Image.open(modes / "original.jpg") as original:
        assert apart(view((modes / name).read_bytes(), Limits()), original) < 12
