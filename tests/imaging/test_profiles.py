from __future__ import annotations

from io import BytesIO

import numpy as np
import photos
import pytest
from drawn_profiles import DISPLAY_P3, PROPHOTO, SRGB, gamma, grey_profile, ink_profile, rgb_profile, srgb_curve
from PIL import Image, ImageCms

from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture
from imgmatch.imaging.profiles import PROFILE_BYTES
from imgmatch.imaging.view import view

PICTURE = photos.picture(7, (320, 240))
NEGATIVE = rgb_profile(SRGB, srgb_curve(inverted=True))
PASSED_OVER = {
    "sRGB": rgb_profile(SRGB, srgb_curve()),
    "sRGB of LittleCMS": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "the primaries of sRGB, gamma 2.2": rgb_profile(SRGB, gamma(2.2)),
}
APPLIED = {
    "Display P3": rgb_profile(DISPLAY_P3, srgb_curve()),
    "ProPhoto": rgb_profile(PROPHOTO, gamma(1.8)),
    "linear light": rgb_profile(SRGB, gamma(1.0)),
    "red for blue": rgb_profile(SRGB[::-1], srgb_curve()),
    "negative": NEGATIVE,
}


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def grey(image: Image.Image, kind: str = "PNG", **save: object) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return small_picture(packed(image, kind, **save), Limits()).grey


def apart(one: object, other: object) -> float:
    """The mean difference, in levels of 0 to 255."""
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("name", PASSED_OVER)
def test_a_profile_that_looks_like_srgb_changes_no_bit(name: str, kind: str) -> None:
    assert np.array_equal(grey(PICTURE, kind, icc_profile=PASSED_OVER[name]), grey(PICTURE, kind))


@pytest.mark.parametrize("value", [2.2, 2.1])
def test_grey_of_about_the_gamma_of_srgb_changes_no_bit(value: float) -> None:
    luma = PICTURE.convert("L")
    assert np.array_equal(grey(luma, icc_profile=grey_profile(gamma(value))), np.asarray(luma))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("name", APPLIED)
def test_a_profile_that_changes_what_people_see_is_applied_as_on_pages(name: str, kind: str) -> None:
    data = packed(PICTURE, kind, icc_profile=APPLIED[name])
    shown = Image.open(BytesIO(view(data, Limits()).jpeg)).convert("L")
    found = small_picture(data, Limits())
    assert apart(found.grey, shown) < 3
    assert apart(found.grey, grey(PICTURE, kind)) > 1


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_a_photo_that_is_stored_as_its_negative_is_seen_as_people_see_it(mode: str) -> None:
    numbers = Image.fromarray(255 - np.asarray(PICTURE)).convert(mode)
    profile = grey_profile(srgb_curve(inverted=True)) if mode == "L" else NEGATIVE
    assert apart(grey(numbers, icc_profile=profile), PICTURE.convert("L")) < (12 if mode == "P" else 6)


def test_the_larger_picture_of_a_query_is_of_the_same_colours() -> None:
    numbers = Image.fromarray(255 - np.asarray(PICTURE.resize((2000, 1500))))
    found = small_picture(packed(numbers, "JPEG", icc_profile=NEGATIVE), Limits(), large=True)
    assert max(found.large.shape) > max(found.grey.shape)
    assert apart(found.large, PICTURE.convert("L").resize(found.large.shape[::-1])) < 6


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_profile_of_a_press_is_applied(kind: str) -> None:
    level = np.linspace(0, 255, 320, dtype=np.uint8)
    inks = np.zeros((240, 320, 4), np.uint8)
    inks[..., 3] = level
    found = grey(Image.fromarray(inks, "CMYK"), kind, icc_profile=ink_profile())
    assert found[:, :20].max() < 40
    assert found[:, -20:].min() > 200
    assert grey(Image.fromarray(inks, "CMYK"), kind)[:, :20].min() > 200


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        NEGATIVE[:200],
        NEGATIVE[:-2000],
        NEGATIVE[:128] + b"\xff" * 400,
        grey_profile(srgb_curve(inverted=True)),
        ink_profile(),
        rgb_profile(SRGB, srgb_curve(inverted=True), more=PROFILE_BYTES),
    ],
    ids=["none", "head", "cut", "damaged", "grey", "inks", "huge"],
)
def test_a_profile_that_cannot_be_used_makes_no_photo_unreadable(profile: bytes) -> None:
    assert np.array_equal(grey(PICTURE, "TIFF", icc_profile=profile), grey(PICTURE, "TIFF"))
