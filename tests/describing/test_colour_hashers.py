"""A hasher may look at colours: none that ships does, so the one here is put into the table."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image

from imgmatch import registry
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.hashers.base import HasherProfile
from imgmatch.hashers.turns import oriented
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.hashers.base import Codes, Rgb


def sideways() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


PICTURE = photos.picture(3, (700, 500))
# Drawn by the test that wants one, not by every process that collects the tests.
FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: photos.jpeg(PICTURE),
    "small JPEG": lambda: photos.jpeg(PICTURE.resize((300, 200))),
    "large JPEG": lambda: photos.jpeg(photos.picture(3, (2100, 1500))),
    "JPEG that keeps RGB": lambda: photos.jpeg(PICTURE, 95, keep_rgb=True),
    "JPEG in grey": lambda: photos.jpeg(PICTURE.convert("L")),
    "JPEG of inks": lambda: photos.jpeg(PICTURE.convert("CMYK")),
    "JPEG on its side": lambda: photos.jpeg(PICTURE, exif=sideways()),
    "PNG": lambda: photos.png(PICTURE),
    "PNG with a palette": lambda: photos.png(PICTURE.quantize(256)),
    "PNG in grey": lambda: photos.png(PICTURE.convert("L")),
    "PNG with alpha": lambda: photos.png(PICTURE.convert("RGBA")),
}


@cache
def file(name: str) -> bytes:
    return FILES[name]()


class WarmTiles:
    """Which of 16x16 tiles have more red than blue."""

    __slots__ = ()
    name = "warm"
    profile = HasherProfile(20, 5, 30, near_slope=-0.3, near_shift=12.0, input="rgb")

    def fingerprint(self, rgb: Rgb) -> Codes:
        first: Codes = self.orientations(rgb)[0]
        return first

    def orientations(self, rgb: Rgb) -> Codes:
        assert rgb.shape[2:] == (3,)
        tiles = np.asarray(Image.fromarray(rgb).resize((16, 16), Image.Resampling.BOX))
        warm = tiles[..., 0] > tiles[..., 2]
        return np.stack([np.packbits(one) for one in oriented(warm)])

    def turned(self, codes: Codes) -> Codes:
        raise NotImplementedError


@pytest.fixture
def _warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.HASHERS, "warm", f"{__name__}:WarmTiles")


def described(data: bytes, *hashers: str, query: bool = False) -> Description:
    with open_runner("in-process", 1, Settings(hashers)) as runner:
        ((_, reply),) = runner.describe([data], lambda one: Job(one, query=query))
    assert isinstance(reply, Description), reply
    return reply


@pytest.mark.usefixtures("_warm")
@pytest.mark.parametrize("query", [False, True])
def test_a_hasher_of_colours_is_given_the_small_picture_in_colour(*, query: bool) -> None:
    rgb = small_picture(file("PNG"), Limits(), colour=True).rgb
    assert rgb is not None
    found = described(file("PNG"), "warm", query=query)
    assert found.first.fingerprints == {"warm": WarmTiles().fingerprint(rgb).tobytes()}
    assert found.first.orientations == ({"warm": WarmTiles().orientations(rgb).tobytes()} if query else {})


@pytest.mark.usefixtures("_warm")
@pytest.mark.parametrize("name", FILES)
def test_nothing_else_changes_beside_a_hasher_of_colours(name: str) -> None:
    without, beside = described(file(name), "phash", "pdq"), described(file(name), "phash", "warm", "pdq")
    assert {name: beside.first.fingerprints[name] for name in without.first.fingerprints} == without.first.fingerprints
    assert (beside.first.pixels, beside.first.stored, beside.quality) == (
        without.first.pixels,
        without.first.stored,
        without.quality,
    )


@pytest.mark.parametrize("name", FILES)
def test_the_picture_in_colour_lies_as_the_grey_one_does_and_that_stays_what_it_is(name: str) -> None:
    grey, both = small_picture(file(name), Limits()), small_picture(file(name), Limits(), colour=True)
    assert grey.rgb is None
    assert both.rgb is not None
    assert np.array_equal(grey.grey, both.grey)
    assert both.rgb.shape == (*both.grey.shape, 3)
    assert both.rgb.dtype == np.uint8
    luma = np.asarray(Image.fromarray(both.rgb).convert("L")).astype(int)
    assert np.abs(luma - both.grey).mean() < 3


def test_colours_are_those_of_the_photo() -> None:
    for data in (file("PNG"), file("JPEG"), file("JPEG that keeps RGB"), file("PNG with alpha")):
        rgb = small_picture(data, Limits(), colour=True).rgb
        assert rgb is not None
        with Image.open(BytesIO(data)) as image:
            expected = np.asarray(image.convert("RGB").resize((rgb.shape[1], rgb.shape[0]), Image.Resampling.BOX))
        assert np.abs(rgb.astype(int) - expected).mean() < 4
