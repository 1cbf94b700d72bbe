"""Opening a picture with a short list of decoders, the ones profile photos come in."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from imgmatch.imaging.limits import Limits

_PLUGINS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
"""Imported for what they register; every other decoder of Pillow stays out of reach of untrusted bytes."""

_NAMES = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the other cores have photos of their own


def _with_heif() -> bool:
    if find_spec("pillow_heif") is None:
        return False
    import pillow_heif  # noqa: PLC0415 -- the heic extra

    pillow_heif.register_heif_opener(thumbnails=False)
    return True


_HEIF = _with_heif()
READ_FORMATS = (*(name for name in _NAMES if name in Image.OPEN), *(("HEIF",) if _HEIF else ()))
"""Pillow's names of the formats that are tried."""


def open_image(file: BinaryIO, limits: Limits) -> Image.Image:
    """Open ``file`` without decoding its pixels.

    Raises:
        PIL.Image.DecompressionBombError: it declares more than twice the pixels of ``limits``.
        PIL.UnidentifiedImageError: it is none of ``READ_FORMATS``.
    """
    # Some decoders take memory for the whole picture as they open it. Pillow looks before they do, and refuses what is
    # twice this size; decoding.check_declared draws the line itself.
    Image.MAX_IMAGE_PIXELS = limits.pixels
    return Image.open(file, formats=READ_FORMATS)
