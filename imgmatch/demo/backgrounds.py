"""What stands behind a person: outdoors here, indoors in :mod:`imgmatch.demo.rooms`.

Drawn at half size and enlarged, which gives the soft focus of a portrait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from imgmatch.demo import rooms
from imgmatch.demo.canvas import Canvas
from imgmatch.demo.shapes import Colour, Pixels, box, chance, clouds, darker, ellipse, mix, spline

Scene: TypeAlias = Callable[[Canvas, np.random.Generator], None]

_PETAL = 12
_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((96, 156, 214), (226, 236, 240)),
    ((58, 76, 128), (250, 178, 128)),
    ((132, 150, 168), (222, 222, 216)),
    ((36, 44, 84), (190, 108, 128)),
    ((120, 186, 206), (254, 226, 178)),
)


def background(width: int, height: int, rng: np.random.Generator) -> Canvas:
    """Draws a scene nobody stands in yet.

    Args:
        width: pixels.
        height: pixels.
        rng: where the randomness comes from; it decides the scene too.

    Returns:
        A canvas of that size.
    """
    small = Canvas.blank(width // 2, height // 2, (200, 200, 200))
    scenes = SCENES + rooms.SCENES
    scenes[rng.integers(len(scenes))](small, rng)
    mottle = clouds(rng, (small.height, small.width), cells=int(rng.integers(3, 6)))
    small.light(1 + mottle * np.float32(rng.uniform(0.1, 0.17)))
    soft = cv2.GaussianBlur(small.pixels, (0, 0), rng.uniform(0.5, 2.0))
    large = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    pixels: Pixels = np.ascontiguousarray(large, dtype=np.uint8)
    return Canvas(pixels)


def _sky(canvas: Canvas, rng: np.random.Generator) -> tuple[Colour, Colour]:
    top, bottom = _SKIES[rng.integers(len(_SKIES))]
    canvas.gradient(top, bottom)
    width, height = canvas.width, canvas.height
    if chance(rng, 0.6):
        x, y = rng.uniform(0, width), rng.uniform(0.05, 0.4) * height
        canvas.soft(ellipse(x, y, 46, 46), (255, 236, 200), 0.5, 16)
        canvas.fill(ellipse(x, y, 15, 15), (255, 246, 222))
    for _ in range(rng.integers(3, 9)):
        x, y = rng.uniform(0, width), rng.uniform(0, 0.5) * height
        length = rng.uniform(24, 80)
        canvas.soft(ellipse(x, y, length, length * rng.uniform(0.15, 0.4)), (252, 246, 240), 0.75, 4)
    return top, bottom


def _ridge(canvas: Canvas, rng: np.random.Generator, level: float, rough: float, colour: Colour) -> None:
    """A range of hills; ``level`` and ``rough`` are shares of the height."""
    x = np.linspace(-10, canvas.width + 10, 9)
    y = (level + rng.uniform(-rough, rough, x.size)) * canvas.height
    top = spline(np.stack([x, y], axis=1), closed=False)
    corners = np.array([(canvas.width + 10, canvas.height + 5), (-10, canvas.height + 5)], dtype=np.float64)
    canvas.fill(np.concatenate([top, corners]), colour)


def hills(canvas: Canvas, rng: np.random.Generator) -> None:
    """Ranges of hills under a sky, firs in front."""
    _, haze = _sky(canvas, rng)
    near: Colour = (rng.uniform(30, 80), rng.uniform(60, 110), rng.uniform(50, 90))
    level = rng.uniform(0.3, 0.45)
    for step in range(4):
        _ridge(canvas, rng, level + step * 0.13, 0.1 - 0.015 * step, mix(haze, near, 0.3 + 0.23 * step))
    for _ in range(rng.integers(5, 14)):
        x, foot = rng.uniform(0, canvas.width), rng.uniform(0.68, 1.05) * canvas.height
        tall = rng.uniform(40, 120)
        tone = darker(near, rng.uniform(0.45, 0.9))
        for tier in range(3):
            y = foot - tall * 0.3 * tier
            half = tall * 0.24 * (1 - 0.26 * tier)
            canvas.fill(np.array([(x - half, y), (x + half, y), (x, y - tall * 0.45)]), tone)


def seaside(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sea, foam and sand, perhaps a sail or a parasol."""
    _, haze = _sky(canvas, rng)
    width, height = canvas.width, canvas.height
    horizon = rng.uniform(0.35, 0.6) * height
    shore = rng.uniform(0.68, 0.9) * height
    sea: Colour = (rng.uniform(20, 70), rng.uniform(100, 150), rng.uniform(140, 180))
    canvas.fill(box(-2, horizon, width + 2, height + 2), sea)
    for _ in range(60):
        x, y = rng.uniform(0, width), rng.uniform(horizon, shore)
        length = 4 + 30 * (y - horizon) / height
        canvas.stroke(np.array([(x - length, y), (x + length, y)]), mix(sea, haze, rng.uniform(0.2, 0.9)), 1)
    _ridge(canvas, rng, shore / height, 0.03, (238, 238, 230))
    _ridge(canvas, rng, shore / height + 0.03, 0.03, (222, 194, 150))
    for _ in range(rng.integers(1, 4)):
        x, tall = rng.uniform(0, width), rng.uniform(30, 80)
        foot = horizon + 4
        canvas.fill(np.array([(x, foot - tall), (x + tall * 0.5, foot - 5), (x, foot - 5)]), (246, 240, 230))
        canvas.fill(np.array([(x - 8, foot - 3), (x + tall * 0.5, foot - 3), (x + 10, foot + 6)]), (120, 60, 50))


def town(canvas: Canvas, rng: np.random.Generator) -> None:
    """Houses with windows, by day or by night."""
    _sky(canvas, rng)
    night = chance(rng, 0.4)
    if night:
        canvas.light(np.full((canvas.height, canvas.width), 0.35, dtype=np.float32))
    for row in range(2):
        x = -rng.uniform(0, 30)
        while x < canvas.width:
            wide = rng.uniform(32, 80)
            top = canvas.height * rng.uniform(0.08 + 0.2 * row, 0.5 + 0.15 * row)
            wall: Colour = (rng.uniform(110, 220), rng.uniform(90, 180), rng.uniform(80, 170))
            _house(canvas, rng, box(x, top, x + wide, canvas.height), darker(wall, 0.3 if night else 1.0))
            x += wide + rng.choice((0, 0, 8))


def _house(canvas: Canvas, rng: np.random.Generator, outline: Pixels | np.ndarray, wall: Colour) -> None:
    canvas.fill(np.asarray(outline, dtype=np.float64), wall)
    (left, top), (right, _), *_ = outline
    roof = np.array([(left - 3, top), ((left + right) / 2, top - rng.uniform(0, 34)), (right + 3, top)])
    canvas.fill(roof, darker(wall, 0.6))
    across, step = rng.uniform(9, 16), rng.uniform(16, 28)
    for y in np.arange(top + 10, canvas.height, step):
        for x in np.arange(left + 6, right - across * 0.7, across * 1.6):
            lit = chance(rng, 0.35)
            canvas.fill(box(x, y, x + across * 0.8, y + step * 0.6), (252, 214, 130) if lit else darker(wall, 0.55))


def leaves(canvas: Canvas, rng: np.random.Generator) -> None:
    """A hedge or a tree close by, some of it in the sun, some in flower."""
    dark: Colour = (rng.uniform(20, 70), rng.uniform(50, 80), rng.uniform(30, 60))
    bright: Colour = (rng.uniform(120, 230), rng.uniform(170, 210), rng.uniform(70, 130))
    canvas.gradient(mix(dark, bright, rng.uniform(0.1, 0.6)), dark)
    bloom: Colour = (rng.uniform(200, 255), rng.uniform(90, 220), rng.uniform(120, 220))
    flowering = chance(rng, 0.5)
    for count, size in ((26, 46), (50, 24), (70, _PETAL)):
        for _ in range(count):
            x, y = rng.uniform(0, canvas.width), rng.uniform(0, canvas.height)
            colour = mix(dark, bright, float(rng.beta(1.2, 1.8)))
            if flowering and size == _PETAL and chance(rng, 0.4):
                colour = bloom
            half = size * rng.uniform(0.6, 1.2)
            canvas.fill(ellipse(x, y, half, half * rng.uniform(0.35, 0.7), rng.uniform(0, 180)), colour)


def evening_lights(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lights out of focus in the dusk."""
    hue = rng.uniform(0, 1)
    canvas.gradient(mix((20, 24, 56), (64, 30, 40), hue), mix((62, 44, 84), (120, 74, 50), hue))
    glow: tuple[Colour, ...] = ((255, 196, 110), (255, 128, 98), (130, 200, 255), (250, 230, 180), (220, 120, 200))
    for _ in range(rng.integers(26, 50)):
        x, y = rng.uniform(0, canvas.width), rng.uniform(0, canvas.height)
        radius = rng.uniform(5, 34)
        canvas.soft(ellipse(x, y, radius, radius), glow[rng.integers(len(glow))], rng.uniform(0.25, 0.8), 1.2)


SCENES: tuple[Scene, ...] = (hills, seaside, town, leaves, evening_lights)
