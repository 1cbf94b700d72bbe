"""What must hold for each hasher of the table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawn import distance, distances, drawn, flat, noise, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch import registry
from imgmatch.features.pair_model import shipped
from imgmatch.hashers.hexform import to_hex
from imgmatch.model import FINGERPRINT_BITS, ORIENTATIONS

if TYPE_CHECKING:
    from imgmatch.hashers.base import Grey, Hasher

HASHERS = {name: registry.hasher(name) for name in registry.HASHERS}


def turns(hasher: Hasher) -> bool:
    """Whether fingerprints of this hasher can be turned without their pictures."""
    try:
        hasher.estimated_orientations(np.zeros((0, 32), dtype=np.uint8))
    except NotImplementedError:
        return False
    return True


TURNABLE = sorted(name for name, hasher in HASHERS.items() if turns(hasher))

NEAR = 24  # bits; the field takes pictures up to 31 apart for copies
GOLDEN = {
    ("phash", 0): "e30832537f0c35ab82ecc3ab1284e9573c2c7eba4caa9d545df3dc25d981f425",
    ("phash", 1): "cb177b502ae89ca8c1f898f3a85cdc06523a9c764252ac6b1654aa29777effc1",
    ("pdq", 0): "49d2921740cdd21defdd945c2a892ebf981e754b10a4eae19ba0ead6987f6526",
    ("pdq", 1): "1d7245dfbf77c22a15356b1a2521b71cae25b01d1f0ae78c8fc30a9c0baa856f",
    ("dhash", 0): "4bcdb5ef157c0e5ccacae5c2f4257c35c75af28a61b13939bd18538c59cab941",
    ("dhash", 1): "cc9331b33da6d4d6d8ded51a7396d1909998d998db1ada0bdca39a13db1df94f",
    ("whash", 0): "3cc51c7fc23ec007e1623bf07fb0af85719f394b001dc0bcc788afc0ffe21d60",
    ("whash", 1): "2613188184036e42ec42ee82f8c2ffd0efd86fec2ffa2fed0ff90f980b853c03",
}


@pytest.fixture(params=sorted(HASHERS))
def hasher(request: pytest.FixtureRequest) -> Hasher:
    return HASHERS[request.param]


@pytest.mark.parametrize(("name", "seed"), GOLDEN)
def test_fingerprints_outlive_releases_of_libraries(name: str, seed: int) -> None:
    assert to_hex(HASHERS[name].fingerprint(drawn(seed))) == GOLDEN[name, seed]


def test_every_hasher_has_golden_values() -> None:
    assert {name for name, _ in GOLDEN} == set(HASHERS)


def test_the_name_is_the_one_in_the_table(hasher: Hasher) -> None:
    assert HASHERS[hasher.name] is hasher


def test_a_hasher_has_no_room_for_state(hasher: Hasher) -> None:
    assert not hasattr(hasher, "__dict__")


def test_the_distances_of_a_profile_grow_from_sure_over_greatest_to_reach(hasher: Hasher) -> None:
    profile = hasher.profile
    assert 0 <= profile.sure_distance <= profile.max_distance <= profile.reach < FINGERPRINT_BITS // 2


@given(name=st.sampled_from(sorted(HASHERS)), distance=st.integers(0, FINGERPRINT_BITS))
def test_the_score_by_bits_alone_falls_with_the_distance(name: str, distance: int) -> None:
    profile = HASHERS[name].profile
    assert 1 >= profile.near_score(distance) > profile.near_score(distance + 1) >= 0


def test_fingerprints_as_near_as_copies_are_accepted_and_chance_is_not(hasher: Hasher) -> None:
    profile = hasher.profile
    assert profile.near_score(profile.max_distance) > shipped().accept
    assert profile.near_score(FINGERPRINT_BITS // 2) < 0.01


def test_no_two_hashers_share_a_score_curve() -> None:
    curves = {(hasher.profile.near_slope, hasher.profile.near_shift) for hasher in HASHERS.values()}
    assert len(curves) == len(HASHERS)


def test_what_distances_of_phash_mean_outlives_releases() -> None:
    profile = HASHERS["phash"].profile
    assert (profile.max_distance, profile.sure_distance, profile.reach) == (36, 18, 60)
    scores = [round(profile.near_score(distance), 4) for distance in (0, 18, 36, 60, 80)]
    assert scores == [1.0, 1.0, 0.9991, 0.784, 0.0307]


def test_shapes_and_types_are_those_of_the_contract(hasher: Hasher) -> None:
    grey = drawn(0, 90, 120)
    one, eight = hasher.fingerprint(grey), hasher.orientations(grey)
    assert one.shape == (32,)
    assert eight.shape == (8, 32)
    assert one.dtype == eight.dtype == np.uint8


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(sorted(HASHERS)), height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_first_orientation_is_the_fingerprint_whatever_the_size(name: str, height: int, width: int) -> None:
    grey = noise(height, height, width)
    assert np.array_equal(HASHERS[name].orientations(grey)[0], HASHERS[name].fingerprint(grey))


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(sorted(HASHERS)),
    which=st.integers(0, 7),
    seed=st.integers(0, 50),
    size=st.sampled_from([(533, 400), (256, 256), (300, 417), (641, 480)]),
)
def test_a_turned_picture_is_found_in_the_row_of_its_orientation(
    name: str, which: int, seed: int, size: tuple[int, int]
) -> None:
    upright = drawn(seed, *size)
    rows = HASHERS[name].orientations(placed(upright, ORIENTATIONS[which]))
    gaps = distances(rows, HASHERS[name].fingerprint(upright)[np.newaxis])
    assert gaps[which] <= 12
    assert np.delete(gaps, which).min() > 40


def test_the_fingerprint_of_a_negative_is_nearly_the_complement(hasher: Hasher) -> None:
    for seed in range(10):
        grey = drawn(seed)
        assert distance(hasher.fingerprint(255 - grey), ~hasher.fingerprint(grey)) <= 6


@pytest.mark.parametrize("name", TURNABLE)
def test_turned_fingerprints_are_near_those_of_the_turned_picture(name: str) -> None:
    for seed in range(10):
        rows = HASHERS[name].orientations(drawn(seed))
        gaps = distances(HASHERS[name].estimated_orientations(rows[:1])[:, 0], rows)
        assert gaps.max() <= 60
        assert gaps.mean() <= 30


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(TURNABLE), which=st.integers(0, 7), seed=st.integers(0, 10**6))
def test_turning_fingerprints_forth_and_back_changes_nothing(name: str, which: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, (5, 32), dtype=np.uint8)
    turned = HASHERS[name].estimated_orientations(codes)
    assert turned.shape == (8, 5, 32)
    assert np.array_equal(turned[0], codes)
    # Only the quarter turns without a mirror are not their own way back.
    back = {1: 3, 3: 1}.get(which, which)
    assert np.array_equal(HASHERS[name].estimated_orientations(turned[which])[back], codes)


@pytest.mark.parametrize("name", TURNABLE)
def test_no_fingerprints_turn_into_eight_times_none(name: str) -> None:
    assert HASHERS[name].estimated_orientations(np.zeros((0, 32), dtype=np.uint8)).shape == (8, 0, 32)


@pytest.mark.parametrize("scale", [0.4, 0.75, 1.5])
def test_the_same_picture_at_another_size_stays_near(hasher: Hasher, scale: float) -> None:
    for seed in range(5):
        grey = drawn(seed)
        size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
        other = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))
        assert distance(hasher.fingerprint(other), hasher.fingerprint(grey)) <= NEAR


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_the_same_picture_at_another_jpeg_quality_stays_near(hasher: Hasher, quality: int) -> None:
    for seed in range(5):
        grey = drawn(seed)
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "JPEG", quality=quality)
        assert distance(hasher.fingerprint(np.asarray(Image.open(file))), hasher.fingerprint(grey)) <= NEAR


def test_different_pictures_are_far(hasher: Hasher) -> None:
    codes = np.stack([hasher.fingerprint(drawn(seed)) for seed in range(12)])
    gaps = np.stack([distances(code[np.newaxis], codes) for code in codes])
    assert gaps[~np.eye(len(codes), dtype=bool)].min() > 64


@pytest.mark.parametrize("grey", [flat(1, 1), flat(1, 900), flat(900, 1), flat(2, 3)], ids=str)
def test_the_smallest_pictures_have_a_fingerprint_too(hasher: Hasher, grey: Grey) -> None:
    assert hasher.orientations(grey).shape == (8, 32)


def test_the_picture_is_left_as_it_was(hasher: Hasher) -> None:
    grey = drawn().copy()
    hasher.orientations(grey)
    assert np.array_equal(grey, drawn())
