"""One photo decoded, once, to the small upright grey picture that everything else is computed from."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imgmatch.errors import PhotoError
from imgmatch.imaging.files import check_size
from imgmatch.imaging.grey import to_grey
from imgmatch.imaging.opening import open_image
from imgmatch.imaging.upright import SIDEWAYS, orientation_tag, upright
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from imgmatch.imaging.limits import Limits

SMALL_SIDE = 512
"""Longer side of the small picture, in pixels; PDQ is defined on pictures of at most this size."""

KEPT_SIDE = 640
"""A picture up to this size is left as it is: scaling by a little costs more than everything else done to it."""

DECODER_BYTES = 8
"""What a decoder may need for one pixel beside the result: a progressive JPEG in four colours holds two bytes each."""

SHORT_SIDE = 32
"""A very long strip keeps at least this many pixels across."""


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """What is kept of a photo while it is worked on.

    Attributes:
        grey: shape (height, width), dtype uint8, upright, alpha laid over white, longer side about 512 pixels.
        width: of the photo as it is shown (upright), in pixels.
        height: likewise.
        format: Pillow's name of the file format, such as ``JPEG``.
    """

    grey: NDArray[np.uint8]
    width: int
    height: int
    format: str


def small_picture(data: bytes, limits: Limits) -> SmallPicture:
    """Decode ``data`` once.

    Raises:
        PhotoError: it is unreadable, too large or too small.
    """
    check_size(len(data), limits)
    with warnings.catch_warnings():
        # Pillow warns of odd metadata that does not concern us, and of bombs, which check_declared refuses as errors.
        warnings.simplefilter("ignore")
        try:
            return _decode(data, limits)
        except PhotoError:
            raise
        except MemoryError:
            raise PhotoError(SkipReason.TOO_LARGE, "decoding it needs more memory than a worker may use") from None
        except Image.DecompressionBombError:
            detail = f"more than {2 * limits.pixels:,} pixels; the limit is {limits.pixels:,}"
            raise PhotoError(SkipReason.TOO_LARGE, detail) from None
        except UnidentifiedImageError:
            raise PhotoError(SkipReason.UNREADABLE, "not a picture in a format imgmatch reads") from None
        except cv2.error as error:
            out_of_memory = "memory" in str(error).lower()
            reason = SkipReason.TOO_LARGE if out_of_memory else SkipReason.UNREADABLE
            raise PhotoError(reason, "the picture could not be scaled") from None
        except Exception as error:  # noqa: BLE001 -- decoders raise whatever they like on damaged input
            raise PhotoError(SkipReason.UNREADABLE, f"damaged picture: {_one_line(error)}") from None


def _decode(data: bytes, limits: Limits) -> SmallPicture:
    with open_image(io.BytesIO(data), limits) as image:
        width, height = image.size
        check_declared(image, limits)
        image.draft("L", _target(width, height))
        grey = _shrink(_decoded(image, width * height), width, height)
        tag = orientation_tag(image)  # now: TIFF is turned as it is decoded, and PNG may bring EXIF after its pixels
        if tag in SIDEWAYS:
            width, height = height, width
        return SmallPicture(upright(grey, tag), width, height, image.format or "unknown")


def _decoded(image: Image.Image, pixels: int) -> NDArray[np.uint8]:
    try:
        return to_grey(image)
    except Exception:
        # Decoders in C call a picture broken when they run out of memory: see whether they could have.
        np.empty(pixels * DECODER_BYTES, dtype=np.uint8)
        raise


def check_declared(image: Image.Image, limits: Limits) -> None:
    """Refuse a picture by what its header declares, before any pixel is decoded.

    Raises:
        PhotoError: it declares too many pixels, too long a side, too many frames, or is too small.
    """
    width, height = image.size
    if width * height > limits.pixels or max(width, height) > limits.side:
        limit = f"the limit is {limits.pixels:,} pixels and {limits.side:,} a side"
        raise PhotoError(SkipReason.TOO_LARGE, f"{width} x {height} pixels; {limit}")
    if min(width, height) < limits.min_side:
        raise PhotoError(SkipReason.TOO_SMALL, f"{width} x {height} pixels; a side needs {limits.min_side}")
    frames = _declared_frames(image)
    if frames > limits.frames:
        raise PhotoError(SkipReason.TOO_LARGE, f"{frames:,} frames; the limit is {limits.frames:,}")


def _declared_frames(image: Image.Image) -> int:
    # GIF and TIFF do not declare a count: finding it would walk the whole file, and only the first frame is read.
    if image.format in {"PNG", "WEBP", "AVIF", "HEIF"}:
        return int(getattr(image, "n_frames", 1))
    return 1


def _target(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, max(SMALL_SIDE / max(width, height), SHORT_SIDE / min(width, height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrink(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    target = _target(width, height)
    if max(grey.shape) <= KEPT_SIDE or grey.shape[1] <= target[0]:
        return grey
    # Up to a half, which is all that a draft decode leaves, linear interpolation sees every pixel too, and is six times
    # as fast as the mean over areas.
    halved = grey.shape[1] <= 2 * target[0] and grey.shape[0] <= 2 * target[1]
    method = cv2.INTER_LINEAR_EXACT if halved else cv2.INTER_AREA
    return np.asarray(cv2.resize(grey, target, interpolation=method), dtype=np.uint8)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]
