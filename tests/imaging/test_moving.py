from __future__ import annotations

from io import BytesIO

import numpy as np
import photos
import pytest
from moving import KINDS, damaged_frame, faded, moving, picture, plain
from PIL import Image

from imgmatch.errors import PhotoError
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.moving import FramePicture, frame_picture, may_move, small_pictures
from imgmatch.imaging.picture import small_picture
from imgmatch.imaging.view import view

LIMITS = Limits()


def taken(data: bytes, limits: Limits = LIMITS) -> list[FramePicture]:
    return small_pictures(data, limits)


def numbers(data: bytes, limits: Limits = LIMITS) -> list[int | None]:
    return [one.frame for one in taken(data, limits)]


def shows(one: FramePicture, image: Image.Image) -> bool:
    """Whether a picture is this one, but for what packing has done to it."""
    grey = np.asarray(image.convert("L"), np.int16)
    return one.picture.grey.shape == grey.shape and float(np.abs(one.picture.grey - grey).mean()) < 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_black_first_frame_hides_nothing(kind: str) -> None:
    [one] = taken(moving(kind, [(plain(0), 2_000), (picture(1), 100)]))
    assert (one.frame, shows(one, picture(1))) == (2, True)


@pytest.mark.parametrize("kind", KINDS)
def test_of_different_frames_each_is_a_picture_and_that_which_is_shown_longest_comes_first(kind: str) -> None:
    found = taken(moving(kind, [(picture(1), 200), (picture(2), 100), (picture(3), 700)]))
    assert [(one.frame, one.share) for one in found] == [(3, 0.7), (1, 0.2), (2, 0.1)]
    assert all(shows(one, picture(one.frame or 0)) for one in found)
    assert {(one.picture.width, one.picture.height, one.picture.format) for one in found} == {(160, 200, kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_picture_that_fades_in_the_whole_one_is_taken(kind: str) -> None:
    steps = [(faded(picture(1), share / 5), 100) for share in range(5)]
    [one] = taken(moving(kind, [*steps, (picture(1), 1_000)]))
    assert (one.frame, shows(one, picture(1))) == (6, True)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_times_that_viewers_take_for_none_count_as_they_show_them(kind: str) -> None:
    found = taken(moving(kind, [(picture(1), 10), (picture(2), 60)]))
    assert [(one.frame, one.share) for one in found] == [(1, 0.625), (2, 0.375)]


@pytest.mark.parametrize(("kind", "loop"), [("GIF", None), ("PNG", 1), ("WEBP", 1), ("PNG", 3)])
def test_the_last_frame_of_one_that_is_not_played_for_ever_stays(kind: str, loop: int | None) -> None:
    assert numbers(moving(kind, [(picture(1), 5_000), (picture(2), 100)], loop=loop)) == [2, 1]
    assert numbers(moving(kind, [(picture(1), 5_000), (picture(2), 100)])) == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_hardly_differ_are_one_picture(kind: str) -> None:
    frames = [picture(1).copy() for _ in range(4)]
    for number, frame in enumerate(frames):
        frame.putpixel((5, number), (255, 0, 0))
    [one] = taken(moving(kind, [(frame, 100) for frame in frames]))
    assert (one.frame, one.share) == (1, 1.0)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_damaged_frame_ends_the_looking_and_those_before_it_are_taken(kind: str) -> None:
    whole = moving(kind, [(picture(seed), 100) for seed in range(1, 5)])
    assert numbers(whole) == [1, 2, 3, 4]
    assert numbers(damaged_frame(whole, 3)) == [1, 2]


def test_a_gif_that_is_damaged_or_cut_off_behind_its_first_frame_is_that_frame() -> None:
    whole = moving("GIF", [(picture(1), 100), (picture(2), 100)])
    second = whole.rindex(b"\x21\xf9\x04")
    still = small_picture(whole, LIMITS)
    for spoilt in (whole[:second], whole[: second + 9], whole[: second + 40], whole[:second] + bytes([0x21, 0xF9, 1])):
        [one] = taken(spoilt)
        assert np.array_equal(one.picture.grey, still.grey)
    for start in range(second, second + 24):
        damaged = whole[:start] + b"\xff\x00\x2c\x21" * 8 + whole[start + 32 :]
        assert np.array_equal({one.frame or 1: one for one in taken(damaged)}[1].picture.grey, still.grey)


def test_a_moving_picture_whose_first_frame_is_damaged_is_as_a_still_one_would_be() -> None:
    data = bytearray(moving("PNG", [(picture(1), 100), (picture(2), 100)]))
    at = data.index(b"IDAT")
    data[at + 4 : at + 200] = bytes(196)
    with pytest.raises(PhotoError, match="damaged") as of_still:
        small_picture(bytes(data), LIMITS)
    with pytest.raises(PhotoError) as of_moving:
        taken(bytes(data))
    assert str(of_moving.value) == str(of_still.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
def test_a_still_photo_is_one_picture_to_the_bit_and_has_no_frames(kind: str) -> None:
    packed = BytesIO()
    picture(1).save(packed, kind)
    [one] = small_pictures(packed.getvalue(), LIMITS, large=True, colour=True)
    alone = small_picture(packed.getvalue(), LIMITS, large=True, colour=True)
    assert (one.frame, one.share) == (None, None)
    assert np.array_equal(one.picture.grey, alone.grey)
    assert np.array_equal(one.picture.large, alone.large)
    assert one.picture.rgb is not None
    assert alone.rgb is not None
    assert np.array_equal(one.picture.rgb, alone.rgb)
    assert (one.picture.width, one.picture.height, one.picture.format) == (alone.width, alone.height, alone.format)


@pytest.mark.parametrize("kind", ["TIFF", "MPO"])
def test_pages_are_no_frames(kind: str) -> None:
    packed = BytesIO()
    picture(1).save(packed, kind, save_all=True, append_images=[picture(2)])
    assert numbers(packed.getvalue()) == [None]


def test_no_more_than_eight_pictures_are_taken() -> None:
    assert len(numbers(moving("GIF", [(picture(seed), 100) for seed in range(12)]))) == 8


def test_frames_beyond_the_limits_are_not_looked_at() -> None:
    data = moving("WEBP", [(picture(seed), 100) for seed in range(6)])
    assert numbers(data) == [1, 2, 3, 4, 5, 6]
    of_one = 160 * 200
    assert numbers(data, Limits(moving_pixels=4 * of_one)) == [1, 2, 3, 4]
    assert numbers(data, Limits(moving_pixels=1)) == [None]
    endless = moving("GIF", [(picture(seed), 100) for seed in range(6)])
    assert numbers(endless, Limits(frames=3)) == [1, 2, 3]  # a GIF does not declare how many it has
    assert numbers(endless, Limits(seconds=1e-6)) == [None]


@pytest.mark.slow
def test_a_gif_of_two_thousand_frames_is_looked_at_to_its_end() -> None:
    size = (48, 60)
    scenes = [picture(seed, size) for seed in range(5)]
    frames = [scenes[number // 400].copy() for number in range(2_000)]
    for number, frame in enumerate(frames):
        frame.putpixel((number % 48, number // 48 % 60), (number % 256, 0, 255))
    data = moving("GIF", [(frame, 20) for frame in frames])
    assert [((frame or 0) - 1) // 400 for frame in numbers(data)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_had_by_its_number_as_it_was_taken(kind: str) -> None:
    data = moving(kind, [(picture(seed), 100) for seed in (1, 2, 3)])
    for one in taken(data):
        again = frame_picture(data, LIMITS, one.frame or 0)
        assert np.array_equal(again.picture.grey, one.picture.grey)
    with pytest.raises(PhotoError):
        frame_picture(data, LIMITS, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_view_of_a_frame_shows_that_frame(kind: str) -> None:
    data = moving(kind, [(plain(0), 100), (picture(2), 100)])
    shown = Image.open(BytesIO(view(data, LIMITS, 480, 2).jpeg))
    assert np.abs(np.asarray(shown.convert("L"), np.int16) - np.asarray(picture(2).convert("L"), np.int16)).mean() < 12
    assert np.asarray(Image.open(BytesIO(view(data, LIMITS).jpeg))).max() < 10


@pytest.mark.parametrize("kind", KINDS)
def test_whether_a_file_may_move_is_known_from_its_head(kind: str) -> None:
    assert may_move(moving(kind, [(picture(1), 100), (picture(2), 100)]))
    still = BytesIO()
    picture(1).save(still, kind)
    assert may_move(still.getvalue()) == (kind == "GIF")  # which does not say
    assert not may_move(photos.jpeg(picture(1)))
    assert not any(map(may_move, (b"", b"RIFF", b"\0\0\0\x20ftyp", b"\x89PNG\r\n\x1a\n")))
