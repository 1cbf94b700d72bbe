"""What an edit is: a name, a family, and a function that draws the edited picture."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Scene:
    """What an edit may draw on: the random numbers and other people's pictures.

    Attributes:
        rng: the only source of chance, so that a seed gives the same picture again.
        others: RGB, at least 4 pictures that are not the one edited.
    """

    rng: random.Random
    others: Sequence[Image.Image]


Draw = Callable[[Image.Image, int, Scene], Image.Image]
"""Picture (RGB), strength 0 (light), 1 (default) or 2 (heavy), scene -> RGB; the picture given is left as it is."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing done to a photo before it is used again."""

    name: str
    family: str
    draw: Draw
    strengths: tuple[int, ...] = (0, 1, 2)


ONE = (1,)
"""The strengths of an edit that has no more or less."""
