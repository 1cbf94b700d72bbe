"""Invented people and the photos taken of them: plain values, nothing drawn yet.

A :class:`Person` is what stays the same from photo to photo; a :class:`Shot` is what one photo makes of it. Lengths are
in head units: half the height of the head is 1, the middle of the face is (0, 0), y runs down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Colour, chance

if TYPE_CHECKING:
    from imgmatch.demo.shapes import Points

SKINS: tuple[Colour, ...] = (
    (248, 219, 198),
    (240, 203, 176),
    (229, 184, 148),
    (216, 166, 126),
    (198, 144, 104),
    (172, 118, 82),
    (141, 92, 62),
    (112, 72, 50),
    (94, 62, 46),
)
HAIRS: tuple[Colour, ...] = (
    (30, 26, 28),
    (44, 32, 28),
    (74, 48, 34),
    (112, 72, 44),
    (158, 108, 62),
    (214, 172, 106),
    (164, 78, 42),
    (168, 164, 162),
    (222, 216, 208),
    (150, 58, 74),
)
EYES: tuple[Colour, ...] = ((70, 44, 28), (92, 62, 36), (66, 96, 120), (78, 104, 70), (104, 112, 116), (46, 32, 26))
CLOTHES: tuple[Colour, ...] = (
    (236, 232, 224),
    (38, 42, 54),
    (178, 52, 56),
    (44, 84, 138),
    (226, 176, 64),
    (72, 112, 84),
    (136, 84, 128),
    (222, 128, 96),
    (112, 160, 178),
    (120, 100, 84),
    (58, 60, 62),
    (214, 150, 166),
)
HAIRSTYLES = ("bald", "buzz", "short", "quiff", "swept", "curly", "afro", "bob", "long", "wavy", "bun", "ponytail")
_FRECKLED_TONES = 3
LONG_STYLES = HAIRSTYLES[HAIRSTYLES.index("bob") :]
HATS = ("beanie", "cap", "sunhat", "scarf")
GARMENTS = ("crew", "vee", "shirt", "hoodie", "turtleneck", "jacket", "scoop")
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "dots", "flowers", "knit", "blocks", "zigzag")
SIZES = ((480, 600), (440, 550), (480, 560), (450, 600), (500, 500), (560, 450), (420, 560), (400, 590))


@dataclass(frozen=True, slots=True)
class Person:
    """What does not change between two photos of somebody."""

    skin: Colour
    hair: Colour
    eyes: Colour
    hairstyle: str
    beard: str
    width: float
    jaw: float
    taper: float
    eye_size: float
    eye_gap: float
    brow: float
    nose: float
    mouth: float
    lips: float
    age: float
    freckles: bool
    glasses: str
    earrings: bool
    makeup: float


@dataclass(frozen=True, slots=True)
class Shot:
    """What one photo makes of a person.

    Attributes:
        size: width and height, pixels.
        x: middle of the head, pixels.
        y: middle of the head, pixels.
        scale: half the height of the head, pixels.
        tilt: lean of the head, degrees clockwise.
        turn: turn of the face, -1 (to the left) .. 1.
        smile: 0..1.
        hat: one of ``HATS``, or ``""``.
        garment: one of ``GARMENTS``.
        pattern: one of ``PATTERNS``.
        cloth: main colour of the clothes.
        trim: second colour of the clothes.
    """

    size: tuple[int, int]
    x: float
    y: float
    scale: float
    tilt: float
    turn: float
    smile: float
    hat: str
    garment: str
    pattern: str
    cloth: Colour
    trim: Colour

    def place(self, points: Points) -> Points:
        """Points on the head, from head units to pixels, shape ``(n, 2)``."""
        c, s = self.scale * cos(radians(self.tilt)), self.scale * sin(radians(self.tilt))
        placed: Points = points @ np.array([[c, s], [-s, c]]) + (self.x, self.y)
        return placed

    def place_body(self, points: Points) -> Points:
        """Points on the body, which does not lean with the head, from head units to pixels, shape ``(n, 2)``."""
        return np.asarray(points * self.scale + (self.x, self.y), dtype=np.float64)


def person(rng: np.random.Generator) -> Person:
    """Invents somebody."""
    hairstyle = HAIRSTYLES[rng.integers(len(HAIRSTYLES))]
    long_hair = hairstyle in LONG_STYLES
    tone = int(rng.integers(len(SKINS)))
    hairs = HAIRS if tone < SKINS.index((198, 144, 104)) else HAIRS[:3]
    bearded = not long_hair and chance(rng, 0.55)
    wears_makeup = long_hair and chance(rng, 0.8)
    return Person(
        skin=SKINS[tone],
        hair=hairs[rng.integers(len(hairs))],
        eyes=EYES[rng.integers(len(EYES))] if tone < len(SKINS) // 2 else EYES[0],
        hairstyle=hairstyle,
        beard=str(rng.choice(("full", "stubble", "moustache", "goatee"))) if bearded else "",
        width=rng.uniform(0.68, 0.8),
        jaw=rng.uniform(2.0, 2.7),
        taper=rng.uniform(0.02, 0.24),
        eye_size=rng.uniform(0.15, 0.19),
        eye_gap=rng.uniform(0.3, 0.36),
        brow=rng.uniform(0.035, 0.075) * (0.7 if long_hair else 1.0),
        nose=rng.uniform(0.1, 0.17),
        mouth=rng.uniform(0.22, 0.32),
        lips=rng.uniform(0.05, 0.1),
        age=float(rng.random()),
        freckles=tone < _FRECKLED_TONES and chance(rng, 0.3),
        glasses=str(rng.choice(("", "", "", "round", "square", "sun"))),
        earrings=long_hair and chance(rng, 0.5),
        makeup=rng.uniform(0.4, 0.9) if wears_makeup else 0.0,
    )


def shot(rng: np.random.Generator, who: Person) -> Shot:
    """Invents the circumstances of one photo of somebody."""
    hats = HATS if who.hairstyle in LONG_STYLES else HATS[:-1]
    width, height = SIZES[rng.integers(len(SIZES))]
    scale = min(height, 1.15 * width) * rng.uniform(0.14, 0.25)
    first, second = rng.permutation(len(CLOTHES))[:2]
    return Shot(
        size=(width, height),
        x=width * rng.uniform(0.34, 0.66),
        y=max(1.45 * scale, height * rng.uniform(0.3, 0.5)),
        scale=scale,
        tilt=rng.uniform(-11, 11),
        turn=rng.uniform(-1, 1),
        smile=float(rng.random()),
        hat=hats[rng.integers(len(hats))] if chance(rng, 0.22) else "",
        garment=GARMENTS[rng.integers(len(GARMENTS))],
        pattern=PATTERNS[rng.integers(len(PATTERNS))],
        cloth=CLOTHES[first],
        trim=CLOTHES[second],
    )
