"""What gangs do to a stolen photo: some hundred edits in three strengths, drawn from a seed.

Each family has a file with a tuple ``EDITS``. Nothing here knows imgmatch.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from edits import (
    blur,
    caption,
    chain,
    collage,
    colour,
    cover_up,
    covered,
    crop,
    frame,
    meme,
    mirror,
    negative,
    overlaid,
    pasted,
    perspective,
    recompression,
    redrawn,
    rotation,
    screenshot_person,
    screenshot_post,
    size,
    small,
    squeeze,
    stickers,
    stripes,
    warped,
)
from edits.base import Edit, Scene
from edits.sheets import SHEETS
from edits.templates import DESIGNS, WORDS_ONLY
from edits.tools import longest, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

__all__ = ["EDITS", "FAMILIES", "LARGEST", "SMALLEST", "TEMPLATES", "WORDS_ONLY", "Edit", "Scene", "edit_of", "edited"]

LARGEST = 2400
SMALLEST = 64
TAKEN = 1600
"""What is stolen comes from a profile: no site shows more than this many pixels along the longer side."""

_ROOMS = (
    recompression,
    size,
    colour,
    blur,
    mirror,
    rotation,
    crop,
    frame,
    caption,
    stickers,
    cover_up,
    stripes,
    meme,
    screenshot_person,
    screenshot_post,
    pasted,
    collage,
    perspective,
    chain,
    squeeze,
    covered,
    warped,
    overlaid,
    redrawn,
    small,
    negative,
)

EDITS: dict[str, Edit] = {edit.name: edit for room in _ROOMS for edit in room.EDITS}
"""All edits by name, in a fixed order, family after family."""

TEMPLATES: dict[str, Edit] = DESIGNS | SHEETS
"""What many people put their photos into, or wear on them; rules are fitted on these."""

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(edit.family for edit in EDITS.values()))


def edited(name: str, picture: Image.Image, strength: int, seed: int, others: Sequence[Image.Image]) -> Image.Image:
    """An edited copy; the same arguments give the same pixels.

    Args:
        name: a key of ``EDITS`` or ``TEMPLATES``.
        picture: RGB; left as it is.
        strength: 0 (light), 1 (default) or 2 (heavy).
        seed: with name and strength it decides all that is random.
        others: RGB, at least 4 pictures that are not this one, for edits that show other people.

    Returns:
        RGB, its sides within ``SMALLEST`` and ``LARGEST`` unless the picture was much longer than wide.
    """
    scene = Scene(random.Random(f"{seed}/{name}/{strength}"), others)
    taken = longest(picture, TAKEN) if max(picture.size) > TAKEN else picture
    return _within_bounds(edit_of(name).draw(taken, strength, scene))


def edit_of(name: str) -> Edit:
    """The edit or template of that name."""
    return EDITS.get(name) or TEMPLATES[name]


def _within_bounds(drawn: Image.Image) -> Image.Image:
    if min(drawn.size) < SMALLEST:
        drawn = scaled(drawn, SMALLEST / min(drawn.size))
    return longest(drawn, LARGEST) if max(drawn.size) > LARGEST else drawn
