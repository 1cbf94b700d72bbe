from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO

import numpy as np
import photos
import pytest
from PIL import Image

from imgmatch.errors import PhotoError
from imgmatch.imaging import opening
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.skipif(find_spec("pillow_heif") is not None, reason="the heic extra is installed")
@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"hevc"])
def test_heic_without_its_extra_says_which_extra_it_needs(brand: bytes) -> None:
    with pytest.raises(PhotoError) as caught:
        small_picture(HEIC.replace(b"heic", brand, 1), Limits())
    assert caught.value.reason == "unreadable"
    assert "imgmatch[heic]" in caught.value.detail


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_with_its_extra_is_read_and_upright(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the heic extra")
    upright = photos.picture(1, (320, 256))
    exif = Image.Exif()
    exif[0x0112] = orientation
    held = upright.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else upright
    file = BytesIO()
    pillow_heif.from_pillow(held).save(file, quality=90, exif=exif.tobytes())
    found = small_picture(file.getvalue(), Limits())
    assert (found.width, found.height, found.format) == (320, 256, "HEIF")
    assert np.abs(found.grey.astype(int) - np.asarray(upright.convert("L"))).mean() < 6


def test_damaged_heic_is_unreadable_with_and_without_the_extra() -> None:
    with pytest.raises(PhotoError, match="unreadable"):
        small_picture(HEIC, Limits())


def test_every_format_that_is_tried_has_a_decoder() -> None:
    assert set(opening.READ_FORMATS) <= set(Image.OPEN)
    assert {"JPEG", "PNG", "GIF", "WEBP"} <= set(opening.READ_FORMATS)
