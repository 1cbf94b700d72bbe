"""Hats and headscarves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Colour, Points, darker, ellipse, mix, spline

if TYPE_CHECKING:
    from imgmatch.demo.canvas import Canvas
    from imgmatch.demo.people import Person, Shot

_POMPOM_AGE = 0.5


def draw_hat(canvas: Canvas, who: Person, shot: Shot) -> None:
    """Draws the hat, if any; call it after the hair."""
    if shot.hat:
        {"beanie": _beanie, "cap": _cap, "sunhat": _sunhat, "scarf": _scarf}[shot.hat](canvas, who, shot)


def _dome(who: Person, lift: float) -> Points:
    angle = np.radians(np.linspace(-80, 80, 13))
    return np.stack([(who.width + 0.13) * np.sin(angle), -(1 + lift) * np.cos(angle) ** 0.7], axis=1)


def _beanie(canvas: Canvas, who: Person, shot: Shot) -> None:
    dome = shot.place(_dome(who, 0.34))
    rim = who.width + 0.15
    with canvas.clipped(dome) as knit:
        knit.fill(dome, shot.trim)
        for x in np.linspace(-rim, rim, 17):
            knit.stroke(
                shot.place(spline([(x * 0.3, -1.4), (x * 0.9, -0.9), (x, -0.2)], closed=False)),
                darker(shot.trim, 0.72),
                0.035 * shot.scale,
            )
    band = spline([(-rim, -0.62), (0, -0.72), (rim, -0.62), (rim, -0.32), (0, -0.4), (-rim, -0.32)])
    canvas.fill(shot.place(band), darker(shot.trim, 0.86))
    for x in np.linspace(-rim * 0.95, rim * 0.95, 20):
        canvas.stroke(shot.place(np.array([(x, -0.66), (x, -0.38)])), darker(shot.trim, 0.66), 0.02 * shot.scale)
    if who.age < _POMPOM_AGE:
        canvas.fill(shot.place(ellipse(0, -1.42, 0.2, 0.19)), mix(shot.trim, (250, 250, 250), 0.6))


def _cap(canvas: Canvas, who: Person, shot: Shot) -> None:
    dome = shot.place(_dome(who, 0.2))
    with canvas.clipped(dome) as cloth:
        cloth.fill(dome, shot.trim)
        for x in (-0.45, 0.0, 0.45):
            cloth.stroke(
                shot.place(spline([(0, -1.2), (x, -0.9), (x * 1.4, -0.3)], closed=False)),
                darker(shot.trim, 0.7),
                0.02 * shot.scale,
            )
    canvas.fill(shot.place(ellipse(0.14 * shot.turn, -0.78, 0.17, 0.15)), mix(shot.cloth, (255, 255, 255), 0.5))
    shift = 0.3 * shot.turn
    brim = spline(
        [
            (-who.width + shift * 0.4, -0.5),
            (shift, -0.62),
            (who.width + shift * 0.4, -0.5),
            (0.5 + shift, -0.28),
            (-0.5 + shift, -0.28),
        ]
    )
    canvas.soft(shot.place(brim + np.array((0, 0.12))), (30, 16, 16), 0.5, 0.06 * shot.scale)
    canvas.fill(shot.place(brim), darker(shot.trim, 0.7))


def _sunhat(canvas: Canvas, who: Person, shot: Shot) -> None:
    straw: Colour = mix((226, 196, 140), shot.trim, 0.25)
    canvas.soft(shot.place(ellipse(0, -0.42, who.width * 1.1, 0.2)), (30, 16, 10), 0.5, 0.1 * shot.scale)
    canvas.fill(shot.place(ellipse(0, -0.62, who.width * 2.1, 0.26)), straw)
    for share in np.linspace(0.5, 0.95, 5):
        canvas.stroke(
            shot.place(ellipse(0, -0.62, who.width * 2.1 * share, 0.26 * share)),
            darker(straw, 0.82),
            0.015 * shot.scale,
            closed=True,
        )
    top = [(-0.66, -0.68), (-0.58, -1.2), (-0.3, -1.36), (0.3, -1.36), (0.58, -1.2), (0.66, -0.68), (0, -0.58)]
    canvas.fill(shot.place(spline(top)), darker(straw, 1.06))
    band = [(-0.67, -0.86), (0, -0.76), (0.67, -0.86), (0.68, -0.68), (0, -0.58), (-0.68, -0.68)]
    canvas.fill(shot.place(spline(band)), shot.trim)


def _scarf(canvas: Canvas, who: Person, shot: Shot) -> None:
    """A headscarf that leaves the face free."""
    w = who.width
    outer = [(0, -1.18), (w * 0.8, -0.95), (w * 1.2, -0.1), (w * 1.15, 0.7), (w * 1.5, 1.5), (0, 2.0)]
    outer += [(-x, y) for x, y in reversed(outer[1:-1])]
    inner = [
        (-0.1, -0.66),
        (-w * 0.7, -0.45),
        (-w * 0.93, 0.1),
        (-w * 0.8, 0.65),
        (-0.2, 1.04),
        (0.2, 1.04),
        (w * 0.8, 0.65),
    ]
    inner += [(w * 0.93, 0.1), (w * 0.7, -0.45), (0.1, -0.66)]
    face = shot.place(spline(inner))
    edge = shot.place(spline(outer))
    cloth = np.concatenate([edge, edge[:1], face[::-1], face[-1:]])
    with canvas.clipped(cloth) as layer:
        layer.fill(cloth, shot.trim)
        for x in np.linspace(-1, 1, 9):
            fold = spline([(x * 0.2, -1.2), (x * 1.05 * w * 1.1, 0), (x * w, 0.9), (-x * 0.9, 2.0)], closed=False)
            layer.stroke(shot.place(fold), darker(shot.trim, 0.7 + 0.6 * (x > 0)), 0.05 * shot.scale)
    canvas.stroke(face, darker(shot.trim, 0.6), 0.04 * shot.scale, closed=True)
