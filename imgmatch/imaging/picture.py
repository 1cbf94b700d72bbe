"""One photo decoded, once, to the small upright picture that all else is computed from: grey, and colour on request."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imgmatch.errors import PhotoError
from imgmatch.imaging.colour import to_rgb
from imgmatch.imaging.files import check_size
from imgmatch.imaging.grey import to_grey
from imgmatch.imaging.opening import open_image
from imgmatch.imaging.sizes import KEPT, LARGE_SIDE, SMALL_SIDE
from imgmatch.imaging.upright import SIDEWAYS, orientation_tag, upright
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgmatch.imaging.limits import Limits

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
        large: the same with a longer side of about 1,400 pixels; the very same array where the photo has no more.
        rgb: shape (height, width, 3), dtype uint8, the small picture in colour; ``None`` unless it was asked for.
    """

    grey: NDArray[np.uint8]
    width: int
    height: int
    format: str
    large: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None = None


def small_picture(data: bytes, limits: Limits, *, large: bool = False, colour: bool = False) -> SmallPicture:
    """Decode ``data`` once; with ``large`` a JPEG of more than 640 pixels a second time, in a finer step.

    With ``colour`` the grey picture is what it is without, to the bit; a JPEG that keeps RGB in place of luma and
    chroma is decoded once more for it.

    Raises:
        PhotoError: it is unreadable, too large or too small.
    """
    check_size(len(data), limits)
    with photo_errors(limits):
        return _decode(data, limits, large=large, colour=colour)


@contextmanager
def photo_errors(limits: Limits) -> Iterator[None]:
    """Whatever a decoder raises inside becomes a PhotoError; its warnings are not heard.

    Raises:
        PhotoError: always in place of any other exception.
    """
    with warnings.catch_warnings():
        # Pillow warns of odd metadata that does not concern us, and of bombs, which check_declared refuses as errors.
        warnings.simplefilter("ignore")
        try:
            yield
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


def _decode(data: bytes, limits: Limits, *, large: bool, colour: bool) -> SmallPicture:
    with open_image(io.BytesIO(data), limits) as image:
        check_declared(image, limits)
        return shown_by(image, data, limits, large=large, colour=colour)


def shown_by(image: Image.Image, data: bytes, limits: Limits, *, large: bool, colour: bool) -> SmallPicture:
    """What an opened picture shows, of one that moves the frame it stands at; see :func:`small_picture`."""
    width, height = image.size
    together = colour and not _keeps_rgb(image)
    image.draft("YCbCr" if together else "L", _target(width, height, SMALL_SIDE))
    decoded = pixels_of(image, width * height)
    tag = orientation_tag(image)  # now: TIFF is turned as it is decoded, and PNG may bring EXIF after its pixels
    grey = upright(_shrink(decoded, width, height, SMALL_SIDE), tag)
    finer = grey
    if large and max(width, height) > KEPT * SMALL_SIDE:
        drafted = image.size != (width, height)
        finer = upright(_finer(data, limits) if drafted else _shrink(decoded, width, height, LARGE_SIDE), tag)
    rgb = None
    if colour:
        pixels = pixels_of(image, width * height, to_rgb) if together else _colours(data, limits)
        rgb = upright(_shrink(pixels, width, height, SMALL_SIDE), tag)
    if tag in SIDEWAYS:
        width, height = height, width
    return SmallPicture(grey, width, height, image.format or "unknown", finer, rgb)


def _finer(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """A JPEG decoded again: what was left out by its first decoding cannot be had back."""
    with open_image(io.BytesIO(data), limits) as image:
        width, height = image.size
        image.draft("L", _target(width, height, LARGE_SIDE))
        return _shrink(pixels_of(image, width * height), width, height, LARGE_SIDE)


def _colours(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """A JPEG decoded again: its luma is not among what is kept, and cannot be had from rounded colours."""
    with open_image(io.BytesIO(data), limits) as image:
        width, height = image.size
        image.draft("RGB", _target(width, height, SMALL_SIDE))
        return pixels_of(image, width * height, to_rgb)


def _keeps_rgb(image: Image.Image) -> bool:
    """Whether a picture is a JPEG of red, green and blue: it says so, or names its channels so, as libjpeg takes it."""
    channels = [channel[0] for channel in getattr(image, "layer", ())]
    if len(channels) != 3 or "jfif" in image.info:  # noqa: PLR2004 -- a JFIF file has luma and chroma
        return False
    return bool(image.info.get("adobe_transform", channels != [*b"RGB"]) == 0)


def pixels_of(
    image: Image.Image, pixels: int, convert: Callable[[Image.Image], NDArray[np.uint8]] = to_grey
) -> NDArray[np.uint8]:
    """What ``convert`` makes of an opened picture of so many pixels.

    Raises:
        MemoryError: it failed, and there is no memory for its pixels.
    """
    try:
        return convert(image)
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


def _target(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, max(side / max(width, height), SHORT_SIDE / min(width, height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrink(picture: NDArray[np.uint8], width: int, height: int, side: int) -> NDArray[np.uint8]:
    target = _target(width, height, side)
    if max(picture.shape[:2]) <= KEPT * side or picture.shape[1] <= target[0]:
        return picture
    # Up to a half, which is all that a draft decode leaves, linear interpolation sees every pixel too, and is six times
    # as fast as the mean over areas.
    halved = picture.shape[1] <= 2 * target[0] and picture.shape[0] <= 2 * target[1]
    method = cv2.INTER_LINEAR_EXACT if halved else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, target, interpolation=method), dtype=np.uint8)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]
