from __future__ import annotations

import pytest

from imgmatch.errors import PhotoError
from imgmatch.imaging.kinds import UNKNOWN_KIND, kind_of
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture


def boxed(brand: bytes, *others: bytes) -> bytes:
    return (16 + 4 * len(others)).to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + b"".join(others) + b"\0\0\0\x08free"


REFUSED = {
    "JPEG XL picture": (b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n" + boxed(b"jxl ")),
    "JPEG 2000 picture": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f"),
    "icon": (b"\0\0\1\0\1\0\x20\x20",),
    "Targa picture": (bytes(2) + b"\x02" + bytes(60) + b"TRUEVISION-XFILE.\0",),
    "PDF": (b"%PDF-1.7\n",),
    "Photoshop file": (b"8BPS\0\1",),
    "SVG drawing": (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn -->\n<SVG/>",
    ),
    "camera raw file": (b"II\x2a\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0", boxed(b"crx ", b"isom")),
    "MP4 video": (boxed(b"isom", b"mp41"), boxed(b"mp42"), boxed(b"3gp5")),
    "QuickTime video": (boxed(b"qt  "),),
    "Matroska or WebM video": (b"\x1a\x45\xdf\xa3\x01\0\0\0",),
    "AVI video": (b"RIFF\0\x10\0\0AVI LIST",),
    "HTML page": (b"<!DOCTYPE html><title>404</title>", b"\n  <html lang=en>"),
    "JSON file": (b'{"error": "not found"}',),
    "zip archive": (b"PK\3\4\x14\0",),
    "gzip file": (b"\x1f\x8b\x08\0",),
    "AppleDouble file": (b"\0\5\x16\7\0\2\0\0Mac OS X",),
    "file of zeros": (bytes(5000),),
    "Netpbm picture": (b"P6\n1 1\n255\n\0\0\0",),
}


def refusal(data: bytes) -> str:
    with pytest.raises(PhotoError) as refused:
        small_picture(data, Limits())
    assert refused.value.reason == "unreadable"
    return refused.value.detail


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_the_file_is_and_what_would_help(name: str) -> None:
    for data in REFUSED[name]:
        found, _, advice = refusal(data).partition(", not a format imgmatch reads: ")
        assert found.startswith(name)
        assert advice == kind_of(data).advice != ""


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("JPEG", b"\xff\xd8\xff\xe0"),
        ("PNG", b"\x89PNG\r\n\x1a\n"),
        ("GIF", b"GIF89a"),
        ("BMP", b"BM\0"),
        ("TIFF", b"MM\0\x2a\0\0\0\x08"),
        ("WebP", b"RIFF\x10\0\0\0WEBPVP8 "),
    ],
)
def test_a_broken_file_of_a_format_that_is_read_is_called_by_it(name: str, data: bytes) -> None:
    assert refusal(data).startswith(f"damaged or unusual {name}")


@pytest.mark.parametrize("data", [b"\1", b"name,path\n1,2\n", b"RIFF\0\0\0\0ABCD", b"\x89PNG"])
def test_what_nobody_knows_is_no_picture(data: bytes) -> None:
    assert kind_of(data) is UNKNOWN_KIND
    assert refusal(data) == "not a picture in a format imgmatch reads"


def test_a_brand_that_a_file_goes_with_tells_as_well() -> None:
    assert kind_of(boxed(b"mif2", b"avif")).pillow == "AVIF"
    assert kind_of(boxed(b"abcd", b"heic")).pillow == "HEIF"
