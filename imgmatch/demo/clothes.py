"""Neck, shoulders and clothes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Points, box, chance, darker, ellipse, mix, spline

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.demo.canvas import Canvas
    from imgmatch.demo.people import Person, Shot

_NECKLINES = {"crew": 1.5, "vee": 1.5, "shirt": 1.45, "hoodie": 1.5, "turtleneck": 1.35, "jacket": 1.45, "scoop": 1.75}


def draw_body(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draws neck and clothed shoulders down to the lower edge of the picture."""
    outline = shot.place_body(_shoulders(rng.uniform(1.55, 2.05), rng.uniform(1.7, 1.95)))
    canvas.soft(outline + 0.08 * shot.scale, (20, 16, 20), 0.45, 0.12 * shot.scale)
    _neck(canvas, who, shot)
    with canvas.clipped(outline) as cloth:
        cloth.fill(outline, shot.cloth)
        _PATTERNS.get(shot.pattern, _plain)(cloth, shot, rng)
        _folds(cloth, shot, rng)
        _opening(cloth, who, shot)
    _collar(canvas, shot)


def _shoulders(half: float, drop: float) -> Points:
    right = [
        (0.36, 1.28),
        (0.62, 1.42),
        (half * 0.8, drop - 0.18),
        (half, drop + 0.15),
        (half + 0.14, 3.0),
        (half + 0.3, 7.0),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    return spline(right + left)


def _neck(canvas: Canvas, who: Person, shot: Shot) -> None:
    half = 0.36 + 0.06 * (who.jaw - 2.0)
    lean = 0.2 * np.sin(np.radians(-shot.tilt))
    shape = [
        (-half - lean, 0.4),
        (half - lean, 0.4),
        (half, 1.2),
        (half + 0.35, 1.5),
        (0, 2.2),
        (-half - 0.35, 1.5),
        (-half, 1.2),
    ]
    outline = shot.place_body(spline(shape))
    with canvas.clipped(outline) as neck:
        neck.fill(outline, darker(who.skin, 0.9))
        neck.soft(shot.place_body(ellipse(0.05, 0.75, 0.7, 0.42)), darker(who.skin, 0.5), 0.75, 0.12 * shot.scale)


def _opening(cloth: Canvas, who: Person, shot: Shot) -> None:
    """The skin (or the shirt) that the neckline leaves free."""
    low = _NECKLINES[shot.garment]
    shape: Points = spline([(-0.5, 0.9), (-0.36, 1.36), (0, low), (0.36, 1.36), (0.5, 0.9), (0, 0.5)])
    if shot.garment in {"vee", "jacket", "shirt"}:
        depth = {"vee": 2.05, "jacket": 2.7, "shirt": 1.75}[shot.garment]
        shape = np.array([(-0.5, 0.9), (-0.4, 1.34), (0.0, depth), (0.4, 1.34), (0.5, 0.9), (0.0, 0.5)])
    if shot.garment == "turtleneck":
        return
    if shot.garment == "scoop":
        shape = spline([(-0.8, 0.9), (-0.66, 1.55), (0, 2.05), (0.66, 1.55), (0.8, 0.9), (0, 0.5)])
    outline = shot.place_body(shape)
    cloth.stroke(outline, darker(shot.cloth, 0.62), 0.07 * shot.scale, closed=True)
    with cloth.clipped(outline) as skin:
        skin.fill(outline, mix(shot.trim, (240, 240, 240), 0.5) if shot.garment == "jacket" else darker(who.skin, 0.94))
        skin.soft(shot.place_body(ellipse(0.05, 0.9, 0.6, 0.42)), darker(who.skin, 0.45), 0.6, 0.12 * shot.scale)


def _collar(canvas: Canvas, shot: Shot) -> None:
    tone, edge = shot.cloth, darker(shot.cloth, 0.6)
    if shot.garment == "turtleneck":
        _flap(canvas, shot, spline([(-0.44, 0.98), (0, 1.1), (0.44, 0.98), (0.52, 1.42), (0, 1.6), (-0.52, 1.42)]))
    if shot.garment == "hoodie":
        _flap(canvas, shot, spline([(-0.5, 1.1), (-0.28, 1.5), (0.0, 1.68), (-0.1, 1.95), (-0.6, 1.65), (-0.72, 1.3)]))
        _flap(canvas, shot, spline([(0.5, 1.1), (0.28, 1.5), (0.0, 1.68), (0.1, 1.95), (0.6, 1.65), (0.72, 1.3)]))
        for x in (-0.16, 0.16):
            canvas.stroke(shot.place_body(np.array([(x, 1.75), (x * 1.2, 2.4)])), (240, 236, 228), 0.05 * shot.scale)
    if shot.garment in {"shirt", "jacket"}:
        reach = 1.95 if shot.garment == "shirt" else 2.75
        for side in (-1, 1):
            _flap(
                canvas, shot, np.array([(0.4, 1.16), (0.62, 1.5), (0.34, reach - 0.1), (0.02, reach - 0.2)]) * (side, 1)
            )
        line = shot.place_body(np.array([(0, reach - 0.2), (0, 6)]))
        canvas.stroke(line, edge, 0.03 * shot.scale)
        for y in np.arange(reach, 5, 0.42):
            canvas.fill(shot.place_body(ellipse(0.07, y, 0.045, 0.045)), mix(tone, (250, 244, 230), 0.7))


def _flap(canvas: Canvas, shot: Shot, shape: Points) -> None:
    outline = shot.place_body(shape)
    canvas.soft(outline + 0.04 * shot.scale, (20, 16, 20), 0.35, 0.05 * shot.scale)
    canvas.fill(outline, darker(shot.cloth, 1.08))
    canvas.stroke(outline, darker(shot.cloth, 0.66), 0.025 * shot.scale, closed=True)


def _folds(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    for _ in range(6):
        x, y = rng.uniform(-2, 2), rng.uniform(1.6, 3.2)
        crease = spline([(x, y), (x * 1.1 + 0.1, y + 0.5), (x * 1.2, y + 1.1), (x * 1.15 - 0.12, y + 0.5)])
        tone = (0.0, 0.0, 10.0) if chance(rng, 0.6) else (255.0, 250.0, 240.0)
        cloth.soft(shot.place_body(crease), tone, 0.28, 0.07 * shot.scale)


def _plain(cloth: Canvas, shot: Shot, _rng: np.random.Generator) -> None:
    cloth.soft(shot.place_body(ellipse(0, 3.6, 1.5, 1.2)), shot.trim, 0.25, 0.4 * shot.scale)


def _stripes(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    gap = rng.uniform(0.22, 0.5)
    for y in np.arange(1.0, 6, gap):
        bow = [(x, y + 0.06 * x * x + 0.05) for x in (-2.6, -1.3, 0, 1.3, 2.6)]
        cloth.stroke(shot.place_body(spline(bow, closed=False)), shot.trim, gap * 0.45 * shot.scale)


def _pinstripes(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    gap = rng.uniform(0.16, 0.34)
    for x in np.arange(-2.6, 2.6, gap):
        cloth.stroke(shot.place_body(np.array([(x * 0.85, 1), (x * 1.15, 6)])), shot.trim, gap * 0.25 * shot.scale)


def _checks(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    gap = rng.uniform(0.3, 0.55)
    for x in np.arange(-2.6, 2.6, gap):
        cloth.soft(shot.place_body(box(x, 1, x + gap / 2, 6)), shot.trim, 0.6, 0.5)
    for y in np.arange(1.0, 4.5, gap):
        cloth.soft(shot.place_body(box(-2.6, y, 2.6, y + gap / 2)), darker(shot.trim, 0.75), 0.55, 0.5)


def _dots(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    gap = rng.uniform(0.24, 0.42)
    for row, y in enumerate(np.arange(1.1, 4.5, gap)):
        for x in np.arange(-2.5 + gap / 2 * (row % 2), 2.5, gap):
            cloth.fill(shot.place_body(ellipse(x, y, gap * 0.27, gap * 0.27)), shot.trim)


def _flowers(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    for x, y in rng.uniform((-2.3, 1.2), (2.3, 4.2), (26, 2)):
        tone = mix(shot.trim, (255, 255, 255), rng.uniform(0, 0.4))
        for turn in np.radians(np.arange(5) * 72 + rng.uniform(0, 72)):
            petal = ellipse(x + 0.1 * np.sin(turn), y + 0.1 * np.cos(turn), 0.09, 0.09)
            cloth.fill(shot.place_body(petal), tone)
        cloth.fill(shot.place_body(ellipse(x, y, 0.06, 0.06)), (240, 200, 90))


def _knit(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    gap = rng.uniform(0.16, 0.24)
    for x in np.arange(-2.5, 2.5, gap):
        tone = darker(shot.cloth, rng.uniform(0.7, 0.9))
        rows = np.arange(1.0, 4.6, gap / 2)
        zig = np.stack([x + gap * 0.3 * (np.arange(rows.size) % 2), rows], axis=1)
        cloth.stroke(shot.place_body(zig), tone, 0.04 * shot.scale)
    _broad(cloth, shot, rng.uniform(1.9, 2.6), 0.3)


def _blocks(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    _broad(cloth, shot, rng.uniform(1.7, 2.4), 6.0)
    _broad(cloth, shot, rng.uniform(2.5, 3.0), 0.2)


def _broad(cloth: Canvas, shot: Shot, y: float, tall: float) -> None:
    cloth.fill(shot.place_body(box(-3, y, 3, y + tall)), shot.trim)


def _zigzag(cloth: Canvas, shot: Shot, rng: np.random.Generator) -> None:
    step = rng.uniform(0.22, 0.4)
    across = np.arange(-2.8, 2.8, step)
    for y in np.arange(1.0, 5.0, step * 2):
        teeth = np.stack([across, y + step * 0.8 * (np.arange(across.size) % 2)], axis=1)
        cloth.stroke(shot.place_body(teeth), shot.trim, 0.1 * shot.scale)


_PATTERNS: dict[str, Callable[[Canvas, Shot, np.random.Generator], None]] = {
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "checks": _checks,
    "dots": _dots,
    "flowers": _flowers,
    "knit": _knit,
    "blocks": _blocks,
    "zigzag": _zigzag,
}
