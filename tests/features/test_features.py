"""What must hold of the features, whatever the figures."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgmatch import features
from imgmatch.features.agree import Layers, compare
from imgmatch.features.align import Pairs, align, pair
from imgmatch.features.codebook import Codebook, floats
from imgmatch.features.extract import STORED, Features, extract, extract_query
from imgmatch.features.record import open_thumbnail, pack, thumbnail, unpack
from imgmatch.features.shape import shape_of
from imgmatch.features.verify import Query, StoredPicture
from imgmatch.model import ORIENTATIONS, Orientation

BOOK = Codebook.load(Path(features.__file__).parent / "data" / "codebook.npz")


def drawn(seed: int, width: int = 400, height: int = 520) -> np.ndarray:
    """A picture full of random ellipses on a soft ground."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(
        rng.integers(60, 200, (6, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(120):
        centre = tuple(int(v) for v in rng.uniform(0, [width, height]))
        axes = tuple(int(v) for v in rng.uniform(4, 40, 2))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0, 255)), -1)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.0), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (16, 16), (200, 150)])
def test_a_flat_picture_has_no_features(shape: tuple[int, int]) -> None:
    assert len(extract(np.full(shape, 128, np.uint8))) == 0


def test_extraction_is_repeatable_and_bounded() -> None:
    first, again = extract(drawn(1)), extract(drawn(1))
    assert np.array_equal(first.descriptors, again.descriptors)
    assert 50 < len(first) <= STORED.count


def test_mirrored_features_are_those_of_the_mirrored_picture() -> None:
    picture = drawn(2)
    turned = extract(picture).mirrored()
    real = extract(np.ascontiguousarray(picture[:, ::-1]))
    pairs = pair(floats(turned.descriptors), floats(real.descriptors), 0.02)
    # Halving keeps even columns, which mirroring moves: a few points come out a little differently.
    assert len(set(pairs.query.tolist())) > 0.8 * len(turned)
    moved = np.abs(turned.points[pairs.query, :2] - real.points[pairs.stored, :2]).max(1)
    assert np.median(moved) < 1e-3


def test_mirroring_twice_changes_nothing() -> None:
    features = extract(drawn(3))
    assert np.array_equal(features.mirrored().mirrored().descriptors, features.descriptors)


def test_negated_features_are_those_of_the_negative() -> None:
    picture = drawn(2)
    negated, real = extract(picture).negated(), extract(255 - picture)
    pairs = pair(floats(negated.descriptors), floats(real.descriptors), 0.02)
    # Small pictures are rounded to whole greys: a few points come out a little differently.
    assert len(set(pairs.query.tolist())) > 0.9 * len(negated)
    there, found = negated.points[pairs.query], real.points[pairs.stored]
    assert np.median(np.abs(there[:, :3] - found[:, :3]).max(1)) < 1e-3
    assert np.median(np.cos(there[:, 3] - found[:, 3])) > 0.999
    assert negated.drawn is not None
    assert real.drawn is not None
    assert np.array_equal(negated.drawn, real.drawn)


def test_negating_twice_changes_nothing_and_is_the_same_before_mirroring_as_after() -> None:
    features = extract(drawn(3))
    assert np.array_equal(features.negated().negated().descriptors, features.descriptors)
    one, other = features.negated().mirrored(), features.mirrored().negated()
    assert np.array_equal(one.descriptors, other.descriptors)
    assert np.allclose(np.cos(one.points[:, 3] - other.points[:, 3]), 1)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_negative_is_verified_as_the_picture_it_shows(mirrored: bool) -> None:  # noqa: FBT001 -- parametrize passes it by name
    picture = drawn(26)
    known = StoredPicture(unpack(pack(extract(picture), BOOK)), open_thumbnail(thumbnail(picture)))
    negative = np.ascontiguousarray((255 - picture)[:, :: -1 if mirrored else 1])
    query = Query(negative, extract_query(negative, negative))
    (found,) = query.compared(query.placed(known, BOOK, mirrored=mirrored, negative=True))
    assert (found.negative, found.mirrored) == (True, mirrored)
    assert found.figures.points > 50
    assert found.figures.share > 0.95
    plain = query.compared(query.placed(known, BOOK, mirrored=mirrored))
    assert all(way.figures.points < 10 for way in plain)


def test_a_record_keeps_points_within_its_steps_and_fits_its_size() -> None:
    features = extract(drawn(4))
    data = pack(features, BOOK)
    stored = unpack(data)
    assert len(data) <= 40 + 24 * STORED.count
    assert stored.drawn is not None
    assert features.drawn is not None
    assert np.array_equal(stored.drawn, features.drawn)
    assert np.abs(stored.points[:, :2] - features.points[:, :2]).max() < 1e-4
    assert np.abs(np.log2(stored.points[:, 2] / features.points[:, 2])).max() < 0.03
    likeness = (BOOK.decode(stored.lists, stored.codes) * floats(features.descriptors)).sum(1)
    assert np.median(likeness) > 0.8


def test_a_record_of_an_earlier_imgmatch_is_read_without_what_is_drawn() -> None:
    features = extract(drawn(4))
    data = pack(replace(features, drawn=None), BOOK)
    assert data[0] == 1
    assert len(data) == 8 + 24 * len(features)
    old, new = unpack(data), unpack(pack(features, BOOK))
    assert old.drawn is None
    assert np.array_equal(old.points, new.points)
    assert np.array_equal(old.codes, new.codes)


def test_the_mirrored_features_know_what_is_drawn_in_the_mirrored_picture() -> None:
    picture = drawn(2)
    picture[:, :120] = 200
    turned = extract(picture).mirrored().drawn
    real = extract(np.ascontiguousarray(picture[:, ::-1])).drawn
    assert turned is not None
    assert real is not None
    assert real.any()
    assert np.array_equal(turned, real)


@pytest.mark.parametrize("factor", [1.5, 1.8])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_squeezed_crop_is_laid_where_it_was_cut(factor: float, mirrored: bool) -> None:  # noqa: FBT001 -- parametrize passes them by name
    picture = drawn(25)
    known = StoredPicture(unpack(pack(extract(picture), BOOK)), open_thumbnail(thumbnail(picture)))
    crop = np.ascontiguousarray(picture[100:400, 60:360][:, :: -1 if mirrored else 1])
    squeezed = np.asarray(cv2.resize(crop, (round(300 / factor), 300), interpolation=cv2.INTER_AREA), np.uint8)
    query = Query(squeezed, extract_query(squeezed, squeezed))
    (found,) = query.compared(query.placed(known, BOOK, mirrored=mirrored))
    assert found.figures.stretch == pytest.approx(factor, rel=0.1)
    assert found.figures.share > 0.9
    assert found.outline_stored.min(0) == pytest.approx([60 / 400, 100 / 520], abs=0.03)
    assert found.outline_stored.max(0) == pytest.approx([360 / 400, 400 / 520], abs=0.03)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_a_damaged_record_is_refused_or_read_but_never_crashes(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpack(data)


def test_encoding_a_decoded_descriptor_again_gives_the_same_code_in_its_list() -> None:
    lists, codes = BOOK.encode(extract(drawn(5)).descriptors)
    decoded = BOOK.decode(lists, codes)
    residual = (decoded - BOOK.centroids[lists]).reshape(len(lists), 32, 4)
    digits = ((residual[:, :, None] - BOOK.parts) ** 2).sum(3).argmin(2)
    assert np.array_equal(digits[:, ::2] | digits[:, 1::2] << 4, codes)


@given(st.floats(0.3, 3), st.floats(-3.1, 3.1), st.floats(-0.5, 0.5), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_align_finds_a_similarity_among_strangers(size: float, angle: float, shift: float, strangers: int) -> None:
    rng = np.random.default_rng(strangers)
    query = np.column_stack(
        [rng.random((20 + strangers, 2)), rng.uniform(0.01, 0.1, 20 + strangers), rng.uniform(0, 6, 20 + strangers)]
    )
    places = (query[:, 0] + 1j * query[:, 1]) * size * np.exp(1j * angle) + shift
    stored = np.column_stack([places.real, places.imag, query[:, 2] * size, query[:, 3] + angle])
    stored[20:, :2] = rng.random((strangers, 2))
    rows = np.arange(len(query))
    found = align(
        query.astype(np.float32), stored.astype(np.float32), Pairs(rows, rows, np.full(len(rows), 0.3, np.float32)), 4
    )
    assert found is not None
    assert found.scale == pytest.approx(size, rel=0.05)
    assert np.angle(np.exp(1j * (found.angle - angle))) == pytest.approx(0, abs=0.05)


def test_align_refuses_points_on_a_line_and_in_a_heap() -> None:
    rows = np.arange(30)
    for x, y in ((np.linspace(0, 1, 30), np.full(30, 0.5)), (np.full(30, 0.4), np.full(30, 0.5))):
        points = np.column_stack([x, y, np.full(30, 0.02), np.zeros(30)]).astype(np.float32)
        assert align(points, points, Pairs(rows, rows, np.full(30, 0.1, np.float32)), 4) is None


def test_pictures_agree_with_themselves_and_not_with_others() -> None:
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    small = open_thumbnail(thumbnail(drawn(6)))
    same, other = compare(Layers(drawn(6)), small, identity), compare(Layers(drawn(7)), small, identity)
    assert same is not None
    assert other is not None
    assert same.share > 0.95
    assert other.share < 0.2


@given(
    st.floats(0.2, 4), st.floats(-3.1, 3.1), st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 1), st.floats(0.3, 1)
)
@settings(max_examples=100, deadline=None)
def test_the_shared_part_has_the_same_corners_and_the_right_share_in_both_pictures(
    size: float, angle: float, x: float, y: float, wide: float, tall: float
) -> None:
    matrix = np.array([[np.cos(angle), -np.sin(angle), x], [np.sin(angle), np.cos(angle), y]])
    matrix[:, :2] *= size
    shape = shape_of(matrix, (1.0, tall), (wide, 1.0))
    if shape is None:
        return
    assert shape.query @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(shape.stored, abs=1e-4)
    places = (np.stack(np.meshgrid(np.arange(200), np.arange(200)), -1).reshape(-1, 2) + 0.5) / 200 * [wide, 1.0]
    back = (places - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    inside = ((back >= 0) & (back <= [1.0, tall])).all(1).mean()
    assert shape.overlap_stored == pytest.approx(inside, abs=0.03)


@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_frame_on_frame_lays_every_orientation_on_its_picture(turn: Orientation) -> None:
    picture = drawn(8)
    stored = StoredPicture(unpack(pack(extract(picture), BOOK)), open_thumbnail(thumbnail(picture)))
    # What has to be turned by so much to show the picture, and stretched on the way.
    back = np.rot90(picture, turn.rotation // 90)
    asked = cv2.resize(np.ascontiguousarray(back[:, ::-1] if turn.mirrored else back), (300, 260))
    nothing = Features(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8), 1.0, 260 / 300)
    query = Query(np.asarray(asked, np.uint8), nothing)
    (way,) = query.compared(query.placed(stored, BOOK, mirrored=turn.mirrored, rotation=turn.rotation))
    assert way.figures.share > 0.9
    assert way.figures.points == 0
    assert way.figures.overlap_stored == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("with_thumbnail", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_crop_is_verified_with_its_place(mirrored: bool, with_thumbnail: bool) -> None:  # noqa: FBT001 -- parametrize passes them by name
    picture = drawn(25)
    crop = np.ascontiguousarray(picture[100:400, 80:330][:, :: -1 if mirrored else 1])
    small = open_thumbnail(thumbnail(picture)) if with_thumbnail else None
    known = StoredPicture(unpack(pack(extract(picture), BOOK)), small)
    query = Query(crop, extract_query(crop, crop))
    (found,) = query.compared(query.placed(known, BOOK, mirrored=mirrored))
    assert found.figures.overlap_stored == pytest.approx(250 * 300 / (400 * 520), rel=0.1)
    assert found.figures.overlap_query > 0.95
    assert (found.mirrored, found.rotation % 359) == (mirrored, 0)
    assert found.outline_query.min(0) == pytest.approx([0, 0], abs=0.02)
    assert min(found.outline_stored[:, 0]) == pytest.approx(80 / 400, abs=0.02)
    assert np.isnan(found.figures.share) if small is None else found.figures.share > 0.9
