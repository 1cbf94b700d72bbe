"""What must hold of the cells of a picture that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photos import grainy
from PIL import Image, ImageDraw, ImageFont

from imgmatch.features.drawn import CELLS, CELLS_BYTES, FINER_CELLS, drawn_cells, packed, unpacked_cells


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


def card(size: tuple[int, int] = (480, 400)) -> Image.Image:
    """Letters and boxes on a plain ground."""
    canvas = Image.new("RGB", size, (236, 240, 250))
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 0, size[0], size[1] // 8), fill=(20, 40, 110))
    for line in range(3, 12):
        pen.text(
            (30, line * size[1] // 13),
            "OFFSHORE ENGINEER 12 / 2027",
            fill=(20, 20, 20),
            font=ImageFont.load_default(20),
        )
    return canvas


def test_most_of_a_photo_is_not_drawn_and_nearly_all_of_a_card_is() -> None:
    assert np.mean([drawn_cells(grey(grainy(seed))).mean() for seed in range(6)]) < 0.15
    assert drawn_cells(grey(card())).mean() > 0.9


def test_a_photo_on_a_card_is_told_from_the_card_round_it() -> None:
    canvas = card((512, 512))
    canvas.paste(grainy(3, (192, 256)), (32, 160))
    cells = drawn_cells(grey(canvas))
    inside = np.zeros((CELLS, CELLS), bool)
    inside[5:13, 1:7] = True
    assert cells[inside].mean() < 0.35
    assert cells[~inside].mean() > 0.9


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([CELLS, FINER_CELLS]), st.integers(0, 9))
def test_each_cell_is_judged_by_its_own_pixels(height: int, width: int, cells: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 6, (height, width)).astype(np.uint8) * np.uint8(50)
    rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
    slow = np.ones((cells, cells), bool)
    for row in set(rows.tolist()):
        for column in set(columns.tolist()):
            counts = np.bincount(picture[rows == row][:, columns == column].ravel(), minlength=258)
            slow[row, column] = (counts[:-2] + counts[1:-1] + counts[2:]).max() >= 0.3 * counts.sum()
            slow[row, column] |= counts[:2].sum() >= 0.3 * counts.sum()
    assert np.array_equal(drawn_cells(picture, cells), slow)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([CELLS, FINER_CELLS]))
def test_a_picture_of_one_grey_is_drawn_whatever_its_size(height: int, width: int, cells: int) -> None:
    assert drawn_cells(np.full((height, width), 90, np.uint8), cells).all()


@pytest.mark.slow
@given(st.lists(st.booleans(), min_size=CELLS * CELLS, max_size=CELLS * CELLS))
def test_packed_cells_are_read_back(cells: list[bool]) -> None:
    square = np.array(cells).reshape(CELLS, CELLS)
    data = packed(square)
    assert len(data) == CELLS_BYTES
    assert np.array_equal(unpacked_cells(data), square)
