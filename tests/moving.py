"""Moving pictures for tests, drawn, and how one of their frames is damaged."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import photos
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("GIF", "PNG", "WEBP", "AVIF")
SIZE = (160, 200)

_MOST = 64
_packed: dict[object, bytes] = {}
"""What was packed before: to choose the colours of a GIF takes longer than most tests that have one."""


def moving(kind: str, frames: Sequence[tuple[Image.Image, int]], *, loop: int | None = 0) -> bytes:
    """A file of frames, each with the milliseconds it is shown; played without end, or ``loop`` times, or once."""
    key = kind, loop, tuple((*_known_by(image), shown) for image, shown in frames)
    if key not in _packed:
        if len(_packed) >= _MOST:
            _packed.clear()
        _packed[key] = _pack(kind, [image for image, _ in frames], [shown for _, shown in frames], loop)
    return _packed[key]


def _known_by(image: Image.Image) -> tuple[object, ...]:
    return image.mode, image.size, image.tobytes(), repr(image.getpalette()), repr(image.info)


def _pack(kind: str, images: Sequence[Image.Image], times: Sequence[int], loop: int | None) -> bytes:
    save: dict[str, object] = {} if loop is None else {"loop": loop}
    options: dict[str, dict[str, object]] = {"AVIF": {"quality": 90, "speed": 10}, "WEBP": {"lossless": True}}
    save |= options.get(kind, {})
    packed = BytesIO()
    images[0].save(packed, kind, save_all=True, append_images=images[1:], duration=times, **save)
    return packed.getvalue()


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A drawn picture."""
    return photos.picture(seed, size)


def plain(level: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A frame of one grey level."""
    return photos.flat(size, (level, level, level))


def faded(image: Image.Image, share: float) -> Image.Image:
    """So much of a picture, the rest of it black."""
    return Image.blend(plain(0, image.size), image, share)


def damaged_frame(data: bytes, number: int) -> bytes:
    """An animated PNG or WebP whose frame of this number, from 2, cannot be decoded."""
    webp = data[:4] == b"RIFF"
    name, at = b"ANMF" if webp else b"fdAT", -1
    for _ in range(number if webp else number - 1):
        at = data.index(name, at + 1)
    # Behind what the file is opened by: the head of a WebP frame and of the picture in it, or a sequence number.
    start = at + (44 if webp else 8)
    return data[:start] + b"\xa5" * 400 + data[start + 400 :]
