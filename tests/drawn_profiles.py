"""Colour profiles by formula (ICC.1:2001-04): a device of three lights, a grey one, one of four inks."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Light = tuple[float, float, float]

SRGB: tuple[Light, ...] = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))
DISPLAY_P3: tuple[Light, ...] = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
PROPHOTO: tuple[Light, ...] = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
"""What red, green and blue light is, in XYZ under D50."""

_WHITE = (0.9642, 1.0, 0.8249)
_TAG = struct.Struct(">4sII")


def gamma(value: float) -> bytes:
    """A curve: light is the number to that power."""
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def table(values: Sequence[float]) -> bytes:
    """A curve: light for numbers at equal steps, each 0..1."""
    levels = [round(value * 65535) for value in values]
    return b"curv" + bytes(4) + struct.pack(f">I{len(levels)}H", len(levels), *levels)


def srgb_curve(*, inverted: bool = False) -> bytes:
    """That of sRGB, or its negative."""
    numbers = [number / 1023 for number in range(1024)]
    light = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in numbers]
    return table(light[::-1] if inverted else light)


def rgb_profile(lights: Sequence[Light], curve: bytes, more: int = 0) -> bytes:
    """A device of three lights; ``more`` bytes of a tag that says nothing."""
    tags = {name: _xyz(light) for name, light in zip((b"rXYZ", b"gXYZ", b"bXYZ"), lights, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", b"XYZ ", tags | ({b"more": b"data" + bytes(more)} if more else {}))


def grey_profile(curve: bytes) -> bytes:
    """A device of one light."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def ink_profile() -> bytes:
    """A press on which the first three inks do nothing and the fourth one prints light: no ink is black."""
    steps = bytes(range(256))
    corners = (bytes((255 * inks[3], 128, 128)) for inks in itertools.product((0, 1), repeat=4))
    matrix = b"".join(_fixed(float(row == column)) for row in range(3) for column in range(3))
    body = struct.pack(">4B", 4, 3, 2, 0) + matrix + steps * 4 + b"".join(corners) + steps * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": b"mft1" + bytes(4) + body}, b"prtr")


def _profile(space: bytes, between: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    text = b"drawn\0"
    named = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    all_tags = {b"desc": named, b"cprt": b"text" + bytes(4) + text, b"wtpt": _xyz(_WHITE), **tags}
    directory, body, start = struct.pack(">I", len(all_tags)), b"", 132 + _TAG.size * len(all_tags)
    for name, content in all_tags.items():
        padded = content + bytes(-len(content) % 4)
        directory += _TAG.pack(name, start + len(body), len(padded))
        body += padded
    head = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02400000, device, space, between, b"acsp")
    return head + b"".join(map(_fixed, _WHITE)) + bytes(48) + directory + body


def _xyz(light: Light) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, light))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
