from __future__ import annotations

import imagehash
import pytest
from PIL import Image

from imgmatch.demo import edits
from imgmatch.demo.edits import EDITS, TURNED_EDITS, UPRIGHT_EDITS, Edit
from imgmatch.demo.portraits import portrait

SEEDS = range(8)


def distance(one: Image.Image, other: Image.Image) -> int:
    first, second = (imagehash.phash(image.convert("L"), hash_size=16) for image in (one, other))
    return int(first - second)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_gives_a_new_rgb_picture_and_leaves_the_given_one_alone(edit: Edit) -> None:
    image = portrait(1)
    before = image.tobytes()
    copy = edit.apply(image)
    assert copy.mode == "RGB"
    assert copy.tobytes() != before
    assert image.tobytes() == before


@pytest.mark.parametrize("edit", UPRIGHT_EDITS, ids=lambda edit: edit.name)
def test_an_edit_that_leaves_the_picture_standing_stays_near_the_original(edit: Edit) -> None:
    for seed in SEEDS:
        image = portrait(seed)
        assert distance(image, edit.apply(image)) <= 24


@pytest.mark.parametrize("edit", TURNED_EDITS, ids=lambda edit: edit.name)
def test_a_mirrored_or_rotated_copy_is_far_from_the_original(edit: Edit) -> None:
    for seed in SEEDS:
        image = portrait(seed)
        assert distance(image, edit.apply(image)) >= 80


def test_two_quarter_turns_are_a_half_turn_and_a_mirror_undoes_itself() -> None:
    image = portrait(2)
    assert edits.rotate_90(edits.rotate_90(image)).tobytes() == edits.rotate_180(image).tobytes()
    assert edits.rotate_90(edits.rotate_270(image)).tobytes() == image.tobytes()
    assert edits.mirror(edits.mirror(image)).tobytes() == image.tobytes()


def test_rotation_by_ninety_degrees_is_clockwise() -> None:
    image = Image.new("RGB", (2, 1))
    image.putpixel((0, 0), (255, 0, 0))
    turned = edits.rotate_90(image)
    assert turned.size == (1, 2)
    assert turned.getpixel((0, 0)) == (255, 0, 0)


def test_names_of_edits_are_unique() -> None:
    assert len({edit.name for edit in EDITS}) == len(EDITS)
