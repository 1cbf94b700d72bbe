"""A moving picture as a few still ones: the frame that is shown longest, and others that show something else.

What a viewer sees of a GIF, an animated PNG or WebP, or an AVIF sequence need not be its first frame, which may be
black, faded or another picture. All frames are looked at once, small, as far as the limits go, and those that are
chosen are decoded again. Whatever is wrong with a later frame ends the looking, not the photo. Pages of a TIFF, an MPO
or a HEIF file are no frames: a viewer shows one of them only, and so does imgmatch.
"""

from __future__ import annotations

import io
import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch.imaging.decoding import check_declared, photo_errors
from imgmatch.imaging.files import check_size
from imgmatch.imaging.frames import Look, chosen
from imgmatch.imaging.grey import to_grey
from imgmatch.imaging.opening import open_image
from imgmatch.imaging.parts import Part
from imgmatch.imaging.picture import SmallPicture, shown_by, small_picture
from imgmatch.model import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

    from imgmatch.imaging.limits import Limits

MOVING = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
"""Formats whose further pictures are frames."""

MOST_PICTURES = 8
"""Pictures that are taken of one photo."""

LOOKED_SIDE = 16
"""Sides, in pixels, of the thumbnails by which frames are compared: as many as tell one picture from another."""

SHORTEST_MS, IN_ITS_PLACE_MS = 10, 100
"""A frame that is to be shown up to so many milliseconds, Chromium and Firefox show for so many: tools wrote 0 and 10
where they meant nothing by it (B. Phelps, "The Fastest GIF Does Not Exist", 2022)."""

LOOKING_SHARE = 0.25
"""Share of a photo's processor time after which no more frames are looked at: those that are chosen are decoded again,
and then described. ``Limits.moving_pixels`` is met before that, unless a machine is slow."""

_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATION = 2  # the flag of a WebP file
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FramePicture:
    """One picture of a photo.

    Attributes:
        picture: what it shows.
        frame: its number in a moving picture, from 1; ``None`` where the photo does not move.
        share: of the time, 0..1, that a viewer shows it or a frame that looks alike; ``None`` likewise.
        panel: where it lies in the photo, of whose picture it is a part; ``None`` for the whole picture.
    """

    picture: SmallPicture
    frame: int | None = None
    share: float | None = None
    panel: Outline | None = None


def small_pictures(data: bytes, limits: Limits, *, large: bool = False, colour: bool = False) -> list[FramePicture]:
    """Up to eight pictures that differ, the one that is shown longest first, the others in order; of a still photo one.

    Frames without any detail, black ones and white ones, are left out where there are others.

    Raises:
        PhotoError: it is unreadable, too large or too small, as for :func:`small_picture`.
    """
    check_size(len(data), limits)
    if not may_move(data):
        return [FramePicture(small_picture(data, limits, large=large, colour=colour))]
    with photo_errors(data, limits):
        looks = _looked_at(data, limits)
        picked = chosen(looks, MOST_PICTURES) if len(looks) > 1 else []
        shown = dict(_decoded(data, limits, sorted(one.frame for one in picked), large=large, colour=colour))
    found = [FramePicture(shown[one.frame], one.frame, one.share) for one in picked if one.frame in shown]
    return found or [FramePicture(small_picture(data, limits, large=large, colour=colour))]


def frame_picture(
    data: bytes, limits: Limits, frame: int, *, large: bool = False, colour: bool = False
) -> FramePicture:
    """The frame of this number, from 1, of a moving picture; the first of a still photo is the photo.

    Raises:
        PhotoError: it is unreadable, too large or too small, or has no such frame.
    """
    if frame == 1:
        return FramePicture(small_picture(data, limits, large=large, colour=colour), 1)
    check_size(len(data), limits)
    with photo_errors(data, limits), open_image(io.BytesIO(data), limits) as image:
        stand_at(image, frame, limits)
        return FramePicture(shown_by(image, Part(data), limits, large=large, colour=colour), frame)


def stand_at(image: Image.Image, frame: int, limits: Limits) -> None:
    """Bring an opened picture to the frame of this number, from 1.

    Raises:
        PhotoError: it, or that frame, is too large or too small.
        Exception: there is no such frame.
    """
    check_declared(image, limits)
    if frame > 1:
        image.seek(frame - 1)
        check_declared(image, limits)  # a frame of a GIF may reach beyond those before it


def may_move(data: bytes) -> bool:
    """Whether a file says that it has several frames, or is of a format that does not say; it is not decoded."""
    if data[:4] == b"RIFF":
        return data[8:16] == b"WEBPVP8X" and bool(data[20:21] and data[20] & _ANIMATION)
    if data[4:8] == b"ftyp":
        return b"avis" in data[8 : min(int.from_bytes(data[:4]), _HEAD_BYTES)]
    if data.startswith(_PNG):
        return data.find(b"acTL", 0, data.find(b"IDAT")) > 0
    return data.startswith(b"GIF8")


def _looked_at(data: bytes, limits: Limits) -> list[Look]:
    """Each frame, small, with how long it is shown, as far as the limits go and nothing is wrong."""
    looks: list[Look] = []
    with open_image(io.BytesIO(data), limits) as image:
        check_declared(image, limits)
        if image.format not in MOVING or not _moves(image):
            return []
        began, pixels = time.process_time(), 0
        while len(looks) < limits.frames:
            pixels += image.width * image.height
            # As long as the frames before it took, one more must not take too long.
            spent = (time.process_time() - began) * (1 + 1 / max(len(looks), 1))
            if looks and (pixels > limits.moving_pixels or spent > limits.seconds * LOOKING_SHARE):
                return looks
            try:
                stand_at(image, len(looks) + 1, limits)
                looks.append(_look(image, len(looks) + 1))
            except EOFError:
                return _staying(looks) if _ends(image) else looks
            except Exception:  # noqa: BLE001 -- decoders raise whatever they like on damaged input
                return looks
    return looks


def _moves(image: Image.Image) -> bool:
    """Whether there is a second frame; a GIF is read up to there."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 -- what follows the first frame is damaged, which is no fault of that
        return False


def _look(image: Image.Image, frame: int) -> Look:
    small = cv2.resize(to_grey(image), (LOOKED_SIDE, LOOKED_SIDE), interpolation=cv2.INTER_AREA)
    told = image.info.get("duration") or 0  # known once it is decoded
    shown_ms = float(told) if SHORTEST_MS < told < math.inf else IN_ITS_PLACE_MS
    return Look(frame, shown_ms, np.asarray(small, np.float32).ravel())


def _ends(image: Image.Image) -> bool:
    """Whether a viewer does not begin again after the last frame for ever; an AVIF sequence does not say."""
    return image.format != "AVIF" and image.info.get("loop", int(image.format == "GIF")) != 0


def _staying(looks: list[Look]) -> list[Look]:
    """The last frame stays: it is shown as long again as all of them together."""
    *before, last = looks
    return [*before, replace(last, shown_ms=last.shown_ms + sum(look.shown_ms for look in looks))]


def _decoded(
    data: bytes, limits: Limits, frames: Sequence[int], *, large: bool, colour: bool
) -> Iterator[tuple[int, SmallPicture]]:
    """Some frames, in order."""
    with open_image(io.BytesIO(data), limits) as image, suppress(Exception):  # they could be decoded a moment ago
        for frame in frames:
            stand_at(image, frame, limits)
            yield frame, shown_by(image, Part(data), limits, large=large, colour=colour)
