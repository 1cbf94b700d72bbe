"""What every way of decoding a photo has in common: what it may declare, and what is said when it fails."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from imgmatch.errors import PhotoError
from imgmatch.imaging.grey import to_grey
from imgmatch.imaging.kinds import UNKNOWN_KIND, kind_of
from imgmatch.imaging.opening import READ_FORMATS
from imgmatch.model import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from imgmatch.imaging.kinds import FileKind
    from imgmatch.imaging.limits import Limits
    from imgmatch.imaging.parts import Part

DECODER_BYTES = 8
"""What a decoder may need for one pixel beside the result: a progressive JPEG in four colours holds two bytes each."""


@contextmanager
def photo_errors(data: bytes, limits: Limits) -> Iterator[None]:
    """Whatever a decoder of ``data`` raises inside becomes a PhotoError; its warnings are not heard.

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
            raise PhotoError(SkipReason.UNREADABLE, _unread(kind_of(data))) from None
        except cv2.error as error:
            out_of_memory = "memory" in str(error).lower()
            reason = SkipReason.TOO_LARGE if out_of_memory else SkipReason.UNREADABLE
            raise PhotoError(reason, "the picture could not be scaled") from None
        except Exception as error:  # noqa: BLE001 -- decoders raise whatever they like on damaged input
            detail = f"damaged or unusual {kind_of(data).name}: {_one_line(error)}"
            raise PhotoError(SkipReason.UNREADABLE, detail) from None


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


def grey_of(part: Part, limits: Limits) -> NDArray[np.uint8]:
    """All of a photo in grey, shape (height, width), dtype uint8.

    Raises:
        Exception: whatever its decoder raises.
    """
    with part.opened(limits) as image:
        check_declared(image, limits)
        return pixels_of(image, image.width * image.height)


def check_declared(image: Image.Image, limits: Limits, part: Part | None = None) -> None:
    """Refuse a picture by what its header declares, before any pixel is decoded, or because its ``part`` is too small.

    Raises:
        PhotoError: it declares too many pixels, too long a side, too many frames, or is too small.
    """
    width, height = image.size
    if width * height > limits.pixels or max(width, height) > limits.side:
        limit = f"the limit is {limits.pixels:,} pixels and {limits.side:,} a side"
        raise PhotoError(SkipReason.TOO_LARGE, f"{width} x {height} pixels; {limit}")
    if part is not None:
        width, height = part.size(image.size)
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


def _unread(kind: FileKind) -> str:
    """Why no decoder has taken a file."""
    if kind is UNKNOWN_KIND:
        return "not a picture in a format imgmatch reads"
    if kind.pillow in READ_FORMATS:
        return f"damaged or unusual {kind.name}"
    return f"{kind.name}, not a format imgmatch reads: {kind.advice}"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]
