"""What gangs do to a stolen photo before they use it again.

Only edits of the whole picture stand here: what is left of it is still the whole picture, so one fingerprint of all of
it, looked up in eight orientations, finds it again. Edits that take a part away or put something round it belong in a
tuple of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageEnhance, ImageFilter, ImageOps


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing done to a photo.

    Attributes:
        name: what to call it, such as ``mirrored``.
        apply: gives the edited copy of an RGB picture as a new RGB picture; the one given is left as it is.
    """

    name: str
    apply: Callable[[Image.Image], Image.Image]


def recompress(image: Image.Image, quality: int = 30) -> Image.Image:
    """The picture after a passage through JPEG; ``quality`` is Pillow's, 1..95."""
    packed = BytesIO()
    image.save(packed, "JPEG", quality=quality)
    with Image.open(packed) as opened:
        return opened.convert("RGB")


def shrink(image: Image.Image, factor: int = 4) -> Image.Image:
    """The picture with each side divided by ``factor``."""
    width, height = max(1, image.width // factor), max(1, image.height // factor)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def greyscale(image: Image.Image) -> Image.Image:
    """The picture without its colours, still RGB."""
    return image.convert("L").convert("RGB")


def brighten(image: Image.Image) -> Image.Image:
    """The picture an eighth brighter."""
    return ImageEnhance.Brightness(image).enhance(1.125)


def mirror(image: Image.Image) -> Image.Image:
    """The picture with left and right exchanged."""
    return ImageOps.mirror(image)


def rotate_90(image: Image.Image) -> Image.Image:
    """The picture turned a quarter clockwise."""
    return image.transpose(Image.Transpose.ROTATE_270)


def rotate_180(image: Image.Image) -> Image.Image:
    """The picture upside down."""
    return image.transpose(Image.Transpose.ROTATE_180)


def rotate_270(image: Image.Image) -> Image.Image:
    """The picture turned a quarter anticlockwise."""
    return image.transpose(Image.Transpose.ROTATE_90)


def blur(image: Image.Image) -> Image.Image:
    """The picture slightly out of focus."""
    return image.filter(ImageFilter.GaussianBlur(1.5))


def warm(image: Image.Image) -> Image.Image:
    """The picture through a filter of evening light: more red, less blue."""
    gains = (1.14, 1.02, 0.84)
    return image.point([min(255, round(value * gain)) for gain in gains for value in range(256)])


def contrast(image: Image.Image) -> Image.Image:
    """The picture with a little more contrast."""
    return ImageEnhance.Contrast(image).enhance(1.2)


UPRIGHT_EDITS = (
    Edit("recompressed", recompress),
    Edit("quarter size", shrink),
    Edit("greyscale", greyscale),
    Edit("brightened", brighten),
    Edit("blurred", blur),
    Edit("warm filter", warm),
    Edit("contrast", contrast),
)
"""Edits after which the picture still stands as it stood: its fingerprint hardly moves."""

TURNED_EDITS = (
    Edit("mirrored", mirror),
    Edit("rotated 90", rotate_90),
    Edit("rotated 180", rotate_180),
    Edit("rotated 270", rotate_270),
)
"""Edits that turn the picture into one of its other orientations: its fingerprint is quite another."""

EDITS = UPRIGHT_EDITS + TURNED_EDITS
"""All edits, in a fixed order; each name is unique."""
