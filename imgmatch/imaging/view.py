"""A photo as a person looks at it: small, upright, in sRGB colours, and nothing of the file but its pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageCms

from imgmatch.imaging.colour import to_colour
from imgmatch.imaging.files import check_size
from imgmatch.imaging.moving import stand_at
from imgmatch.imaging.opening import open_image
from imgmatch.imaging.picture import photo_errors, pixels_of
from imgmatch.imaging.upright import orientation_tag, upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.imaging.limits import Limits

QUALITY = 85
"""Of the JPEG, where artefacts are hard to see and a picture of 480 pixels takes about 30 kB."""

PROFILE_BYTES = 4 << 20
"""A larger colour profile is not looked at; those of printing presses have up to three million bytes."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture to be shown.

    Attributes:
        jpeg: a baseline JPEG in sRGB, without EXIF, colour profile or comment.
        width: of that JPEG, in pixels.
        height: likewise.
    """

    jpeg: bytes
    width: int
    height: int


def view(data: bytes, limits: Limits, side: int = 480, frame: int = 1) -> View:
    """Decode ``data`` to a picture whose longer side has ``side`` pixels at the most; it is never enlarged.

    Of a moving picture the frame of that number is taken, counted from 1. Alpha is laid over white, and the colours of
    an embedded profile become those of sRGB.

    Raises:
        PhotoError: it is unreadable, too large or too small, as for ``small_picture``, or has no such frame.
    """
    check_size(len(data), limits)
    with photo_errors(limits):
        image = _in_srgb(*_decode(data, limits, side, frame))
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=QUALITY, optimize=True)
        return View(packed.getvalue(), image.width, image.height)


def _decode(data: bytes, limits: Limits, side: int, frame: int) -> tuple[NDArray[np.uint8], bytes]:
    """The small upright pixels as ``to_colour`` gives them, and the colour profile of the file, which may be empty."""
    with open_image(io.BytesIO(data), limits) as image:
        stand_at(image, frame, limits)
        width, height = image.size
        scale = min(1.0, side / max(width, height))
        target = max(1, round(width * scale)), max(1, round(height * scale))
        image.draft("RGB", target)
        pixels = pixels_of(image, width * height, to_colour)
        if scale < 1:
            pixels = np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        tag = orientation_tag(image)  # now: TIFF is turned as it is decoded, and PNG may bring EXIF after its pixels
        return upright(pixels, tag), image.info.get("icc_profile") or b""


def _in_srgb(pixels: NDArray[np.uint8], profile: bytes) -> Image.Image:
    image = Image.fromarray(pixels) if pixels.shape[2:] != (4,) else Image.fromarray(pixels, "CMYK")
    if 0 < len(profile) <= PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            found = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except Exception:  # noqa: BLE001 -- a damaged or unfitting profile does not make the picture unusable
            found = None
        if found is not None:
            found.info = {}  # the new profile, which goes without saying
            return found
    return image.convert("RGB")
