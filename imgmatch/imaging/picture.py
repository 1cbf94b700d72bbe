"""One photo decoded, once, to the small upright picture that all else is computed from: grey, and colour on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgmatch.imaging.colour import has_colour, to_colour, to_fewer_rgb, to_rgb
from imgmatch.imaging.decoding import check_declared, photo_errors, pixels_of
from imgmatch.imaging.files import check_size
from imgmatch.imaging.grey import is_grey, to_grey
from imgmatch.imaging.mending import what_is_there
from imgmatch.imaging.profiles import transform_of
from imgmatch.imaging.scaling import scaled_size, shrunk
from imgmatch.imaging.sizes import KEPT, LARGE_SIDE, SMALL_SIDE
from imgmatch.imaging.upright import SIDEWAYS, orientation_tag, upright

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.imaging.limits import Limits
    from imgmatch.imaging.parts import Part
    from imgmatch.imaging.profiles import ProfileTransform

    Conversion = Callable[[Image.Image], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """What is kept of a photo while it is worked on.

    Attributes:
        grey: shape (height, width), dtype uint8, upright, alpha laid over white, longer side about 512 pixels.
        width: of the photo as it is shown (upright), in pixels.
        height: likewise.
        format: Pillow's name of the file format, such as ``JPEG``.
        large: the same with a longer side of about 1,400 pixels; the very same array where the photo has no more.
        colours: shape (height, width, 3), dtype uint8, the small picture as luma, Cb and Cr of a JPEG, else as RGB;
            ``None`` for a picture without colour.
        rgb: shape (height, width, 3), dtype uint8, the small picture in colour; ``None`` unless it was asked for.
        damaged: the share of the rows of a damaged photo that are there, up to 1; ``None`` for a whole one. All else is
            of that part, as if the photo had no more.
    """

    grey: NDArray[np.uint8]
    width: int
    height: int
    format: str
    large: NDArray[np.uint8]
    colours: NDArray[np.uint8] | None = None
    rgb: NDArray[np.uint8] | None = None
    damaged: float | None = None


def small_picture(data: bytes, limits: Limits, *, large: bool = False, colour: bool = False) -> SmallPicture:
    """Decode ``data`` once; with ``large`` a JPEG of more than 640 pixels a second time, in a finer step.

    Where its colour profile makes people see another picture than its numbers would, they become those of sRGB. With
    ``colour`` the grey picture is what it is without, to the bit. A JPEG that keeps RGB in place of luma and chroma is
    decoded once more for its colours. Of a damaged photo the part is taken that is there.

    Raises:
        PhotoError: it is unreadable, too large or too small.
    """
    check_size(len(data), limits)
    with photo_errors(data, limits):
        return what_is_there(data, limits, lambda part: _decode(part, limits, large=large, colour=colour))


def _decode(part: Part, limits: Limits, *, large: bool, colour: bool) -> SmallPicture:
    with part.opened(limits) as image:
        check_declared(image, limits, part)
        transform = transform_of(image)
        if transform is None or not transform.matters:
            return _Decoding(part, limits, image).as_it_is(large=large, colour=colour)
        return _Decoding(part, limits, image).in_srgb(transform, large=large, colour=colour)


class _Decoding:
    """An opened photo on its way to its small picture."""

    def __init__(self, part: Part, limits: Limits, image: Image.Image) -> None:
        self._part = part
        self._limits = limits
        self._image = image
        self._declared = image.size
        self._width, self._height = part.size(image.size)
        self._tag = 1

    def as_it_is(self, *, large: bool, colour: bool) -> SmallPicture:
        """By the numbers of the file."""
        image, keeps_rgb = self._image, _keeps_rgb(self._image)
        image.draft("L" if keeps_rgb else "YCbCr", scaled_size(*self._declared, SMALL_SIDE))
        chroma = image.mode == "YCbCr"
        pixels = self._first_pixels(np.asarray if chroma else to_grey)
        small = self._scaled(pixels)
        grey = _first_channel(small)
        finer = _first_channel(self._finer(pixels, "L", to_grey)) if large and self._has_more() else grey
        colours = rgb = None
        if keeps_rgb:  # its luma is made of colours that are not kept, and they cannot be had from it
            colours = rgb = self._scaled(self._again("RGB", SMALL_SIDE, to_rgb))
        elif chroma:
            colours = small
        elif not is_grey(image):
            colours = self._scaled(self._pixels(image, self._fewer_rgb))
        if colour and rgb is None:
            rgb = self._scaled(self._pixels(image, to_rgb))
        return self._picture(grey, finer, _coloured(colours, chroma=chroma), rgb if colour else None)

    def in_srgb(self, transform: ProfileTransform, *, large: bool, colour: bool) -> SmallPicture:
        """By what its profile makes of them."""
        self._image.draft("RGB", scaled_size(*self._declared, SMALL_SIDE))
        pixels = self._first_pixels(to_colour)
        rgb = transform.rgb(self._scaled(pixels))
        grey = finer = _luma(rgb)
        if large and self._has_more():
            finer = _luma(transform.rgb(self._finer(pixels, "RGB", to_colour)))
        return self._picture(grey, finer, _coloured(rgb, chroma=False), rgb if colour else None)

    def _fewer_rgb(self, image: Image.Image) -> NDArray[np.uint8]:
        # Twice what is wanted: the mean of all pixels would take as long as decoding them.
        return to_fewer_rgb(image, *scaled_size(*self._declared, 2 * SMALL_SIDE))

    def _has_more(self) -> bool:
        return max(self._width, self._height) > KEPT * SMALL_SIDE

    def _finer(self, pixels: NDArray[np.uint8], mode: str, convert: Conversion) -> NDArray[np.uint8]:
        whole = self._image.size == self._declared
        return self._scaled(pixels if whole else self._again(mode, LARGE_SIDE, convert), LARGE_SIDE)

    def _again(self, mode: str, side: int, convert: Conversion) -> NDArray[np.uint8]:
        """A JPEG decoded again: what was left out by its first decoding cannot be had back."""
        with self._part.opened(self._limits) as image:
            image.draft(mode, scaled_size(*self._declared, side))
            return self._pixels(image, convert)

    def _first_pixels(self, convert: Conversion) -> NDArray[np.uint8]:
        pixels = self._pixels(self._image, convert)
        # Not before: TIFF is turned as it is decoded, and PNG may bring EXIF after its pixels.
        self._tag = orientation_tag(self._image)
        return pixels

    def _pixels(self, image: Image.Image, convert: Conversion) -> NDArray[np.uint8]:
        width, height = self._declared
        return self._part.of(pixels_of(image, width * height, convert))

    def _scaled(self, pixels: NDArray[np.uint8], side: int = SMALL_SIDE) -> NDArray[np.uint8]:
        return upright(shrunk(pixels, self._width, self._height, side), self._tag)

    def _picture(
        self,
        grey: NDArray[np.uint8],
        finer: NDArray[np.uint8],
        colours: NDArray[np.uint8] | None,
        rgb: NDArray[np.uint8] | None,
    ) -> SmallPicture:
        width, height = self._width, self._height
        if self._tag in SIDEWAYS:
            width, height = height, width
        name = self._image.format or "unknown"
        return SmallPicture(grey, width, height, name, finer, colours, rgb, self._part.damaged)


def _first_channel(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma, of a picture of luma and chroma; of a grey one all of it."""
    if picture.ndim == 2:  # noqa: PLR2004 -- grey
        return picture
    return np.asarray(cv2.extractChannel(picture, 0), dtype=np.uint8)


def _coloured(colours: NDArray[np.uint8] | None, *, chroma: bool) -> NDArray[np.uint8] | None:
    return None if colours is None or not has_colour(colours, chroma=chroma) else colours


def _luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(rgb).convert("L"))


def _keeps_rgb(image: Image.Image) -> bool:
    """Whether a picture is a JPEG of red, green and blue: it says so, or names its channels so, as libjpeg takes it."""
    channels = [channel[0] for channel in getattr(image, "layer", ())]
    if len(channels) != 3 or "jfif" in image.info:  # noqa: PLR2004 -- a JFIF file has luma and chroma
        return False
    return bool(image.info.get("adobe_transform", channels != [*b"RGB"]) == 0)
