"""docs/formats.md says what becomes of each kind of photo: here one of each is drawn and read."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from drawn_profiles import DISPLAY_P3, SRGB, gamma, grey_profile, ink_profile, rgb_profile, srgb_curve
from PIL import Image

from imgmatch.describing.messages import Description, Job
from imgmatch.describing.runner import open_runner
from imgmatch.describing.settings import Settings
from imgmatch.model import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
PICTURE = photos.picture(11, (300, 240))
SIXTEEN_BITS = Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257)
SIXTH = Image.Exif()
SIXTH[0x0112] = 6


def packed(image: Image.Image, kind: str, **save: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def cut(data: bytes, share: float = 0.2) -> bytes:
    return data[: len(data) - max(2, round(len(data) * share))]


def png_with(name: bytes, body: bytes, checksum: int | None = None) -> bytes:
    data = photos.png(PICTURE)
    checksum = zlib.crc32(name + body) if checksum is None else checksum
    return data[:33] + struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum) + data[33:]


def interlaced_png() -> bytes:
    """By Adam7, which Pillow does not write."""
    pixels = np.asarray(PICTURE)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [row for left, top, across, down in passes for row in pixels[top::down, left::across]]
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = ((b"IHDR", struct.pack(">IIBBBBB", *PICTURE.size, 8, 2, 0, 0, 1)), (b"IDAT", body), (b"IEND", b""))
    written = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the heic extra")
    file = BytesIO()
    pillow_heif.from_pillow(PICTURE).save(file, quality=80)
    return file.getvalue()


def animated(kind: str) -> bytes:
    return packed(PICTURE, kind, save_all=True, append_images=[photos.picture(12, PICTURE.size)], duration=90)


def others() -> Iterator[bytes]:
    yield from (packed(PICTURE, kind) for kind in ("WEBP", "BMP", "TIFF", "AVIF"))


def of_each_format() -> Iterator[bytes]:
    yield from (photos.jpeg(PICTURE), photos.png(PICTURE), packed(PICTURE, "GIF"), *others())


def inks() -> Image.Image:
    """What :func:`ink_profile` shows the picture in: its fourth ink."""
    luma = PICTURE.convert("L")
    return Image.merge("CMYK", (*[Image.new("L", luma.size)] * 3, luma))


def named_wrong() -> list[bytes]:
    return list(of_each_format())  # a decoder is given bytes, no name


JPEG = photos.jpeg(PICTURE)
LARGE = zlib.compress(bytes(3 << 20))
LIKE_SRGB = rgb_profile(SRGB, srgb_curve()), rgb_profile(SRGB, gamma(2.2))
TELLING = rgb_profile(DISPLAY_P3, srgb_curve()), rgb_profile(SRGB, srgb_curve(inverted=True))
USELESS = b"none", bytes(5 << 20), grey_profile(gamma(1.0))
NO_PHOTOS = (
    *(
        b"\xff\x0a",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\0\0\1\0\1\0",
        bytes(90) + b"TRUEVISION-XFILE.\0",
        b"8BPS\0\1",
        b"<svg/>",
    ),
    *(b"%PDF-1.4", b"IIRO", b"\0\0\0\x14ftypmp42", b"<html>", b"PK\3\4"),
)

DRAWN: dict[str, Callable[[], list[bytes]]] = {
    "JPEG, also progressive, of inks (CMYK), in RGB or grey, MPO": lambda: [
        *(photos.jpeg(PICTURE.convert(mode)) for mode in ("RGB", "L", "CMYK")),
        *(photos.jpeg(PICTURE, **save) for save in ({"progressive": True}, {"keep_rgb": True})),
        packed(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
    ],
    "PNG, also with a palette, alpha, 16 bits or interlaced, APNG": lambda: [
        *(photos.png(image) for image in (PICTURE, PICTURE.quantize(64), PICTURE.convert("RGBA"), SIXTEEN_BITS)),
        interlaced_png(),
        animated("PNG"),
    ],
    "GIF, WebP, BMP, TIFF, AVIF": lambda: [
        *(packed(PICTURE, kind) for kind in ("GIF", "WEBP", "BMP", "TIFF", "AVIF")),
        *(animated(kind) for kind in ("GIF", "WEBP", "AVIF", "TIFF")),
    ],
    "HEIC, with the extra `heic`": lambda: [heic()],
    "any of these under another name": named_wrong,
    "any of these with bytes after its end": lambda: [
        data + more for data in of_each_format() for more in (bytes(2000), b"<script>")
    ],
    "JPEG turned by EXIF": lambda: [photos.jpeg(PICTURE, exif=exif) for exif in (SIXTH, b"Exif\0\0MM\0\x2a\xff\xff")],
    "photo with a colour profile that looks like sRGB": lambda: [
        photos.jpeg(PICTURE, icc_profile=profile) for profile in LIKE_SRGB
    ],
    "photo with a profile that changes what people see": lambda: [
        *(photos.jpeg(PICTURE, icc_profile=profile) for profile in TELLING),
        photos.jpeg(inks(), icc_profile=ink_profile()),
    ],
    "photo with a damaged, huge or unfitting profile": lambda: [
        packed(PICTURE, "TIFF", icc_profile=profile) for profile in USELESS
    ],
    "PNG with large or packed text or profile": lambda: [
        png_with(b"zTXt", b"note\0\0" + LARGE),
        png_with(b"iCCP", b"press\0\0" + LARGE),
    ],
    "PNG with a wrong checksum in a side chunk": lambda: [png_with(b"pHYs", bytes(9), 7)],
    "JPEG without its last bytes": lambda: [cut(JPEG, share) for share in (0, 0.03, 0.2)],
    "progressive JPEG that is cut": lambda: [
        cut(photos.jpeg(PICTURE, progressive=True), share) for share in (0, 0.1, 0.4)
    ],
    "JPEG with zeros for its end": lambda: [cut(JPEG).ljust(len(JPEG), b"\0")],
    "PNG, GIF, WebP, BMP, TIFF without compression, AVIF or HEIC that is cut": lambda: [
        cut(data) for data in (photos.png(PICTURE), packed(PICTURE, "GIF", interlace=0), *others(), heic())
    ],
    "interlaced PNG or GIF that is cut": lambda: [cut(interlaced_png()), cut(packed(PICTURE, "GIF", interlace=1))],
    "photo of which less than 30 % of the rows is there": lambda: [cut(data, 0.85) for data in of_each_format()],
    "compressed TIFF that is cut": lambda: [cut(packed(PICTURE, "TIFF", compression="tiff_lzw"))],
    "JPEG XL, JPEG 2000, ICO, TGA, PSD, SVG, PDF, camera raw, video, web page, archive": lambda: list(NO_PHOTOS),
}


def rows() -> list[tuple[str, str]]:
    """What the table says: the kind of photo, and what becomes of it."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Photos\n")[2].partition("\n##")[0]
    lines = [line.split("|") for line in section.splitlines() if line.startswith("|")][2:]
    return [(line[1].strip(), line[2].strip(" `")) for line in lines]


def became(data: bytes) -> str:
    with open_runner("in-process", 1, Settings(("phash",), features=False)) as runner:
        ((_, reply),) = runner.describe([data], Job)
    if isinstance(reply, Failure):
        return str(reply.reason)
    assert isinstance(reply, Description)
    return "used" if reply.damaged is None else "damaged"


@pytest.mark.slow
@pytest.mark.parametrize(("row", "becomes"), rows())
def test_a_photo_becomes_what_the_table_says(row: str, becomes: str) -> None:
    made = DRAWN[row]()
    assert [became(data) for data in made] == [becomes] * len(made)


def test_nothing_is_drawn_that_the_table_does_not_speak_of() -> None:
    assert list(DRAWN) == [row for row, _ in rows()]
