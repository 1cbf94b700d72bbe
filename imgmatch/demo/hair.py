"""Hair in many styles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.demo.shapes import Points, chance, darker, ellipse, mix, spline

if TYPE_CHECKING:
    from imgmatch.demo.canvas import Canvas
    from imgmatch.demo.people import Person, Shot

_LIFT = {"buzz": 0.03, "short": 0.13, "quiff": 0.3, "swept": 0.18, "curly": 0.2, "afro": 0.3}
_PAD = {"buzz": 0.02, "short": 0.06, "quiff": 0.05, "swept": 0.07, "curly": 0.14, "afro": 0.3}
_SHADES, _STRANDS = 7, 10
_LONG = {"bob": 0.95, "long": 2.1, "wavy": 1.9}


def draw_back_hair(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draws what hangs behind head and shoulders; call it before the body."""
    w = who.width
    if who.hairstyle in _LONG:
        low = _LONG[who.hairstyle]
        right = [(0, -1.16), (w * 0.85, -0.85), (w * 1.25, -0.1), (w * 1.35, low * 0.5), (w * 1.25, low)]
        shape = right + [(-x, y) for x, y in reversed(right[1:])]
        _lock(canvas, who, shot, rng, spline(shape), 0.72)
    elif who.hairstyle == "ponytail":
        side = 1.0 if shot.turn < 0 else -1.0
        shape = [
            (side * 0.4, -0.8),
            (side * 1.15, -0.5),
            (side * 1.3, 0.5),
            (side * 1.1, 1.5),
            (side * 0.9, 0.6),
            (side * 0.6, -0.2),
        ]
        _lock(canvas, who, shot, rng, spline(shape), 0.8)
    elif who.hairstyle == "bun" and not shot.hat:
        _lock(canvas, who, shot, rng, ellipse(0.1 * shot.turn, -1.24, 0.4, 0.34), 0.9)
    elif who.hairstyle == "afro":
        _curls(canvas, who, shot, rng, 1.0, 0.75)


def draw_hair(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Draws what lies over the head; call it after the face."""
    if who.hairstyle == "buzz":
        canvas.soft(shot.place(_crown(who, rng)), darker(who.hair, 0.9), 0.8, 0.035 * shot.scale)
    elif who.hairstyle != "bald":
        crown = _crown(who, rng)
        canvas.soft(shot.place(crown + np.array((0, 0.06))), darker(who.skin, 0.45), 0.5, 0.05 * shot.scale)
        _lock(canvas, who, shot, rng, crown, 1.0)
        if who.hairstyle in {"curly", "afro"} and not shot.hat:
            _curls(canvas, who, shot, rng, 0.55, 1.0)
    else:
        canvas.soft(shot.place(ellipse(-0.15 * shot.turn, -0.72, 0.22, 0.1)), (255, 250, 240), 0.4, 0.07 * shot.scale)
    if who.hairstyle in _LONG:
        _curtains(canvas, who, shot, rng)


def _crown(who: Person, rng: np.random.Generator) -> Points:
    """The hair on top: over the skull and back along the hairline, in head units."""
    pad, lift = _PAD.get(who.hairstyle, 0.07), _LIFT.get(who.hairstyle, 0.14)
    reach = 108 if who.hairstyle in {"short", "buzz", "quiff", "swept"} else 96
    angle = np.radians(np.linspace(-reach, reach, 15))
    push = 1 + (rng.uniform(-0.02, 0.03, angle.size) if who.hairstyle != "buzz" else 0)
    lean = 0.12 * np.cos(angle) ** 2 if who.hairstyle in {"quiff", "swept"} else 0.0
    over = np.stack(
        [
            (who.width + pad) * np.sin(angle) * push + lean,
            -(1 + lift * np.cos(angle).clip(0) ** 0.6) * np.cos(angle) * push,
        ],
        axis=1,
    )
    line = np.array(_hairline(who, rng))
    return spline(np.concatenate([over, line + rng.uniform(-0.03, 0.03, line.shape)]), per=4)


def _hairline(who: Person, rng: np.random.Generator) -> list[tuple[float, float]]:
    """From ear to ear: a fringe, a parting, or neither."""
    edge = who.width * 0.97
    part = rng.uniform(-0.25, 0.25)
    if chance(rng, 0.3) and who.hairstyle in {"bob", "long", "bun", "ponytail", "short"}:
        return [
            (edge, 0.02),
            (edge * 0.86, -0.3),
            (0.35, -0.36),
            (0, -0.34),
            (-0.35, -0.38),
            (-edge * 0.86, -0.3),
            (-edge, 0.02),
        ]
    if who.hairstyle in {"swept", "bob", "long", "wavy"}:
        return [
            (edge, 0.1),
            (edge * 0.92, -0.3),
            (part + 0.3, -0.66),
            (part, -0.84),
            (part - 0.3, -0.64),
            (-edge * 0.92, -0.3),
            (-edge, 0.1),
        ]
    return [
        (edge, 0.05),
        (edge * 0.88, -0.38),
        (0.4, -0.6),
        (0, -0.58),
        (-0.4, -0.62),
        (-edge * 0.88, -0.38),
        (-edge, 0.05),
    ]


def _lock(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator, shape: Points, tone: float) -> None:
    """A mass of hair with strands that run from its top outwards, and a sheen."""
    base = darker(who.hair, tone)
    outline = shot.place(shape)
    top = shape[np.argmin(shape[:, 1])] * (0.6, 0.92)
    with canvas.clipped(outline) as hair:
        hair.fill(outline, base)
        for share in np.linspace(0.55, 1.6, _SHADES):
            lines = shot.place(_strands(rng, shape, top).reshape(-1, 2)).reshape(_STRANDS, -1, 2)
            hair.strands(lines, darker(mix(base, (120, 90, 70), 0.12), share), rng.uniform(0.01, 0.03) * shot.scale)
        gloss = ellipse(-0.25 * np.sign(shot.turn), -0.82, 0.4, 0.08, 14)
        hair.soft(shot.place(gloss), mix(base, (255, 236, 214), 0.5), 0.5, 0.05 * shot.scale)


def _strands(rng: np.random.Generator, shape: Points, top: Points) -> Points:
    """Bowed lines from the top to points of the edge, shape ``(strands, points, 2)``."""
    ends = rng.choice(shape, _STRANDS)
    starts = top + rng.uniform(-0.2, 0.2, ends.shape)
    bow = rng.uniform(-0.1, 0.1, ends.shape) + np.stack([0.12 * np.sign(ends[:, 0]), np.full(_STRANDS, -0.08)], axis=1)
    t = np.linspace(0, 1, 9)[None, :, None]
    return np.asarray(starts[:, None] * (1 - t) + ends[:, None] * t + 4 * t * (1 - t) * bow[:, None], dtype=np.float64)


def _curls(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator, depth: float, tone: float) -> None:
    """Many small coils round the skull; ``depth`` is how far down the sides they go."""
    pad = _PAD[who.hairstyle]
    for _ in range(130):
        angle = rng.uniform(-1, 1) * (1.25 + 0.6 * depth)
        out = rng.uniform(0.9, 1.05 + pad) if depth < 1 else rng.uniform(0.7, 1.12 + pad)
        x, y = (who.width + pad * 0.7) * np.sin(angle) * out, -1.02 * np.cos(angle) * out
        size = rng.uniform(0.05, 0.11)
        shade = darker(mix(who.hair, (120, 90, 70), 0.1), tone * rng.uniform(0.6, 1.45))
        canvas.fill(shot.place(ellipse(x, y, size, size)), shade)


def _curtains(canvas: Canvas, who: Person, shot: Shot, rng: np.random.Generator) -> None:
    """Long hair that falls in front of the ears."""
    w, low = who.width, _LONG[who.hairstyle]
    wave = 0.1 if who.hairstyle == "wavy" else 0.02
    for side in (-1, 1):
        inner = [(0.78 * w, -0.5), (0.9 * w, 0.1), ((0.84 + wave) * w, 0.55), ((0.95 - wave) * w, low * 0.75)]
        outer = [(1.1 * w, low), ((1.4 + wave) * w, low * 0.7), ((1.25 - wave) * w, 0.3), (1.12 * w, -0.4)]
        _lock(canvas, who, shot, rng, spline(np.array(inner + outer) * (side, 1), per=6), 1.0)
