"""What stands behind a person indoors; every scene fills a whole canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Colour, box, chance, clouds, darker, ellipse, mix, spline

if TYPE_CHECKING:
    from imgmatch.demo.canvas import Canvas

_WALLS: tuple[Colour, ...] = (
    (214, 204, 188),
    (150, 170, 168),
    (196, 150, 128),
    (92, 108, 122),
    (222, 206, 150),
    (134, 146, 116),
    (176, 160, 186),
)
_SPINES: tuple[Colour, ...] = (
    (150, 50, 46),
    (40, 70, 100),
    (220, 190, 120),
    (60, 90, 70),
    (230, 226, 214),
    (80, 60, 80),
    (204, 120, 70),
    (40, 40, 46),
)


def _wall(canvas: Canvas, rng: np.random.Generator) -> Colour:
    colour = _WALLS[rng.integers(len(_WALLS))]
    canvas.gradient(darker(colour, rng.uniform(0.75, 1.15)), darker(colour, rng.uniform(0.6, 1.0)))
    return colour


def window(canvas: Canvas, rng: np.random.Generator) -> None:
    """A window in a wall, curtains, a plant."""
    wall = _wall(canvas, rng)
    width, height = canvas.width, canvas.height
    left, top = rng.uniform(-0.1, 0.45) * width, rng.uniform(-0.1, 0.2) * height
    right, bottom = left + rng.uniform(0.4, 0.8) * width, top + rng.uniform(0.4, 0.7) * height
    canvas.fill(box(left - 7, top - 7, right + 7, bottom + 7), (244, 240, 232))
    with canvas.clipped(box(left, top, right, bottom)) as view:
        view.gradient((150, 196, 226), (240, 236, 214))
        for _ in range(18):
            x, y = rng.uniform(left, right), rng.uniform(top, bottom)
            view.fill(ellipse(x, y, rng.uniform(8, 30), rng.uniform(8, 24)), (rng.uniform(60, 150), 150, 110))
    for share in np.linspace(0, 1, int(rng.integers(3, 5)))[1:-1]:
        x = left + share * (right - left)
        canvas.stroke(np.array([(x, top), (x, bottom)]), (244, 240, 232), 5)
    y = top + rng.uniform(0.3, 0.7) * (bottom - top)
    canvas.stroke(np.array([(left, y), (right, y)]), (244, 240, 232), 4)
    _curtain(canvas, rng, left - 24, right if chance(rng, 0.5) else left, _WALLS[rng.integers(len(_WALLS))])
    if chance(rng, 0.6):
        _plant(canvas, rng, rng.uniform(0, width), bottom + rng.uniform(0, 0.3) * height)
    canvas.fill(box(-2, bottom + 8, width + 2, bottom + 16), darker(wall, 0.6))


def _curtain(canvas: Canvas, rng: np.random.Generator, first: float, second: float, colour: Colour) -> None:
    for left in {first, second}:
        for fold in range(5):
            x = left + fold * 10
            canvas.fill(box(x, -2, x + 11, canvas.height * 0.9), darker(colour, rng.uniform(0.6, 1.2)))


def _plant(canvas: Canvas, rng: np.random.Generator, x: float, foot: float) -> None:
    for turn in rng.uniform(-75, 75, 16):
        reach = rng.uniform(24, 64)
        tip = (x + reach * np.sin(np.radians(turn)), foot - 20 - reach * np.cos(np.radians(turn)))
        tone: Colour = (rng.uniform(30, 90), rng.uniform(90, 160), rng.uniform(50, 90))
        canvas.stroke(np.array([(x, foot - 16), tip]), darker(tone, 0.7), 2)
        canvas.fill(ellipse(*tip, 15, 6, turn - 90), tone)
    canvas.fill(
        np.array([(x - 17, foot - 18), (x + 17, foot - 18), (x + 12, foot + 16), (x - 12, foot + 16)]), (190, 106, 74)
    )


def bookshelf(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shelves of books."""
    wood: Colour = mix((92, 62, 42), (206, 170, 122), float(rng.random()))
    canvas.gradient(darker(wood, 0.5), darker(wood, 0.4))
    step = rng.uniform(52, 86)
    for floor in np.arange(rng.uniform(10, step), canvas.height + step, step):
        x = -rng.uniform(0, 20)
        while x < canvas.width:
            wide, tall = rng.uniform(6, 18), step * rng.uniform(0.55, 0.88)
            spine = darker(_SPINES[rng.integers(len(_SPINES))], rng.uniform(0.7, 1.15))
            canvas.fill(box(x, floor - tall, x + wide - 1, floor), spine)
            canvas.stroke(
                np.array([(x + 2, floor - tall * 0.75), (x + wide - 3, floor - tall * 0.75)]), darker(spine, 1.6), 2
            )
            x += wide + (rng.uniform(14, 46) if chance(rng, 0.1) else 0)
        canvas.fill(box(-2, floor, canvas.width + 2, floor + 6), wood)


def gallery(canvas: Canvas, rng: np.random.Generator) -> None:
    """Framed pictures on a papered wall."""
    wall = _wall(canvas, rng)
    width, height = canvas.width, canvas.height
    gap = rng.uniform(14, 40)
    slant = rng.choice((0.0, 0.0, 0.6, -0.6)) * height
    for x in np.arange(-height, width + height, gap):
        canvas.stroke(np.array([(x, -2), (x + slant, height + 2)]), darker(wall, rng.uniform(0.78, 1.15)), gap * 0.45)
    for _ in range(rng.integers(4, 8)):
        x, y = rng.uniform(-20, width - 20), rng.uniform(-20, height * 0.8)
        right, bottom = x + rng.uniform(40, 100), y + rng.uniform(40, 110)
        canvas.soft(box(x + 3, y + 4, right + 4, bottom + 6), (30, 24, 22), 0.5, 3)
        canvas.fill(box(x, y, right, bottom), _SPINES[rng.integers(len(_SPINES))])
        canvas.fill(box(x + 4, y + 4, right - 4, bottom - 4), (240, 234, 222))
        with canvas.clipped(box(x + 10, y + 10, right - 10, bottom - 10)) as art:
            art.gradient(_WALLS[rng.integers(len(_WALLS))], _SPINES[rng.integers(len(_SPINES))])
            for _ in range(4):
                spot = (rng.uniform(x, right), rng.uniform(y, bottom))
                art.fill(ellipse(*spot, rng.uniform(5, 28), rng.uniform(5, 28)), _SPINES[rng.integers(len(_SPINES))])


def tiles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Bricks or tiles, each of its own shade."""
    base = _WALLS[rng.integers(len(_WALLS))] if chance(rng, 0.5) else (166.0, 92.0, 72.0)
    canvas.gradient(darker(base, 0.55), darker(base, 0.5))
    wide, tall = rng.uniform(24, 60), rng.uniform(13, 34)
    for row, y in enumerate(np.arange(-rng.uniform(0, tall), canvas.height, tall)):
        for x in np.arange(-wide * (0.5 + 0.5 * (row % 2)), canvas.width, wide):
            canvas.fill(box(x + 1, y + 1, x + wide - 2, y + tall - 2), darker(base, rng.uniform(0.7, 1.3)))


def studio(canvas: Canvas, rng: np.random.Generator) -> None:
    """A painted backdrop: a cloth of two colours with a pool of light."""
    one, other = (_WALLS[i] for i in rng.permutation(len(_WALLS))[:2])
    canvas.gradient(darker(one, 0.8), darker(other, 0.6))
    for _ in range(rng.integers(12, 22)):
        ends = rng.uniform((-20, -20), (canvas.width + 20, canvas.height + 20), (4, 2))
        tone = darker(mix(one, other, float(rng.random())), rng.uniform(0.5, 1.35))
        canvas.soft(spline(ends), tone, rng.uniform(0.35, 0.8), 3)
    field = clouds(rng, (canvas.height, canvas.width), cells=4)
    canvas.light(1 + np.float32(0.16) * field)


SCENES = (window, bookshelf, gallery, tiles, studio)
