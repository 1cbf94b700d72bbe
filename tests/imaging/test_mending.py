from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image, ImageFile

from imgmatch.errors import PhotoError
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.mending import LEAST_THERE
from imgmatch.imaging.picture import SmallPicture, small_picture
from imgmatch.imaging.view import view

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = (400, 530)
PICTURE = photos.picture(3, SIZE)
ORIENTATION = 0x0112

FILES: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
    "JPEG": (PICTURE, "JPEG", {}),
    "JPEG in grey": (PICTURE.convert("L"), "JPEG", {}),
    "JPEG of inks": (PICTURE.convert("CMYK"), "JPEG", {}),
    "JPEG that keeps RGB": (PICTURE, "JPEG", {"keep_rgb": True}),
    "JPEG with restarts": (PICTURE, "JPEG", {"restart_marker_rows": 1}),
    "PNG": (PICTURE, "PNG", {}),
    "PNG with a palette": (PICTURE.quantize(64), "PNG", {}),
    "PNG with alpha": (PICTURE.convert("RGBA"), "PNG", {}),
    "GIF": (PICTURE.quantize(200), "GIF", {"interlace": 0}),
    "BMP": (PICTURE, "BMP", {}),
    "TIFF": (PICTURE, "TIFF", {}),
    "WebP": (PICTURE, "WEBP", {}),
    "WebP without losses": (PICTURE, "WEBP", {"lossless": True}),
    "AVIF": (PICTURE, "AVIF", {}),
}


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def small(data: bytes) -> SmallPicture:
    return small_picture(data, Limits())


def refusal(data: bytes) -> str:
    with pytest.raises(PhotoError) as refused:
        small(data)
    assert refused.value.reason == "unreadable"
    return refused.value.detail


def cut(data: bytes, share: float) -> bytes:
    return data[: len(data) - max(2, round(len(data) * share))]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The bodies of a PNG file under their names."""
    found: dict[bytes, bytes] = {}
    place = 8
    while place < len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        found[name] = found.get(name, b"") + data[place + 8 : place + 8 + length]
        place += length + 12
    return found


def chunk(name: bytes, body: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(name + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def with_chunk(extra: bytes, *, last: bool = False) -> bytes:
    """The picture as a PNG file with one more chunk, before its pixels or after them."""
    data = photos.png(PICTURE)
    place = len(data) - 12 if last else 8 + 25
    return data[:place] + extra + data[place:]


@pytest.mark.parametrize("share", [0.03, 0.2, 0.4])
@pytest.mark.parametrize("name", FILES)
def test_the_rows_of_a_cut_photo_that_are_there_are_those_of_the_whole_one(name: str, share: float) -> None:
    image, kind, save = FILES[name]
    data = packed(image, kind, **save)
    whole, found = small(data), small(cut(data, share))
    assert whole.damaged is None
    assert found.damaged is not None
    assert 1 - share - 0.2 <= found.damaged < 1
    assert (found.width, found.height) == (SIZE[0], round(found.damaged * SIZE[1]))
    rows = len(found.grey)
    part = whole.grey[-rows:] if kind == "BMP" else whole.grey[:rows]
    # The last row may have been smoothed with what comes after it.
    assert np.abs(part.astype(int) - found.grey)[1:-1].max() <= (24 if kind in {"WEBP", "AVIF"} else 0)
    assert np.abs(part.astype(int) - found.grey).mean() < 0.5


@pytest.mark.parametrize("share", [0.03, 0.2])
def test_of_a_cut_heic_photo_what_is_there_is_read(share: float) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the heic extra")
    file = BytesIO()
    pillow_heif.from_pillow(PICTURE).save(file, quality=80)
    found = small(cut(file.getvalue(), share))
    assert found.damaged is not None
    assert 0.7 < found.damaged < 1
    rows = len(found.grey)
    assert np.abs(small(file.getvalue()).grey[:rows].astype(int) - found.grey).mean() < 1


@pytest.mark.parametrize("name", ["JPEG", "JPEG in grey", "JPEG of inks"])
def test_a_jpeg_without_its_last_two_bytes_has_all_its_pixels_and_is_called_damaged(name: str) -> None:
    image, kind, save = FILES[name]
    data = packed(image, kind, **save)
    assert small(data[:-2]).damaged == 1.0
    assert np.array_equal(small(data[:-2]).grey, small(data).grey)


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_a_progressive_jpeg_that_is_cut_anywhere_shows_all_rows_in_less_detail(step: int) -> None:
    data = photos.jpeg(PICTURE, progressive=True)
    found = small(data[: len(data) - 2 - step * len(data) // 100])
    assert found.damaged == 1.0
    assert found.grey.shape == SIZE[::-1]
    assert np.abs(found.grey.astype(int) - small(data).grey).mean() < 9


def test_a_jpeg_that_is_cut_within_a_segment_is_not_lost() -> None:
    data = photos.jpeg(PICTURE, progressive=True)
    places = [place for place in range(len(data) // 3, len(data) - 4) if data[place : place + 2] == b"\xff\xc4"]
    assert places
    for place in places:
        for more in (1, 2, 3, 4, 9):
            assert small(data[: place + more]).damaged == 1.0


def test_a_jpeg_whose_end_is_zeros_is_taken_up_to_them() -> None:
    data = photos.jpeg(PICTURE)
    half = len(data) // 2
    found = small(data[:half] + bytes(len(data) - half))
    assert found.damaged == small(data[:half]).damaged
    assert np.array_equal(found.grey, small(data[:half]).grey)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "BMP"])
def test_of_a_large_photo_drafts_and_the_larger_picture_are_cut_alike(name: str) -> None:
    _, kind, save = FILES[name]
    data = packed(PICTURE.resize((1600, 2120)), kind, **save)
    found = small_picture(cut(data, 0.3), Limits(), large=True, colour=True)
    whole = small_picture(data, Limits(), large=True)
    assert found.damaged is not None
    assert 0.5 < found.damaged < 0.9
    assert found.rgb is not None
    assert found.rgb.shape[:2] == found.grey.shape
    for one, other in ((found.grey, whole.grey), (found.large, whole.large)):
        wide = round(other.shape[1] * one.shape[0] / (other.shape[0] * found.damaged))
        assert wide == pytest.approx(one.shape[1], rel=0.02)


@pytest.mark.parametrize("tag", range(1, 9))
def test_what_is_there_is_upright_and_pages_show_the_same(tag: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    data = cut(photos.jpeg(PICTURE, exif=exif), 0.3)
    found, shown = small(data), view(data, Limits(), 640)
    rows = round((found.damaged or 0) * SIZE[1])
    assert (found.width, found.height) == ((SIZE[0], rows) if tag < 5 else (rows, SIZE[0]))
    assert (shown.width, shown.height) == (found.width, found.height)
    pixels = np.asarray(Image.open(BytesIO(shown.jpeg)).convert("L")).astype(int)
    assert np.abs(pixels - found.grey).mean() < 3


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WebP", "AVIF"])
def test_too_little_of_a_photo_is_unreadable_and_says_how_much_there_is(name: str) -> None:
    image, kind, save = FILES[name]
    detail = refusal(cut(packed(image, kind, **save), 0.85))
    assert detail.startswith(("damaged", name))
    assert name in detail
    if "rows" in detail:
        assert float(detail.partition(": ")[2].partition("%")[0]) / 100 <= LEAST_THERE


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", [b"pHYs", b"tEXt", b"tIME", b"iCCP", b"eXIf", b"prVt"])
def test_a_side_chunk_with_a_wrong_checksum_costs_only_itself(name: bytes, *, last: bool) -> None:
    found = small(with_chunk(chunk(name, b"\0\0\x0b\x12\0\0\x0b\x12\x01", 1234), last=last))
    assert found.damaged in ({1.0, None} if last else {1.0})  # what comes after the pixels may not be looked at
    assert np.array_equal(found.grey, np.asarray(PICTURE.convert("L")))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(70 << 20))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (3 << 20))),
        chunk(b"iCCP", b"press\0\0" + zlib.compress(bytes(3 << 20))),
        chunk(b"tEXt", b"note\0" + bytes(2 << 20)) * 40,
    ],
    ids=["zTXt", "iTXt", "iCCP", "many"],
)
@pytest.mark.parametrize("last", [False, True])
def test_metadata_that_is_large_or_packed_to_be_is_left_out_and_the_photo_is_whole(extra: bytes, *, last: bool) -> None:
    if last and extra[4:8] == b"iCCP":
        pytest.skip("a profile stands before the pixels")
    found = small_picture(with_chunk(extra, last=last), Limits(file_bytes=200 << 20))
    assert found.damaged is None
    assert np.array_equal(found.grey, np.asarray(PICTURE.convert("L")))


def test_pixels_with_a_wrong_checksum_are_taken_as_far_as_they_unpack() -> None:
    parts = chunks(photos.png(PICTURE))
    start = photos.png(PICTURE)[: 8 + 25]
    sound = start + chunk(b"IDAT", parts[b"IDAT"], 99) + chunk(b"IEND", b"")
    assert small(sound).damaged in {1.0, None}
    assert np.array_equal(small(sound).grey, small(photos.png(PICTURE)).grey)
    packed_pixels = bytearray(parts[b"IDAT"])
    packed_pixels[len(packed_pixels) * 3 // 5] ^= 0xFF
    found = small(start + chunk(b"IDAT", bytes(packed_pixels)) + chunk(b"IEND", b""))
    assert found.damaged is not None
    assert found.damaged > 0.4


def interlaced_png(image: Image.Image) -> bytes:
    """By Adam7, which Pillow does not write."""
    pixels, rows = np.asarray(image.convert("RGB")), b""
    for left, top, across, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)),
        *((1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::across])
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [interlaced_png(PICTURE), packed(PICTURE.quantize(200), "GIF", interlace=1)],
    ids=["PNG", "GIF"],
)
def test_of_an_interlaced_picture_that_is_cut_every_second_pixel_is_taken(data: bytes) -> None:
    whole, found = small(data), small(cut(data, 0.3))
    assert whole.damaged is None
    assert found.damaged == 1.0
    assert np.array_equal(found.grey, whole.grey[::2, ::2])
    assert (found.width, found.height) == (SIZE[0] // 2, SIZE[1] // 2)
    assert refusal(cut(data, 0.9))


@pytest.mark.parametrize("name", FILES)
def test_trailing_bytes_are_no_damage(name: str) -> None:
    image, kind, save = FILES[name]
    data = packed(image, kind, **save)
    for more in (b"\0" * 5000, b"<!-- appended -->", b"\xff" * 33):
        found = small(data + more)
        assert found.damaged is None
        assert np.array_equal(found.grey, small(data).grey)


def test_a_decoder_that_was_lenient_once_is_strict_again() -> None:
    assert small(cut(packed(PICTURE.quantize(200), "GIF", interlace=0), 0.2)).damaged
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("opened", [small, lambda data: view(data, Limits())])
def test_a_damaged_photo_that_declares_too_much_is_too_large(opened: Callable[[bytes], object]) -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"pHYs", bytes(9), 5) + chunk(b"IDAT", b"")
    with pytest.raises(PhotoError, match="the limit is 64,000,000"):
        opened(data)


def test_a_part_that_is_too_small_to_compare_is_too_small() -> None:
    with pytest.raises(PhotoError) as refused:
        small(cut(photos.png(photos.picture(1, (400, 40))), 0.4))
    assert refused.value.reason == "too small"
