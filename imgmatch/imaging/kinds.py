"""What a file is by its bytes, whatever its name says; of one that is not read, what would help."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: as people call it.
        advice: what would help where it is not read.
        pillow: Pillow's name of it, where it is among the formats that may be read.
    """

    name: str
    advice: str
    pillow: str | None = None


_SAVE = "save it as JPEG or PNG"
_TAKE = "take a frame of it as JPEG or PNG"
_UNPACK = "unpack it first"
_NONE = "it is no photo"

UNKNOWN_KIND = FileKind("picture", _NONE)

_READ = {"JPEG", "PNG", "GIF", "BMP", "TIFF"}

_STARTS: dict[tuple[str, str], tuple[bytes, ...]] = {
    ("JPEG", _SAVE): (b"\xff\xd8\xff",),
    ("PNG", _SAVE): (b"\x89PNG\r\n\x1a\n",),
    ("GIF", _SAVE): (b"GIF87a", b"GIF89a"),
    ("BMP", _SAVE): (b"BM",),
    ("camera raw file", "export it as JPEG"): (
        *(b"II\x2a\0\x10\0\0\0CR", b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM"),
        b"II\x1a\0\0\0HEAPCCDR",
    ),
    ("TIFF", _SAVE): (b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b"),
    ("JPEG XL picture", _SAVE): (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("JPEG 2000 picture", _SAVE): (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    ("JPEG XR picture", _SAVE): (b"II\xbc\1",),
    ("Photoshop file", _SAVE): (b"8BPS",),
    ("GIMP file", _SAVE): (b"gimp xcf",),
    ("icon", _SAVE): (b"\0\0\1\0", b"\0\0\2\0", b"icns"),
    ("DDS picture", _SAVE): (b"DDS ",),
    ("QOI picture", _SAVE): (b"qoif",),
    ("BPG picture", _SAVE): (b"BPG\xfb",),
    ("OpenEXR picture", _SAVE): (b"\x76\x2f\x31\x01",),
    ("Radiance picture", _SAVE): (b"#?RADIANCE",),
    ("Netpbm picture", _SAVE): tuple(b"P%d%c" % (kind, end) for kind in range(1, 8) for end in b"\n\r\t "),
    ("PDF", _SAVE): (b"%PDF-",),
    ("PostScript file", _SAVE): (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    ("Matroska or WebM video", _TAKE): (b"\x1a\x45\xdf\xa3",),
    ("MPEG video", _TAKE): (b"\0\0\1\xba", b"\0\0\1\xb3"),
    ("Flash video", _TAKE): (b"FLV\1",),
    ("Windows Media video", _TAKE): (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",),
    ("Ogg file", _TAKE): (b"OggS",),
    ("MP3 file", _NONE): (b"ID3",),
    ("zip archive, or a document packed in one", _UNPACK): (b"PK\3\4", b"PK\5\6"),
    ("gzip file", _UNPACK): (b"\x1f\x8b",),
    ("bzip2 file", _UNPACK): (b"BZh",),
    ("xz file", _UNPACK): (b"\xfd7zXZ\0",),
    ("7z archive", _UNPACK): (b"7z\xbc\xaf\x27\x1c",),
    ("rar archive", _UNPACK): (b"Rar!\x1a\7",),
    ("AppleDouble file", "macOS keeps it beside the photo"): (b"\0\5\x16\7",),
    ("SQLite database", _NONE): (b"SQLite format 3\0",),
}

_BOXES: dict[tuple[str, str, str | None], tuple[bytes, ...]] = {
    ("AVIF", "install a Pillow that reads AVIF", "AVIF"): (b"avif", b"avis"),
    ("HEIC", 'pip install "imgmatch[heic]"', "HEIF"): (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    ),
    ("camera raw file", "export it as JPEG", None): (b"crx ",),
    ("QuickTime video", _TAKE, None): (b"qt  ",),
    ("M4A file", _NONE, None): (b"M4A ", b"M4B "),
}
"""Brands of ISO base media files; those of all others are videos."""

_RIFF = {
    b"WEBP": FileKind("WebP", _SAVE, "WEBP"),
    b"AVI ": FileKind("AVI video", _TAKE),
    b"WAVE": FileKind("WAV file", _NONE),
}

_TEXTS = {
    ("SVG drawing", _SAVE): (b"<svg",),
    ("HTML page", "perhaps it tells why the photo was not to be had"): (b"<!doctype html", b"<html"),
    ("XML file", _NONE): (b"<?xml", b"<"),
    ("JSON file", _NONE): (b"{", b"["),
}
"""Beginnings of text in small letters; of an XML file that is SVG its first element stands later."""

_TEXT_BYTES = 1024
_BRANDS_BYTES = 128
_TARGA_END = b"TRUEVISION-XFILE.\0"


def kind_of(data: bytes) -> FileKind:
    """What ``data`` is, by its first bytes, or its last."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], UNKNOWN_KIND)
    if data[4:8] == b"ftyp":
        return _box(data[8 : min(_BRANDS_BYTES, int.from_bytes(data[:4], "big"))])
    if data.endswith(_TARGA_END):  # first: its own first bytes may be those of an icon
        return FileKind("Targa picture", _SAVE)
    for (name, advice), starts in _STARTS.items():
        if data.startswith(starts):
            return FileKind(name, advice, name if name in _READ else None)
    return _text(data[:_TEXT_BYTES])


def _box(brands: bytes) -> FileKind:
    """By the brand of the file, or else by those it goes with, which stand eight bytes after."""
    for brand in (brands[:4], *(brands[place : place + 4] for place in range(8, len(brands), 4))):
        for (name, advice, pillow), known in _BOXES.items():
            if brand in known:
                return FileKind(name, advice, pillow)
    return FileKind("MP4 video", _TAKE)


def _text(start: bytes) -> FileKind:
    if not start.strip(b"\0"):
        return FileKind("file of zeros", "fetch or copy it again")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text:
        return FileKind("SVG drawing", _SAVE)
    for (name, advice), starts in _TEXTS.items():
        if text.startswith(starts):
            return FileKind(name, advice)
    return UNKNOWN_KIND
