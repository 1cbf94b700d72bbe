from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.imaging.grey import BAND_PIXELS, to_grey
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SIZE = (320, 240)
RGB = photos.picture(7, SIZE)
LUMA = RGB.convert("L")
GREY = np.asarray(LUMA)


def of_levels(scale: float, dtype: type[np.generic]) -> Image.Image:
    return Image.fromarray((GREY.astype(np.float64) * scale).astype(dtype))


def opaque(mode: str) -> Image.Image:
    image = RGB.convert(mode)
    image.putalpha(255)
    return image


def lab() -> Image.Image:
    pixels = cv2.cvtColor(np.asarray(RGB), cv2.COLOR_RGB2LAB)
    return Image.merge("LAB", [Image.fromarray(pixels[..., channel]) for channel in range(3)])


# Drawn by the test that wants one, not by every process that collects the tests.
FILES: dict[str, tuple[Callable[[], Image.Image], str, dict[str, object]]] = {
    "1": (lambda: RGB.convert("1"), "PNG", {}),
    "L": (lambda: LUMA, "PNG", {}),
    "L, one level clear": (lambda: LUMA, "PNG", {"transparency": 255}),
    "LA": (lambda: opaque("L"), "PNG", {}),
    "P": (lambda: RGB.quantize(256), "PNG", {}),
    "P with transparency": (lambda: RGB.quantize(255), "PNG", {"transparency": bytes([255] * 255)}),
    "P in a GIF": (lambda: RGB.quantize(255), "GIF", {}),
    "PA": (lambda: opaque("RGB").convert("PA"), "TIFF", {}),
    "RGB": (lambda: RGB, "PNG", {}),
    "RGB, one colour clear": (lambda: RGB, "PNG", {"transparency": (255, 255, 255)}),
    "RGB in a BMP": (lambda: RGB, "BMP", {}),
    "RGB in a WebP": (lambda: RGB, "WEBP", {"lossless": True}),
    "RGB kept as RGB in a JPEG": (lambda: RGB, "JPEG", {"quality": 95, "keep_rgb": True}),
    "RGBA": (lambda: opaque("RGB"), "PNG", {}),
    "CMYK in a JPEG": (lambda: RGB.convert("CMYK"), "JPEG", {"quality": 95}),
    "CMYK in a TIFF": (lambda: RGB.convert("CMYK"), "TIFF", {}),
    "YCbCr in a JPEG": (lambda: RGB.convert("YCbCr"), "JPEG", {"quality": 95}),
    "YCbCr in a TIFF": (lambda: RGB.convert("YCbCr"), "TIFF", {}),
    "LAB": (lab, "TIFF", {}),
    "I of bytes": (lambda: of_levels(1, np.int32), "TIFF", {}),
    "I of 16 bits": (lambda: of_levels(257, np.int32), "TIFF", {}),
    "I;16": (lambda: of_levels(257, np.uint16), "PNG", {}),
    "I;16, one level clear": (lambda: of_levels(257, np.uint16), "PNG", {"transparency": 65535}),
    "I;16 in a TIFF": (lambda: of_levels(257, np.uint16), "TIFF", {}),
    "F of parts of one": (lambda: of_levels(1 / 255, np.float32), "TIFF", {}),
    "F of bytes": (lambda: of_levels(1, np.float32), "TIFF", {}),
}

LOOSER = {"1": 40, "P": 20, "PA": 20, "LAB": 40}
"""Grey levels for modes with fewer colours than the original, and for lightness, which weighs blue less than luma."""

KEPT_IN_MEMORY = ("HSV", "La", "RGBa", "RGBX", "I;16B", "I;16L")
"""Modes no file comes in, but which a later Pillow may give."""


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def apart(a: NDArray[np.uint8], b: NDArray[np.uint8], block: int = 8) -> float:
    """The greatest difference of two pictures, seen from so far that the dots of a dithered one melt."""
    size = (a.shape[1] // block, a.shape[0] // block)
    near, other = (cv2.resize(x, size, interpolation=cv2.INTER_AREA).astype(float) for x in (a, b))
    return float(np.abs(near - other).max())


@pytest.mark.parametrize("name", FILES)
def test_every_mode_becomes_nearly_the_same_grey_picture(name: str) -> None:
    draw, kind, save = FILES[name]
    found = small_picture(packed(draw(), kind, **save), Limits())
    assert (found.width, found.height, found.format) == (*SIZE, kind)
    assert found.grey.dtype == np.uint8
    assert apart(found.grey, GREY) <= LOOSER.get(name.split(maxsplit=1)[0], 6)


@pytest.mark.parametrize("mode", KEPT_IN_MEMORY)
def test_modes_no_file_comes_in_become_grey_as_well(mode: str) -> None:
    if mode.startswith("I;16"):
        order = ">" if mode.endswith("B") else "<"
        image = Image.frombytes(mode, SIZE, (GREY.astype(np.uint16) * 257).astype(f"{order}u2").tobytes())
    elif mode in {"La", "RGBa"}:
        image = opaque("L" if mode == "La" else "RGB").convert(mode)
    else:
        image = RGB.convert(mode)
    assert image.mode == mode
    assert apart(to_grey(image), GREY) <= 6


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "La", "RGBa"])
def test_what_is_wholly_transparent_is_white(mode: str) -> None:
    image = RGB.convert("RGBA")
    image.putalpha(0)
    image = image.convert("RGBA" if mode == "RGBa" else "LA" if mode == "La" else mode).convert(mode)
    assert (to_grey(image) == 255).all()


@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from(["LA", "RGBA"]))
@settings(max_examples=60)
def test_alpha_is_laid_over_white(level: int, alpha: int, mode: str) -> None:
    colour = (level, alpha) if mode == "LA" else (level, level, level, alpha)
    grey = to_grey(Image.new(mode, (4, 4), colour))
    expected = 255 + (level - 255) * alpha / 255
    assert np.abs(grey - expected).max() <= 1.5


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "I;16"])
def test_the_one_level_that_is_clear_becomes_white(mode: str) -> None:
    black = np.zeros((40, 40), np.uint8)
    black[:20] = 90
    image = Image.fromarray(black.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(black).convert(mode)
    clear = (0, 0, 0) if mode == "RGB" else 0
    found = small_picture(packed(image, "PNG", transparency=clear), Limits()).grey
    assert (found[20:] == 255).all()
    assert np.abs(found[:20].astype(int) - 90).max() <= 1


def test_numbers_that_are_none_do_not_spread() -> None:
    values = (GREY / 255).astype(np.float32)
    values[0, :4] = [np.nan, np.inf, -np.inf, -5.0]
    grey = to_grey(Image.fromarray(values))
    assert (grey[0, :4] == 0).all()
    assert np.abs(grey[1:].astype(int) - GREY[1:]).max() <= 1


def test_floats_beyond_a_byte_are_scaled_to_fit_one() -> None:
    assert np.abs(to_grey(of_levels(40, np.float32)).astype(float) * GREY.max() / 255 - GREY).max() <= 1.5


@pytest.mark.parametrize("name", ["LA", "P with transparency", "CMYK in a TIFF", "I of bytes", "I;16", "F of bytes"])
def test_a_picture_converted_band_by_band_is_the_one_converted_at_once(name: str, tmp_path: Path) -> None:
    draw, kind, save = FILES[name]
    path = tmp_path / "photo"
    path.write_bytes(packed(draw(), kind, **save))
    copies = BAND_PIXELS // (SIZE[0] * SIZE[1]) + 2
    with Image.open(path) as one:
        tall = Image.new(one.mode, (SIZE[0], SIZE[1] * copies))
        tall.info = one.info
        if one.palette:
            one.load()
            tall.putpalette(one.palette)
        for copy in range(copies):
            tall.paste(one, (0, copy * SIZE[1]))
        assert tall.width * tall.height > BAND_PIXELS
        assert np.array_equal(to_grey(tall), np.tile(to_grey(one), (copies, 1)))
