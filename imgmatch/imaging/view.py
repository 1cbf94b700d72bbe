"""A photo as a person looks at it: small, upright, in sRGB colours, and nothing of the file but its pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from imgmatch.imaging.colour import to_colour
from imgmatch.imaging.decoding import check_declared, photo_errors, pixels_of
from imgmatch.imaging.files import check_size
from imgmatch.imaging.mending import what_is_there
from imgmatch.imaging.moving import stand_at
from imgmatch.imaging.profiles import transform_of
from imgmatch.imaging.upright import orientation_tag, upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgmatch.imaging.limits import Limits
    from imgmatch.imaging.parts import Part
    from imgmatch.imaging.profiles import ProfileTransform

QUALITY = 85
"""Of the JPEG, where artefacts are hard to see and a picture of 480 pixels takes about 30 kB."""


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

    Of a moving picture the frame of that number is taken, counted from 1, of a damaged photo the part that is there.
    Alpha is laid over white, and the colours of an embedded profile become those of sRGB.

    Raises:
        PhotoError: it is unreadable, too large or too small, as for ``small_picture``, or has no such frame.
    """
    check_size(len(data), limits)
    with photo_errors(data, limits):
        image = what_is_there(data, limits, lambda part: _decode(part, limits, side, frame))
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=QUALITY, optimize=True)
        return View(packed.getvalue(), image.width, image.height)


def _decode(part: Part, limits: Limits, side: int, frame: int) -> Image.Image:
    with part.opened(limits) as image:
        if frame > 1:
            stand_at(image, frame, limits)
        declared = image.size
        check_declared(image, limits, part)
        transform = transform_of(image)
        width, height = part.size(declared)
        scale = min(1.0, side / max(width, height))
        image.draft("RGB", (max(1, round(declared[0] * scale)), max(1, round(declared[1] * scale))))
        pixels = part.of(pixels_of(image, declared[0] * declared[1], to_colour))
        if scale < 1:
            target = max(1, round(width * scale)), max(1, round(height * scale))
            pixels = np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        tag = orientation_tag(image)  # now: TIFF is turned as it is decoded, and PNG may bring EXIF after its pixels
        return _in_srgb(upright(pixels, tag), transform)


def _in_srgb(pixels: NDArray[np.uint8], transform: ProfileTransform | None) -> Image.Image:
    if transform is not None:
        return Image.fromarray(transform.rgb(pixels))
    image = Image.fromarray(pixels) if pixels.shape[2:] != (4,) else Image.fromarray(pixels, "CMYK")
    return image.convert("RGB")
