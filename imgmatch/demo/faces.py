"""Head and face: shape, shading, eyes, brows, nose, mouth, beard, glasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Colour, Points, darker, ellipse, mix, spline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from imgmatch.demo.canvas import Canvas
    from imgmatch.demo.people import Person, Shot

_EYE_LINE = 0.02
_LINED_AGE, _DARK_FRAME_AGE, _TEETH_SHOW = 0.6, 0.7, 0.03
_LASH: Colour = (34, 24, 24)


def head_outline(who: Person) -> Points:
    """The edge of the bare head in head units, shape ``(64, 2)``."""
    around = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x, y = np.sin(around), -np.cos(around)
    below = y > 0
    square = np.abs(x) ** (2 / who.jaw) * np.sign(x) * (1 - who.taper * y**2)
    return np.stack([who.width * np.where(below, square, x), np.where(below, y, y * 0.98)], axis=1)


def draw_head(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draws ears, head and face, without hair."""
    _ears(canvas, who, shot)
    outline = shot.place(head_outline(who))
    with canvas.clipped(outline) as face:
        face.fill(outline, who.skin)
        _shading(face, who, shot)
        if who.freckles:
            for x, y in rng.uniform((-0.5, 0.1), (0.5, 0.5), (40, 2)):
                face.soft(_facing(shot, ellipse(x, y, 0.016, 0.016)), darker(who.skin, 0.66), 0.6, 0.4)
        _beard(face, who, shot, rng)
    for side in (-1, 1):
        _eye(canvas, who, shot, side)
        _brow(canvas, who, shot, side)
    _nose(canvas, who, shot)
    _mouth(canvas, who, shot)
    if who.beard in {"full", "moustache"}:
        _moustache(canvas, who, shot)
    if who.glasses:
        _glasses(canvas, who, shot)


def _facing(shot: Shot, points: ArrayLike) -> Points:
    """Points on the front of the face, moved by its turn, from head units to pixels."""
    p = np.array(points, dtype=np.float64)
    p[:, 0] = p[:, 0] * (1 - 0.06 * abs(shot.turn)) + 0.13 * shot.turn * (1 - 0.5 * p[:, 0] ** 2)
    return shot.place(p)


def _ears(canvas: Canvas, who: Person, shot: Shot) -> None:
    for side in (-1, 1):
        x = side * who.width * 0.99 - 0.05 * shot.turn
        canvas.fill(shot.place(ellipse(x, 0.1, 0.13, 0.24, 8 * side)), darker(who.skin, 0.86))
        canvas.soft(shot.place(ellipse(x, 0.1, 0.06, 0.15, 8 * side)), darker(who.skin, 0.6), 0.6, 0.03 * shot.scale)
        if who.earrings:
            canvas.fill(shot.place(ellipse(x, 0.42, 0.06, 0.09)), (232, 196, 110))
            canvas.fill(shot.place(ellipse(x - 0.02, 0.4, 0.025, 0.04)), (255, 244, 210))


def _shading(face: Canvas, who: Person, shot: Shot) -> None:
    skin, scale = who.skin, shot.scale
    lit = -1.0 if shot.turn > 0 else 1.0
    dusk = darker(mix(skin, (150, 60, 60), 0.2), 0.66)
    face.soft(shot.place(ellipse(-lit * who.width, 0.15, 0.34, 1.0)), dusk, 0.75, 0.16 * scale)
    face.soft(shot.place(ellipse(0, 1.08, 0.7, 0.22)), dusk, 0.6, 0.12 * scale)
    face.soft(_facing(shot, ellipse(lit * 0.18, -0.5, 0.36, 0.2)), darker(skin, 1.16), 0.6, 0.12 * scale)
    blush = mix(skin, (214, 70, 80), 0.35)
    for side in (-1, 1):
        face.soft(_facing(shot, ellipse(side * 0.42, 0.32, 0.17, 0.12)), blush, 0.6, 0.08 * scale)
        face.soft(_facing(shot, ellipse(side * who.eye_gap, 0, 0.2, 0.12)), dusk, 0.35, 0.07 * scale)
    if who.age > _LINED_AGE:
        _lines(face, who, shot)


def _lines(face: Canvas, who: Person, shot: Shot) -> None:
    tone = darker(who.skin, 0.66)
    for side in (-1, 1):
        fold = [(side * 0.2, 0.36), (side * 0.34, 0.5), (side * 0.36, 0.68), (side * 0.325, 0.5)]
        face.soft(_facing(shot, spline(fold)), tone, 0.7, 0.015 * shot.scale)
        bag = ellipse(side * who.eye_gap, 0.17, 0.13, 0.02)
        face.soft(_facing(shot, bag), tone, 0.5, 0.02 * shot.scale)
    for y in (-0.58, -0.48):
        face.soft(_facing(shot, ellipse(0, y, 0.3, 0.012)), tone, 0.5, 0.015 * shot.scale)


def _eye(canvas: Canvas, who: Person, shot: Shot, side: int) -> None:
    x, half = side * who.eye_gap, who.eye_size
    tall = half * (0.62 - 0.18 * shot.smile)
    corner = (x - side * half, _EYE_LINE + 0.02), (x + side * half * 1.05, _EYE_LINE - 0.02)
    upper = [
        corner[0],
        (x - side * 0.4 * half, _EYE_LINE - tall * 0.8),
        (x + side * 0.4 * half, _EYE_LINE - tall),
        corner[1],
    ]
    lower = [(x + side * 0.3 * half, _EYE_LINE + tall * 0.62), (x - side * 0.4 * half, _EYE_LINE + tall * 0.6)]
    outline = _facing(shot, spline(upper + lower))
    if who.makeup:
        lid = _facing(shot, ellipse(x, _EYE_LINE - tall * 0.8, half, tall * 0.7))
        canvas.soft(lid, mix(who.hair, (120, 60, 90), 0.6), 0.45 * who.makeup, 0.04 * shot.scale)
    look = x + 0.03 * shot.turn
    with canvas.clipped(outline) as eye:
        eye.fill(outline, (244, 240, 236))
        eye.fill(_facing(shot, ellipse(look, _EYE_LINE - 0.01, half * 0.52, half * 0.52)), darker(who.eyes, 0.6))
        eye.fill(_facing(shot, ellipse(look, _EYE_LINE - 0.005, half * 0.43, half * 0.43)), darker(who.eyes, 1.15))
        eye.fill(_facing(shot, ellipse(look, _EYE_LINE - 0.01, half * 0.23, half * 0.23)), (14, 12, 14))
        shade = spline([(px, py - 0.05) for px, py in [*upper, (x, _EYE_LINE - tall * 0.3)]])
        eye.soft(_facing(shot, shade), (60, 40, 40), 0.5, 0.02 * shot.scale)
    glint = ellipse(look - 0.035, _EYE_LINE - 0.05, 0.022, 0.022)
    canvas.fill(_facing(shot, glint), (255, 255, 255))
    lash = spline(upper, closed=False)
    canvas.stroke(_facing(shot, lash), _LASH, (0.03 + 0.025 * who.makeup) * shot.scale)
    crease = lash - (0, 0.055)
    canvas.stroke(_facing(shot, crease), darker(who.skin, 0.66), 0.012 * shot.scale)


def _brow(canvas: Canvas, who: Person, shot: Shot, side: int) -> None:
    x, lift = side * who.eye_gap, -0.22 - 0.05 * shot.smile
    thick = who.brow
    top = [(x - side * 0.17, lift + 0.03), (x + side * 0.04, lift - 0.045), (x + side * 0.24, lift + 0.03)]
    under = [(x + side * 0.05, lift - 0.03 + thick), (x - side * 0.17, lift + 0.04 + thick)]
    tone = darker(mix(who.hair, (60, 44, 36), 0.45), 0.8)
    canvas.soft(_facing(shot, spline(top + under)), tone, 0.9, 0.012 * shot.scale)


def _nose(canvas: Canvas, who: Person, shot: Shot) -> None:
    half, tip = who.nose, 0.36
    lit = -1.0 if shot.turn > 0 else 1.0
    shade = darker(mix(who.skin, (150, 60, 60), 0.15), 0.66)
    bridge = [
        (-lit * 0.09, -0.1),
        (-lit * 0.06, 0.1),
        (-lit * half, tip),
        (-lit * 0.02, tip + 0.03),
        (-lit * 0.03, 0.1),
    ]
    canvas.soft(_facing(shot, spline(bridge)), shade, 0.65, 0.03 * shot.scale)
    canvas.soft(_facing(shot, ellipse(0, tip + 0.05, half, 0.03)), shade, 0.75, 0.02 * shot.scale)
    canvas.soft(
        _facing(shot, ellipse(lit * 0.025, tip - 0.06, 0.05, 0.06)), darker(who.skin, 1.25), 0.75, 0.03 * shot.scale
    )
    canvas.soft(_facing(shot, ellipse(lit * 0.02, 0.1, 0.022, 0.16)), darker(who.skin, 1.2), 0.6, 0.025 * shot.scale)
    for side in (-1, 1):
        nostril = ellipse(side * half * 0.5, tip + 0.04, 0.035, 0.018, 20 * side)
        canvas.soft(_facing(shot, nostril), darker(who.skin, 0.34), 0.8, 0.008 * shot.scale)
        wing = spline(
            [(side * half, tip - 0.04), (side * half * 1.12, tip + 0.02), (side * half * 0.9, tip + 0.06)], closed=False
        )
        canvas.stroke(_facing(shot, wing), darker(who.skin, 0.66), 0.015 * shot.scale)


def _mouth(canvas: Canvas, who: Person, shot: Shot) -> None:
    y, rise = 0.62, 0.09 * shot.smile - 0.01
    half, lips = who.mouth * (1 + 0.18 * shot.smile), who.lips
    rose = mix(
        mix(who.skin, (158, 62, 66), 0.42), darker((190, 44, 70), 0.4 + 0.6 * who.skin[0] / 255), 0.5 * who.makeup
    )
    gape = max(0.0, shot.smile - 0.5) * 0.24
    left, right = (-half, y - rise), (half, y - rise)
    bow = [left, (-half * 0.35, y - lips * 0.9), (0, y - lips * 0.6), (half * 0.35, y - lips * 0.9), right]
    low = [(half * 0.5, y + lips * 0.8 + gape), (0, y + lips * 1.15 + gape), (-half * 0.5, y + lips * 0.8 + gape)]
    canvas.soft(
        _facing(shot, ellipse(0, y + lips + gape + 0.07, half * 0.6, 0.035)),
        darker(who.skin, 0.62),
        0.5,
        0.03 * shot.scale,
    )
    canvas.fill(_facing(shot, spline(bow + low)), rose)
    shine = ellipse(0.04, y + lips * 0.75 + gape, half * 0.3, lips * 0.22)
    canvas.soft(_facing(shot, shine), (255, 236, 232), 0.4, 0.015 * shot.scale)
    seam = [left, (-half * 0.4, y + 0.01), (0, y + 0.02), (half * 0.4, y + 0.01), right]
    if gape > _TEETH_SHOW:
        inside = _facing(
            shot, spline([*seam, (half * 0.5, y + gape * 0.9), (0, y + gape * 1.2), (-half * 0.5, y + gape * 0.9)])
        )
        with canvas.clipped(inside) as mouth:
            mouth.fill(inside, (96, 30, 36))
            mouth.fill(_facing(shot, ellipse(0, y + gape * 0.1, half * 0.85, gape * 0.75)), (240, 234, 226))
    else:
        canvas.stroke(_facing(shot, spline(seam, closed=False)), darker(rose, 0.5), 0.022 * shot.scale)


def _beard(face: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    if who.beard not in {"full", "stubble", "goatee"}:
        return
    w = who.width
    cheek = [(-w * 1.1, 0.0), (-w * 0.86, 0.3), (-w * 0.62, 0.5), (-0.3, 0.48), (0, 0.46), (0.3, 0.48), (w * 0.62, 0.5)]
    jaw = [(w * 0.86, 0.3), (w * 1.1, 0.0), (w * 1.1, 0.9), (0, 1.2), (-w * 1.1, 0.9)]
    shape = spline(cheek + jaw, per=5)
    if who.beard == "goatee":
        shape = spline([(-0.22, 0.74), (0, 0.78), (0.22, 0.74), (0.26, 0.95), (0, 1.1), (-0.26, 0.95)])
    full = who.beard != "stubble"
    tone = mix(who.hair, who.skin, 0.1)
    face.soft(_facing(shot, shape), tone, 0.92 if full else 0.4, 0.04 * shot.scale)
    if who.beard == "full":
        for x, y in rng.uniform((-0.7, 0.55), (0.7, 1.0), (90, 2)):
            hair = np.array([(x, y), (x * 1.04, y + 0.1)])
            face.stroke(_facing(shot, hair), darker(tone, rng.uniform(0.6, 1.5)), 1)


def _moustache(canvas: Canvas, who: Person, shot: Shot) -> None:
    half = who.mouth * 1.05
    shape = [
        (-half, 0.6),
        (-half * 0.4, 0.47),
        (0, 0.49),
        (half * 0.4, 0.47),
        (half, 0.6),
        (half * 0.4, 0.56),
        (0, 0.54),
        (-half * 0.4, 0.56),
    ]
    canvas.soft(_facing(shot, spline(shape)), darker(who.hair, 0.95), 0.92, 0.012 * shot.scale)


def _glasses(canvas: Canvas, who: Person, shot: Shot) -> None:
    frame: Colour = (36, 30, 34) if who.age < _DARK_FRAME_AGE else (150, 110, 70)
    half = who.eye_gap * 0.8
    for side in (-1, 1):
        lens = ellipse(side * who.eye_gap, 0.06, half, half * (0.95 if who.glasses == "round" else 0.7))
        if who.glasses != "round":
            lens = spline(
                np.array([(-1, -0.8), (0, -0.9), (1, -0.8), (0.85, 0.6), (0, 0.85), (-0.85, 0.6)]) * half
                + (side * who.eye_gap, 0.06)
            )
        rim = _facing(shot, lens)
        if who.glasses == "sun":
            canvas.fill(rim, (34, 32, 40))
            canvas.soft(
                _facing(shot, ellipse(side * who.eye_gap - 0.08, -0.04, 0.07, 0.12, 30)),
                (170, 190, 220),
                0.6,
                0.03 * shot.scale,
            )
        else:
            canvas.soft(rim, (230, 240, 250), 0.14, 1.0)
        canvas.stroke(rim, frame, 0.04 * shot.scale, closed=True)
        arm = np.array([(side * (who.eye_gap + half), 0.0), (side * who.width * 1.0, -0.02)])
        canvas.stroke(_facing(shot, arm), frame, 0.04 * shot.scale)
    nose = spline([(-who.eye_gap + half, 0.04), (0, -0.02), (who.eye_gap - half, 0.04)], closed=False)
    canvas.stroke(_facing(shot, nose), frame, 0.04 * shot.scale)
