"""What must hold of pictures that seem flat and show something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest

from imgmatch.imaging.content import content_of

if TYPE_CHECKING:
    from PIL import Image


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize("canvas", [0, 128, 255])
def test_a_photo_on_a_canvas_is_found_where_it_lies(canvas: int) -> None:
    picture = np.full((500, 400), canvas, np.uint8)
    picture[180:330, 90:210] = grey(photos.picture(1, (120, 150)))
    content = content_of(picture)
    assert content is not None
    assert (content.rows, content.columns) == (slice(180, 330), slice(90, 210))
    assert np.array_equal(content.cut(picture), picture[180:330, 90:210])


def test_the_greys_of_a_very_dark_photo_are_spread_over_all() -> None:
    bright = grey(photos.picture(2, (300, 300)))
    dark = (bright * 0.12).astype(np.uint8)
    content = content_of(dark)
    assert content is not None
    spread = content.spread(dark).astype(float)
    assert np.ptp(spread) > 240
    assert np.corrcoef(spread.ravel(), bright.ravel())[0, 1] > 0.95


def test_a_photo_is_left_as_it_is() -> None:
    assert content_of(grey(photos.picture(3))) is None


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_plain_picture_shows_nothing(level: int) -> None:
    assert content_of(np.full((200, 300), level, np.uint8)) is None


def test_noise_on_a_plain_ground_shows_nothing() -> None:
    noise = np.random.default_rng(4).normal(60, 2.5, (300, 300))
    assert content_of(np.clip(np.rint(noise), 0, 255).astype(np.uint8)) is None


def test_a_mark_on_a_canvas_is_too_small_to_be_a_photo() -> None:
    picture = np.full((400, 400), 250, np.uint8)
    picture[100:130, 100:140] = grey(photos.picture(5, (40, 30)))
    assert content_of(picture) is None
