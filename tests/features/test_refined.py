"""What must hold of the codebook of more lists, compared with slow ways that are plain to see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import registry
from imgmatch.features import codebook, refined
from imgmatch.features.codebook import CODE_BYTES, FEW, floats
from imgmatch.features.describe import LENGTH, UNIT
from imgmatch.features.extract import extract
from imgmatch.features.refined import REFINEMENTS, RefinedCodebook, train_refinements

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from imgmatch.features.codebook import I64, U8

COARSE, BOOK = codebook.shipped(), refined.shipped()
SEEDS = st.integers(0, 2**32 - 1)


def whole_numbers(array: np.ndarray) -> I64:
    return np.rint(array * np.float64(UNIT)).astype(np.int64)


MIDDLES = (whole_numbers(COARSE.centroids)[:, None] + BOOK.refinements).reshape(-1, LENGTH)


def points(seed: int) -> U8:
    """Descriptors of a drawn picture, and others of any bytes."""
    picture = np.asarray(photos.picture(seed % 40, (240, 300)).convert("L"))
    noise = np.random.default_rng(seed).integers(0, 256, (5, LENGTH), dtype=np.uint8)
    return np.concatenate([extract(picture).descriptors[:10], noise])


def test_every_codebook_goes_by_its_name_and_fits_the_two_bytes_of_a_record() -> None:
    for name in registry.CODEBOOKS:
        assert registry.codebook(name).name == name
        assert registry.codebook(name).lists <= 1 << 16
    assert BOOK.lists == len(MIDDLES) == 65_536


def test_a_query_of_few_points_reads_more_of_the_many_lists_and_as_many_of_the_few() -> None:
    assert COARSE.probes_for(FEW - 1) == COARSE.probes_for(FEW) == 8
    assert BOOK.probes_for(FEW - 1) > BOOK.probes_for(FEW) > 8


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, count=st.sampled_from([1, 8, BOOK.probes, 200]))
def test_the_nearest_lists_are_the_first_of_all_lists_of_the_nearest_centroids(seed: int, count: int) -> None:
    descriptors = points(seed)
    found = BOOK.nearest(floats(descriptors), count)
    _, centroids = COARSE.nearest(floats(descriptors), 16)
    for descriptor, near, far, lists in zip(descriptors, centroids, *found, strict=True):
        inside = np.flatnonzero(np.isin(np.arange(BOOK.lists) // REFINEMENTS, near))
        distances = ((MIDDLES[inside] - descriptor.astype(np.int64)) ** 2).sum(1)
        expected = sorted(zip(distances.tolist(), inside.tolist(), strict=True))[:count]
        assert list(zip(whole_numbers(far * np.float64(UNIT)).tolist(), lists.tolist(), strict=True)) == expected


def test_with_fewer_lists_than_are_asked_for_the_rest_are_none() -> None:
    small = RefinedCodebook.refine("small", replace(COARSE, centroids=COARSE.centroids[:1]), BOOK.refinements)
    far, lists = small.nearest(COARSE.centroids[:1], 40)
    assert sorted(lists[0, :REFINEMENTS].tolist()) == list(range(REFINEMENTS))
    assert (lists[0, REFINEMENTS:] == -1).all()
    assert far[0, REFINEMENTS:].min() > far[0, :REFINEMENTS].max()


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_a_point_is_in_that_list_of_its_centroid_that_is_nearest_to_what_its_code_stands_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = rng.integers(0, COARSE.lists, 20).astype(np.uint16)
    codes = rng.integers(0, 256, (20, CODE_BYTES), dtype=np.uint8)
    found = BOOK.refined(lists, codes)
    residuals = whole_numbers(COARSE.decode(lists, codes) - COARSE.centroids[lists])
    distances = ((residuals[:, None] - BOOK.refinements) ** 2).sum(2)
    assert (found // REFINEMENTS == lists).all()
    assert (distances[np.arange(20), found % REFINEMENTS] == distances.min(1)).all()


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_codes_stand_for_the_same_descriptors_bit_for_bit_as_in_the_codebook_that_is_refined(seed: int) -> None:
    lists, codes = BOOK.encode(points(seed))
    coarse, same = COARSE.encode(points(seed))
    assert np.array_equal(codes, same)
    assert np.array_equal(BOOK.coarse(lists), coarse)
    assert BOOK.decode(lists, codes).tobytes() == COARSE.decode(coarse, same).tobytes()


def test_no_points_are_in_no_lists() -> None:
    lists, codes = BOOK.encode(np.zeros((0, LENGTH), np.uint8))
    assert lists.dtype == np.uint16
    assert (len(lists), codes.shape) == (0, (0, CODE_BYTES))
    assert BOOK.nearest(np.zeros((0, LENGTH), np.float32), 16)[1].shape == (0, 16)


def test_what_was_saved_is_loaded_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "refinements.npz"
    BOOK.save(path)
    loaded = RefinedCodebook.load(path)
    assert (loaded.name, loaded.refines) == (BOOK.name, COARSE.name)
    assert np.array_equal(loaded.refinements, BOOK.refinements)
    with pytest.raises(ValueError, match="does not refine the codebook other"):
        RefinedCodebook.load(path, replace(COARSE, name="other"))
    strange: list[NDArray[Any]] = [BOOK.refinements[:3], BOOK.refinements.astype(np.float32), BOOK.refinements + 300]
    for refinements in strange:
        replace(BOOK, refinements=refinements).save(path)
        with pytest.raises(ValueError, match="refine"):
            RefinedCodebook.load(path)


def test_training_twice_gives_the_same_refinements() -> None:
    descriptors = np.concatenate([points(seed) for seed in range(60)])
    first, again = (train_refinements(descriptors, COARSE, "mine", 7) for _ in range(2))
    assert (first.name, first.refines) == ("mine", COARSE.name)
    assert np.array_equal(first.refinements, again.refinements)
    assert len(np.unique(first.refinements, axis=0)) == REFINEMENTS
