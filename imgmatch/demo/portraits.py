"""Portraits of people who do not exist, drawn from a seed."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from imgmatch.demo.backgrounds import background
from imgmatch.demo.canvas import Canvas
from imgmatch.demo.clothes import draw_body
from imgmatch.demo.faces import draw_head
from imgmatch.demo.hair import draw_back_hair, draw_hair
from imgmatch.demo.hats import draw_hat
from imgmatch.demo.people import person, shot
from imgmatch.demo.shapes import box, clouds, ellipse, spline

_GRAIN_ROWS = 128


def portrait(seed: int, photo: int = 0) -> Image.Image:
    """Draws one photo of an invented person.

    Args:
        seed: which person; the same one looks the same on all their photos.
        photo: which photo of them: another place, other clothes, another pose.

    Returns:
        RGB, about 480 by 600 pixels, of varied shape. The same arguments always give the same pixels.
    """
    who = person(np.random.default_rng((seed, 0)))
    rng = np.random.default_rng((seed, 1, photo))
    scene = shot(rng, who)
    canvas = background(*scene.size, rng)
    draw_back_hair(canvas, who, scene, rng)
    draw_body(canvas, who, scene, rng)
    draw_head(canvas, who, scene, rng)
    if scene.hat != "scarf":
        draw_hair(canvas, who, scene, rng)
    draw_hat(canvas, who, scene)
    _develop(canvas, rng)
    return Image.fromarray(canvas.pixels)


def default_avatar() -> Image.Image:
    """The picture of accounts that have none: a grey bust on a patterned ground, RGB, 480 by 480 pixels."""
    side = 480
    canvas = Canvas.blank(side, side, (200, 204, 210))
    canvas.gradient((226, 229, 234), (168, 174, 184))
    for step, x in enumerate(range(-side, side, 48)):
        tone = 186.0 + 9 * (step % 4)
        band = np.array([(x, 0), (x + 24, 0), (x + side + 24, side), (x + side, side)], dtype=np.float64)
        canvas.soft(band, (tone, tone + 3, tone + 8), 0.7, 1.0)
    for radius in (232, 204):
        canvas.stroke(ellipse(240, 240, radius, radius), (240, 242, 246), 6, closed=True)
    with canvas.clipped(spline([(70, 490), (92, 390), (190, 336), (290, 336), (388, 390), (410, 490)])) as bust:
        bust.gradient((150, 156, 168), (96, 102, 116))
        bust.soft(ellipse(240, 330, 96, 44), (90, 96, 110), 0.7, 10)
        bust.soft(ellipse(130, 400, 26, 60, 30), (178, 183, 194), 0.7, 10)
    canvas.fill(box(204, 270, 276, 356), (112, 118, 130))
    head = ellipse(240, 206, 82, 100)
    with canvas.clipped(head) as face:
        face.gradient((150, 156, 168), (120, 126, 138))
        face.soft(ellipse(212, 160, 34, 42), (194, 198, 208), 0.8, 12)
        face.soft(ellipse(308, 240, 34, 80), (92, 98, 112), 0.8, 12)
    return Image.fromarray(canvas.pixels)


def _develop(canvas: Canvas, rng: np.random.Generator) -> None:
    """What the light and the camera add: direction, colour, vignette, a little blur, grain."""
    rows, columns = np.mgrid[-1:1:12j, -1:1:12j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.05, 0.2) * (np.cos(angle) * columns + np.sin(angle) * rows)
    corners = rng.uniform(0.04, 0.14) * (rows**2 + columns**2)
    dapple = 0.035 * clouds(rng, rows.shape, cells=3, octaves=3)
    small = (1.04 + slope - corners + dapple).astype(np.float32)
    field = np.asarray(
        cv2.resize(small, (canvas.width, canvas.height), interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )
    warmth = rng.uniform(-0.07, 0.07)
    cv2.GaussianBlur(canvas.pixels, (3, 3), rng.uniform(0.3, 0.7), canvas.pixels)
    tint = np.array([1 + warmth, 1 + 0.1 * warmth, 1 - warmth, 0.0])
    cv2.multiply(canvas.pixels, tint, canvas.pixels)
    grain = rng.standard_normal((_GRAIN_ROWS, canvas.width), dtype=np.float32)
    canvas.light(field, grain * np.float32(rng.uniform(0.01, 0.03)))
