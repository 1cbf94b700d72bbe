from __future__ import annotations

from typing import TYPE_CHECKING

import imagehash
import numpy as np
import photos
import pytest
from PIL import Image, ImageStat

from imgmatch.demo.portraits import default_avatar, portrait

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bits(image: Image.Image) -> NDArray[np.bool_]:
    return np.asarray(imagehash.phash(image.convert("L"), hash_size=16).hash, dtype=np.bool_).ravel()


def nearest(images: list[Image.Image]) -> int:
    """The smallest distance between two of the pictures, in bits of 256."""
    codes = np.stack([bits(image) for image in images])
    distances = (codes[:, None] != codes[None]).sum(axis=2)
    return int(distances[np.triu_indices(len(images), k=1)].min())


def test_the_same_seed_always_gives_the_same_pixels() -> None:
    assert portrait(5, 1).tobytes() == portrait(5, 1).tobytes()
    assert default_avatar().tobytes() == default_avatar().tobytes()


def test_a_portrait_is_an_rgb_picture_of_the_size_of_a_profile_photo() -> None:
    for seed in range(12):
        image = portrait(seed)
        assert image.mode == "RGB"
        assert all(380 <= side <= 640 for side in image.size)


@pytest.mark.slow
def test_portraits_of_different_people_the_second_photos_and_the_avatar_are_all_far_apart() -> None:
    people = [portrait(seed) for seed in range(60)]
    second = [portrait(seed, 1) for seed in range(20)]
    assert nearest([*people, *second, default_avatar()]) >= 64


def test_two_photos_of_one_person_show_the_same_person_elsewhere() -> None:
    assert portrait(3, 0).tobytes() != portrait(3, 1).tobytes()


def test_the_default_avatar_is_grey_but_not_flat() -> None:
    avatar = default_avatar()
    grey = ImageStat.Stat(avatar.convert("L"))
    assert grey.stddev[0] > 20
    assert np.ptp(np.asarray(avatar).astype(int), axis=2).max() < 25
    assert 100 <= bits(avatar).sum() <= 156


def test_the_pictures_drawn_for_tests_are_far_apart_and_repeatable() -> None:
    assert nearest([photos.picture(seed) for seed in range(120)]) >= 70
    assert photos.picture(4).tobytes() == photos.picture(4).tobytes()
    assert photos.picture(4, (300, 200)).size == (300, 200)
