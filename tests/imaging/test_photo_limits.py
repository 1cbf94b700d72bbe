from __future__ import annotations

import struct
import time
import zlib
from io import BytesIO

import photos
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgmatch.errors import PhotoError
from imgmatch.imaging.files import check_size
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture

SMALL = photos.picture(1, (64, 48))


def refusal(data: bytes, limits: Limits | None = None) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        small_picture(data, limits or Limits())
    assert caught.value.__cause__ is None
    return caught.value.reason, caught.value.detail


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb_png(width: int, height: int) -> bytes:
    """A picture of one bit a pixel, all black, that takes a thousandth of its size."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def bomb_webp(width: int, height: int) -> bytes:
    """An extended header that declares a canvas, and a small picture."""
    file = BytesIO()
    SMALL.save(file, "WEBP", lossless=True)
    picture = file.getvalue()[12:]
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = bytes(6) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little") + bytes(4) + picture
    chunks = (
        b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF"
    )
    body = b"WEBP" + chunks + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bomb_gif(width: int, height: int) -> bytes:
    """A frame that declares a size and that it is to be wiped away after it was shown."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    wipe = b"!\xf9\x04\x08\0\0\0\0"
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + screen + wipe + frame + b";"


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = bomb_png(30_000, 30_000)
    assert len(bomb) < 1 << 20
    started = time.process_time()
    reason, detail = refusal(bomb)
    assert time.process_time() - started < 0.5
    assert reason == "too large"
    assert "the limit is 64,000,000" in detail


@pytest.mark.parametrize("bomb", [bomb_webp(16_000, 16_000), bomb_gif(60_000, 60_000), bomb_gif(9000, 9000)])
def test_a_bomb_whose_decoder_takes_memory_as_it_opens_is_refused_before(bomb: bytes) -> None:
    started = time.process_time()
    reason, detail = refusal(bomb)
    assert time.process_time() - started < 0.5
    assert reason == "too large"
    assert "the limit is 64,000,000" in detail


@pytest.mark.parametrize(("width", "height"), [(65, 48), (64, 49), (640, 480)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_pixel_more_than_the_limit_is_too_large(width: int, height: int, kind: str) -> None:
    for size, reason in (((width, height), "too large"), ((64, 48), None)):
        file = BytesIO()
        SMALL.resize(size).save(file, kind)
        if reason is None:
            assert small_picture(file.getvalue(), Limits(pixels=64 * 48)).width == 64
        else:
            assert refusal(file.getvalue(), Limits(pixels=64 * 48))[0] == reason


def test_a_side_over_the_limit_is_too_large() -> None:
    strip = photos.png(photos.flat((1001, 40)))
    assert refusal(strip, Limits(side=1000)) == (
        "too large",
        "1001 x 40 pixels; the limit is 64,000,000 pixels and 1,000 a side",
    )
    assert small_picture(strip, Limits(side=1001)).width == 1001


@pytest.mark.parametrize("size", [(31, 200), (200, 31), (1, 1)])
def test_a_side_below_the_least_is_too_small(size: tuple[int, int]) -> None:
    reason, detail = refusal(photos.png(photos.flat(size)))
    assert (reason, detail) == ("too small", f"{size[0]} x {size[1]} pixels; a side needs 32")


def test_the_least_side_is_enough() -> None:
    assert small_picture(photos.png(photos.flat((32, 32))), Limits()).grey.shape == (32, 32)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_an_animation_that_declares_too_many_frames_is_too_large(kind: str) -> None:
    frames = [photos.picture(seed, (40, 40)) for seed in range(4)]
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=10)
    assert refusal(file.getvalue(), Limits(frames=3)) == ("too large", "4 frames; the limit is 3")
    assert small_picture(file.getvalue(), Limits(frames=4)).width == 40


def test_a_file_over_the_limit_is_too_large_whatever_it_holds() -> None:
    assert refusal(bytes(101), Limits(file_bytes=100)) == ("too large", "101 bytes; the limit is 100")
    with pytest.raises(PhotoError, match="too large: 3 bytes; the limit is 2"):
        check_size(3, Limits(file_bytes=2))


def test_no_bytes_at_all_are_unreadable() -> None:
    assert refusal(b"") == ("unreadable", "the file is empty")


@pytest.mark.parametrize("text", [b"name,path\n1,2\n", b"\1"])
def test_what_is_no_picture_is_unreadable(text: bytes) -> None:
    assert refusal(text) == ("unreadable", "not a picture in a format imgmatch reads")


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "PCX", "ICO", "DDS", "JPEG2000"])
def test_decoders_no_profile_photo_needs_are_out_of_reach(kind: str) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {kind}")
    file = BytesIO()
    SMALL.save(file, kind)
    assert refusal(file.getvalue())[0] == "unreadable"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.2])
def test_a_picture_of_which_little_is_left_is_unreadable(kind: str, kept: float) -> None:
    file = BytesIO()
    photos.picture(4, (200, 200)).save(file, kind)
    whole = file.getvalue()
    reason, detail = refusal(whole[: int(len(whole) * kept)])
    assert reason == "unreadable"
    assert detail


@pytest.mark.slow
@given(st.data(), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]))
@settings(max_examples=150, deadline=None)
def test_a_picture_damaged_anywhere_is_a_picture_or_refused_with_a_reason(data: st.DataObject, kind: str) -> None:
    file = BytesIO()
    SMALL.save(file, kind)
    damaged = bytearray(file.getvalue())
    places = st.integers(0, len(damaged) - 1) | st.integers(0, 60)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
        damaged[place] = value
    try:
        found = small_picture(bytes(damaged), Limits())
    except PhotoError as error:
        refused = error
    else:
        assert min(found.grey.shape) >= 32
        return
    assert refused.reason in {"unreadable", "too large", "too small"}
    assert refused.detail
    assert "\n" not in refused.detail
