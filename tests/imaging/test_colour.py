"""Colours of a picture, all of them or means of some."""

from __future__ import annotations

import numpy as np
import photos
import pytest
from PIL import Image

from imgmatch.imaging import colour


@pytest.mark.parametrize("size", [(1200, 900), (1201, 907), (1199, 1003)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_fewer_colours_are_the_same_in_parts_and_of_a_turned_picture(
    monkeypatch: pytest.MonkeyPatch, mode: str, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(colour, "_LARGE_PIXELS", 0)
    picture = photos.picture(7, size).convert(mode)
    whole = colour.to_fewer_rgb(picture, 200, 150)
    assert whole.shape[0] * 3 <= size[1]
    monkeypatch.setattr(colour, "BAND_PIXELS", 50_000)
    assert np.array_equal(colour.to_fewer_rgb(picture, 200, 150), whole)
    turned = picture.transpose(Image.Transpose.ROTATE_180)
    assert np.array_equal(colour.to_fewer_rgb(turned, 200, 150)[::-1, ::-1], whole)
