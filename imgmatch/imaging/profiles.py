"""Colour profiles: what the numbers of a picture look like, where that is not what they look like without one."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

from imgmatch.imaging.grey import is_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROFILE_BYTES = 4 << 20
"""A larger colour profile is not looked at; those of printing presses have up to three million bytes."""

LEAST_CHANGE = 10
"""A profile that changes the luma of no colour by more than so many levels of 255 is passed over. sRGB changes it by 1,
its primaries with a gamma of 2.2 by 6, grey with a gamma of 2.2 by 9; Display P3 by 36, Adobe RGB by 43."""

_KEPT_PROFILES = 8
"""Photos come with a handful of profiles, and making a transform takes longer than applying it."""

_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}

_SAMPLES = 9
"""Levels a channel of the colours that are tried."""


@dataclass(frozen=True, slots=True)
class ProfileTransform:
    """From the numbers of a picture to sRGB.

    Attributes:
        cms: by LittleCMS.
        mode: Pillow's mode of what goes in: ``L``, ``RGB`` or ``CMYK``.
        matters: whether people see another picture than without it.
    """

    cms: ImageCms.ImageCmsTransform
    mode: str
    matters: bool

    def rgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels as ``to_colour`` gives them in sRGB, shape (height, width, 3)."""
        return np.asarray(self.cms.apply(_picture(pixels, self.mode)), dtype=np.uint8)


def transform_of(image: Image.Image) -> ProfileTransform | None:
    """What the profile of an opened picture asks for; ``None`` where there is none, or it is damaged or does not fit.

    Of a picture with more than eight bits, or a palette, it is applied to what ``to_colour`` makes of that.
    """
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= PROFILE_BYTES or image.mode == "LAB":
        return None
    mode = "CMYK" if image.mode == "CMYK" else "L" if is_grey(image) else "RGB"
    return _transform(profile, mode)


@lru_cache(_KEPT_PROFILES)
def _transform(profile: bytes, mode: str) -> ProfileTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _SPACES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        cms = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return ProfileTransform(cms, mode, mode == "CMYK" or _changes(cms, mode))
    except Exception:  # noqa: BLE001 -- a damaged profile does not make the picture unusable
        return None


def _changes(cms: ImageCms.ImageCmsTransform, mode: str) -> bool:
    before = _sample(mode)
    after = cms.apply(before)
    difference = np.asarray(before.convert("L")).astype(int) - np.asarray(after.convert("L"))
    return bool(np.abs(difference).max() > LEAST_CHANGE)


def _sample(mode: str) -> Image.Image:
    """Every grey, or colours from all over the cube."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    levels = np.linspace(0, 255, _SAMPLES).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3))


def _picture(pixels: NDArray[np.uint8], mode: str) -> Image.Image:
    return Image.fromarray(pixels, "CMYK") if mode == "CMYK" else Image.fromarray(pixels)
