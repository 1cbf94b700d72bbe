"""Drawn things stuck on the picture: hearts, stars, glasses, smileys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edits.base import Edit
from edits.tools import VIVID, colour_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edits.base import Scene
    from edits.tools import Colour

    Sticker = Callable[[ImageDraw.ImageDraw, float, random.Random], None]

SHEET = 256
"""Stickers are drawn on a sheet of this side, large, and made smaller for a smooth edge."""

INK: Colour = (40, 25, 20)
SKIN: Colour = (255, 204, 50)


def _heart(pen: ImageDraw.ImageDraw, side: float, rng: random.Random) -> None:
    turns = [math.tau * step / 80 for step in range(80)]
    points = [
        (
            side * (0.5 + 0.028 * 16 * math.sin(turn) ** 3),
            side * (0.46 - 0.028 * (13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn))),
        )
        for turn in turns
    ]
    pen.polygon(points, fill=rng.choice(((230, 30, 60), (255, 90, 160), (160, 60, 220))), outline=INK, width=7)


def _star(pen: ImageDraw.ImageDraw, side: float, rng: random.Random) -> None:
    points = []
    for corner in range(10):
        reach, turn = (0.47, 0.21)[corner % 2] * side, math.pi * (corner / 5 - 0.5)
        points.append((side / 2 + reach * math.cos(turn), side * 0.52 + reach * math.sin(turn)))
    pen.polygon(points, fill=rng.choice(((255, 210, 40), (255, 255, 255), colour_of(rng, VIVID))), outline=INK, width=6)


def _glasses(pen: ImageDraw.ImageDraw, side: float, rng: random.Random) -> None:
    dark = rng.choice(((20, 20, 25), (60, 20, 90), (15, 60, 110)))
    for left in (0.03, 0.53):
        box = (left * side, 0.3 * side, (left + 0.44) * side, 0.68 * side)
        pen.rounded_rectangle(box, radius=0.13 * side, fill=dark, outline=INK, width=9)
        pen.line(((left + 0.1) * side, 0.58 * side, (left + 0.25) * side, 0.36 * side), fill=(190, 190, 205), width=8)
    pen.rectangle((0.4 * side, 0.36 * side, 0.6 * side, 0.42 * side), fill=INK)


def _smiley(pen: ImageDraw.ImageDraw, side: float, rng: random.Random) -> None:
    pen.ellipse((0.03 * side, 0.03 * side, 0.97 * side, 0.97 * side), fill=SKIN, outline=(120, 80, 0), width=6)
    for left in (0.27, 0.6):
        pen.ellipse((left * side, 0.28 * side, (left + 0.13) * side, 0.47 * side), fill=INK)
    if rng.random() < 0.5:
        pen.chord(
            (0.22 * side, 0.35 * side, 0.78 * side, 0.85 * side), 0, 180, fill=(120, 30, 20), outline=INK, width=5
        )
        pen.rectangle((0.3 * side, 0.6 * side, 0.7 * side, 0.66 * side), fill=(255, 255, 255))
    else:
        pen.arc((0.25 * side, 0.4 * side, 0.75 * side, 0.8 * side), 15, 165, fill=INK, width=10)


def _flower(pen: ImageDraw.ImageDraw, side: float, rng: random.Random) -> None:
    petal = rng.choice(((255, 255, 255), (255, 130, 190), (120, 180, 255)))
    for turn in (math.tau * step / 6 for step in range(6)):
        x, y = side * (0.5 + 0.26 * math.cos(turn)), side * (0.5 + 0.26 * math.sin(turn))
        box = (x - 0.2 * side, y - 0.2 * side, x + 0.2 * side, y + 0.2 * side)
        pen.ellipse(box, fill=petal, outline=INK, width=5)
    pen.ellipse((0.33 * side, 0.33 * side, 0.67 * side, 0.67 * side), fill=(255, 190, 30), outline=INK, width=5)


STICKERS: tuple[Sticker, ...] = (_heart, _star, _glasses, _smiley, _flower)
FILLED = 0.55
"""The part of its square that a sticker covers, on average."""


def _sticker(side: int, kinds: tuple[Sticker, ...], rng: random.Random) -> Image.Image:
    """One sticker with its transparency, turned a little."""
    sheet = Image.new("RGBA", (SHEET, SHEET))
    rng.choice(kinds)(ImageDraw.Draw(sheet), SHEET, rng)
    return sheet.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR).resize((side, side), Image.Resampling.LANCZOS)


def stickered(
    picture: Image.Image, count: int, share: float, scene: Scene, *, alike: bool = False, tries: int = 6
) -> Image.Image:
    """So many stickers that cover about this share of the area.

    They keep clear of each other where they can, the more the more places are tried for each. `alike`: all of one kind.
    """
    canvas, rng = picture.copy(), scene.rng
    kinds = (rng.choice(STICKERS),) if alike else STICKERS
    placed: list[tuple[float, float]] = []
    for _ in range(count):
        side = max(
            8, round(math.sqrt(share / count / FILLED * picture.width * picture.height) * rng.uniform(0.85, 1.15))
        )
        spots = [
            (rng.uniform(-0.1, 1.1) * (canvas.width - side), rng.uniform(-0.1, 1.1) * (canvas.height - side))
            for _ in range(tries)
        ]
        place = max(spots, key=lambda spot: min((math.dist(spot, other) for other in placed), default=0))
        placed.append(place)
        drawn = _sticker(side, kinds, rng)
        canvas.paste(drawn, (round(place[0]), round(place[1])), drawn)
    return canvas


def _stickers(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return stickered(picture, (1, 3, 6)[strength], (0.08, 0.15, 0.3)[strength], scene)


EDITS = (Edit("stickers", "sticker", _stickers),)
