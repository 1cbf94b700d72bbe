from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawn import distance, drawn, flat, noise, striped
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from slow_pdq import slow_pdq

from imgmatch.hashers.hexform import from_hex
from imgmatch.hashers.pdq import Pdq
from imgmatch.hashers.turns import oriented
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey

PDQ = Pdq()
SHARED = Path(__file__).parents[2].parent / "shared" / "pdq"
USABLE = 50  # the field discards fingerprints of a lower quality
ROUNDING = 1e-5  # coefficients nearer to the median may fall on either side of it

shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the folder ../shared is not there")


def assert_equal_to_the_slow_way(grey: Grey) -> None:
    code, quality = PDQ.fingerprint_and_quality(grey)
    coefficients, slow_quality = slow_pdq(grey)
    # The text form begins with the highest frequencies.
    flat_ones = np.array(coefficients)[::-1, ::-1].ravel()
    above = flat_ones - np.median(flat_ones)
    clear = np.abs(above) > ROUNDING
    assert np.array_equal(np.unpackbits(code)[clear], (above > 0)[clear])
    # Steps are cut to whole hundredths, where one rounding error is worth one of the 90 in a point.
    assert abs(quality - slow_quality) <= 1


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 150), width=st.integers(1, 150), rough=st.booleans())
@example(height=128, width=129, rough=True)
@example(height=64, width=64, rough=True)
@example(height=1, width=1, rough=True)
def test_any_size_hashes_as_the_slow_way_does(height: int, width: int, *, rough: bool) -> None:
    assert_equal_to_the_slow_way(noise(height, height, width) if rough else drawn(height, height, width))


@pytest.mark.parametrize("size", [(257, 30), (30, 385), (512, 24), (20, 511)], ids=str)
def test_wider_windows_hash_as_the_slow_way_does(size: tuple[int, int]) -> None:
    assert_equal_to_the_slow_way(noise(0, *size))


@pytest.mark.parametrize("size", [(513, 20), (20, 700), (1100, 3)], ids=str)
def test_larger_pictures_are_reduced_as_the_slow_way_does(size: tuple[int, int]) -> None:
    assert_equal_to_the_slow_way(noise(0, *size))


@settings(deadline=None, max_examples=50)
@given(level=st.integers(0, 255), height=st.integers(1, 1300), width=st.integers(1, 1300))
def test_flat_pictures_have_no_bit_set_and_no_quality(level: int, height: int, width: int) -> None:
    code, quality = PDQ.fingerprint_and_quality(flat(height, width, level))
    assert not code.any()
    assert quality == 0


@pytest.mark.parametrize("size", [(200, 300), (512, 500), (700, 900)], ids=str)
def test_pictures_striped_along_one_axis_have_no_bit_set(size: tuple[int, int]) -> None:
    picture = striped(*size)
    assert not PDQ.orientations(picture).any()
    assert not PDQ.orientations(np.ascontiguousarray(picture.T)).any()


def test_half_of_the_bits_are_set() -> None:
    for seed in range(10):
        assert np.unpackbits(PDQ.fingerprint(drawn(seed))).sum() == 128


@pytest.mark.parametrize(("contrast", "quality"), [(0, 0), (2, 0), (3, 22), (8, 67), (128, 100)])
def test_quality_grows_with_the_steps_between_neighbours(contrast: int, quality: int) -> None:
    board = np.indices((64, 64)).sum(axis=0) // 4 % 2
    steps = np.abs(np.diff(board, axis=0)).sum() + np.abs(np.diff(board, axis=1)).sum()
    picture = (100 + contrast * board).astype(np.uint8)
    assert PDQ.quality(picture) == min(100, int(steps) * (contrast * 100 // 255) // 90) == quality


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 700), width=st.integers(1, 700))
def test_orientations_are_the_fingerprints_of_the_turned_pictures_to_the_last_bit(
    seed: int, height: int, width: int
) -> None:
    grey = noise(seed, height, width)
    expected = [PDQ.fingerprint(view) for view in oriented(grey)]
    assert np.array_equal(PDQ.orientations(grey), np.stack(expected))


def test_quality_alone_is_the_quality_of_both() -> None:
    grey = drawn(3, 100, 80)
    code, quality = PDQ.fingerprint_and_quality(grey)
    assert np.array_equal(code, PDQ.fingerprint(grey))
    assert PDQ.quality(grey) == quality


def test_whole_levels_and_the_same_levels_in_floats_hash_alike() -> None:
    grey = drawn(2)
    assert np.array_equal(PDQ.orientations(grey.astype(np.float64)), PDQ.orientations(grey))


@pytest.mark.parametrize("size", [(256, 256), (400, 300), (512, 512), (511, 333), (129, 500)], ids=str)
def test_every_bit_is_the_one_of_pdqhash(size: tuple[int, int]) -> None:
    pdqhash = pytest.importorskip("pdqhash")
    for seed in range(5):
        grey = drawn(seed, *size)
        bits, quality = pdqhash.compute(np.ascontiguousarray(np.dstack([grey] * 3)))
        code, ours = PDQ.fingerprint_and_quality(grey)
        assert np.array_equal(np.unpackbits(code), bits)
        assert abs(ours - quality) <= 1


def references() -> list[tuple[str, str]]:
    if not SHARED.is_dir():
        return []
    with (SHARED / "expected.csv").open(newline="") as file:
        return [(row["file"], row["pdq"]) for row in csv.DictReader(file)]


@shared
@pytest.mark.shared
@pytest.mark.parametrize(("file", "text"), references())
def test_exact_luma_gives_the_published_value(file: str, text: str) -> None:
    with Image.open(SHARED / file) as image:
        luma = np.asarray(image.convert("RGB")) @ np.array([0.299, 0.587, 0.114])
    code, quality = PDQ.fingerprint_and_quality(luma)
    assert quality < USABLE or distance(code, from_hex(text)) <= 2


@shared
@pytest.mark.shared
@pytest.mark.parametrize(("file", "text"), references())
def test_luma_in_whole_levels_stays_near_the_published_value(file: str, text: str) -> None:
    with Image.open(SHARED / file) as image:
        code, quality = PDQ.fingerprint_and_quality(np.asarray(image.convert("L")))
    assert quality < USABLE or distance(code, from_hex(text)) <= 6


@shared
@pytest.mark.shared
def test_the_published_orientations_of_a_picture_are_found_in_its_eight() -> None:
    published = {file: from_hex(text) for file, text in references() if file.startswith("dih/")}
    with Image.open(SHARED / "dih" / "bridge-1-original.jpg") as image:
        rows = PDQ.orientations(np.asarray(image.convert("L")))
    nearest = [min(distance(row, code) for code in published.values()) for row in rows]
    assert len(published) == len(ORIENTATIONS)
    assert max(nearest) <= 16
