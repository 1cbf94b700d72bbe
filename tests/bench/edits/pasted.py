"""The picture laid on something else: another person's picture, wood, paper, or a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageFilter

from edits.base import Edit
from edits.tools import PASTEL, colour_of, contain, cover, generator, gradient, image_of, longest, rounded_mask, turned

if TYPE_CHECKING:
    from edits.base import Scene

SHARES = ((0.5, 0.6), (0.38, 0.5), (0.25, 0.36))
"""By strength: the least and greatest length of the picture as a part of the background's."""


def wood(size: tuple[int, int], scene: Scene) -> Image.Image:
    """Boards: noise drawn out along one direction, with dark joints."""
    height, noise = size[1], generator(scene)
    fine = cv2.resize(
        noise.standard_normal((height // 2 + 1, 6), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC
    )
    broad = cv2.resize(noise.standard_normal((24, 4), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC)
    shade = np.asarray(1 + 0.06 * fine + 0.12 * broad)
    board = height / scene.rng.uniform(3, 6)
    shade[np.arange(height) % board < max(2, height / 250)] *= 0.45
    ground = np.array(scene.rng.choice(((150, 105, 65), (185, 145, 100), (95, 70, 55), (200, 190, 175))))
    return image_of(shade[..., None] * ground)


def cloth(size: tuple[int, int], scene: Scene) -> Image.Image:
    """A rough surface of one colour: paper, plaster or cloth."""
    width, height = size
    noise = generator(scene)
    grain = noise.standard_normal((height, width), dtype=np.float32)
    clouds = cv2.resize(noise.standard_normal((6, 6), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC)
    shade = 1 + 0.05 * cv2.GaussianBlur(grain, (0, 0), 1.2) * 2 + 0.06 * np.asarray(clouds)
    return image_of(np.asarray(shade)[..., None] * np.array(colour_of(scene.rng, PASTEL)))


def background(size: tuple[int, int], scene: Scene) -> Image.Image:
    kind = scene.rng.choice(("wood", "cloth", "gradient"))
    if kind == "wood":
        return wood(size, scene)
    if kind == "cloth":
        return cloth(size, scene)
    return gradient(size, colour_of(scene.rng), colour_of(scene.rng, PASTEL), scene.rng.uniform(0, 3))


def laid_on(ground: Image.Image, picture: Image.Image, share: float, degrees: float, scene: Scene) -> Image.Image:
    """The picture somewhere on the ground, at this share of its size, turned, with a soft shadow."""
    small = contain(picture, ground.width * share, ground.height * share)
    mask = rounded_mask(small.size, scene.rng.choice((0, 0.05)) * min(small.size))
    if degrees:
        small, mask = turned(small, degrees), turned(mask, degrees)
    place = tuple(
        round(max(0, room - part) * scene.rng.uniform(0.06, 0.94))
        for room, part in zip(ground.size, small.size, strict=True)
    )
    reach = max(2, round(max(ground.size) * 0.01))
    shadow = Image.new("L", ground.size)
    shadow.paste(mask.point([value * 0.6 for value in range(256)]), (place[0] + reach, place[1] + reach))
    canvas = Image.composite(Image.new("RGB", ground.size), ground, shadow.filter(ImageFilter.GaussianBlur(reach)))
    canvas.paste(small, (place[0], place[1]), mask)
    return canvas


def _on_picture(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """On another person's picture, mostly upright."""
    ground = longest(scene.rng.choice(scene.others), scene.rng.randint(640, 960))
    degrees = scene.rng.choice((0, 0, scene.rng.uniform(-8, 8)))
    return laid_on(ground, picture, scene.rng.uniform(*SHARES[strength]), degrees, scene)


def _on_ground(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """On wood, cloth or a gradient, mostly askew."""
    size = scene.rng.choice(((800, 800), (720, 960), (960, 640)))
    degrees = scene.rng.uniform(-10, 10) * (strength + 1) / 3
    return laid_on(background(size, scene), picture, scene.rng.uniform(*SHARES[strength]), degrees, scene)


def _inset(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """As in a video call: the picture fills the canvas and another person's stands in a corner of it."""
    share = (0.25, 0.34, 0.45)[strength] * scene.rng.uniform(0.9, 1.1)
    canvas = picture.copy()
    side = round(min(picture.size) * share)
    other = cover(scene.rng.choice(scene.others), side, side * 1.25)
    left = scene.rng.choice((side // 10, picture.width - side - side // 10))
    top = scene.rng.choice((side // 10, picture.height - other.height - side // 10))
    canvas.paste(other, (left, top), rounded_mask(other.size, side * 0.1))
    return canvas


EDITS = (
    Edit("pasted-on-picture", "pasted", _on_picture),
    Edit("pasted-on-ground", "pasted", _on_ground),
    Edit("video-call", "pasted", _inset),
)
