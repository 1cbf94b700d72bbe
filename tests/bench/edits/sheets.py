"""Sheets of stickers: the same ones in the same places on anybody's photo, as a filter of a messenger puts them.

Two people under one sheet share what is stuck on them, and nothing else.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from edits.base import Edit, Scene
from edits.stickers import stickered
from edits.tools import cover, longest

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

SIZES = ((480, 600), (400, 533), (560, 560), (600, 450))
COUNTS = ((3, 0.15), (8, 0.2), (12, 0.3), (16, 0.25), (24, 0.3), (30, 0.4), (12, 0.2), (40, 0.4))
"""Of each sheet how many stickers, and about what share of the picture they cover."""


def _drawn(number: int) -> Callable[[Image.Image, int, Scene], Image.Image]:
    def draw(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
        size = SIZES[number % len(SIZES)]
        count, share = COUNTS[number]
        same = Scene(random.Random(f"sheet {number}"), scene.others)
        worn = stickered(cover(picture, *size), count, share, same, alike=number % 2 == 1)
        return longest(worn, max(size) * (1, 0.8, 0.6)[strength])

    return draw


SHEETS: dict[str, Edit] = {
    name: Edit(name, name, _drawn(number)) for number in range(len(COUNTS)) for name in (f"sheet-{number}",)
}
"""As the templates are: what agrees there is nobody's photo."""
