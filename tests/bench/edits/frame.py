"""The whole picture with something round it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from edits.base import Edit
from edits.tools import PASTEL, colour_of, contain, cover, gradient, paste_rounded, plain_colour, scaled, turned
from edits.words import PHRASES, face, fitting

if TYPE_CHECKING:
    from edits.base import Scene

STORY = 16 / 9
"""How much higher than wide a story is."""


def framed(picture: Image.Image, share: float, scene: Scene) -> Image.Image:
    """A border of one colour, often with a thin line of another in it."""
    border = round(share * max(picture.size))
    canvas = Image.new("RGB", (picture.width + 2 * border, picture.height + 2 * border), plain_colour(scene.rng))
    canvas.paste(picture, (border, border))
    if scene.rng.random() < 0.6:
        inset = border * scene.rng.uniform(0.3, 0.8)
        box = (inset, inset, canvas.width - 1 - inset, canvas.height - 1 - inset)
        ImageDraw.Draw(canvas).rectangle(box, outline=colour_of(scene.rng), width=max(1, border // 8))
    return canvas


def _framed(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return framed(picture, (0.03, 0.08, 0.16)[strength] * scene.rng.uniform(0.85, 1.15), scene)


def _polaroid(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """White paper, wide below, with a line of handwriting; heavier: cut square first, then laid askew."""
    part = picture if strength == 0 else cover(picture, min(picture.size), min(picture.size))
    border, foot = round(part.width * 0.06), round(part.width * scene.rng.uniform(0.2, 0.26))
    paper = Image.new("RGB", (part.width + 2 * border, part.height + border + foot), (250, 248, 243))
    paper.paste(part, (border, border))
    text = scene.rng.choice(PHRASES)
    size = fitting(text, part.width * 0.9, foot * 0.4)
    middle = paper.width / 2, paper.height - foot / 2
    ImageDraw.Draw(paper).text(middle, text, fill=(50, 50, 80), font=face(size), anchor="mm")
    if strength < 2:
        return paper
    angle = scene.rng.choice((-1, 1)) * scene.rng.uniform(3, 7)
    return turned(paper, angle, colour_of(scene.rng, PASTEL))


def _story(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The picture whole on a high canvas filled with a blurred copy of itself, as phones do for stories."""
    width = (480, 540, 720)[strength]
    height = round(width * STORY)
    small = cover(picture, width // 8, height // 8).filter(ImageFilter.GaussianBlur(width / 200))
    canvas = ImageEnhance.Brightness(small.resize((width, height), Image.Resampling.BICUBIC)).enhance(0.75)
    share = (1, 0.86, 0.66)[strength] * scene.rng.uniform(0.95, 1)
    middle = contain(picture, width * share, height * share)
    top = (height - middle.height) * (0.5 + scene.rng.uniform(-0.3, 0.3) * (strength > 0))
    canvas.paste(middle, ((width - middle.width) // 2, round(top)))
    return canvas


def _rounded(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Round corners on a colour or on two going over into each other."""
    share = (0.03, 0.07, 0.12)[strength] * scene.rng.uniform(0.85, 1.15)
    size = round(picture.width * (1 + 2 * share)), round(picture.height + picture.width * 2 * share)
    canvas = gradient(size, colour_of(scene.rng), colour_of(scene.rng, PASTEL), scene.rng.uniform(0, 3))
    place = (size[0] - picture.width) / 2, (size[1] - picture.height) / 2
    paste_rounded(canvas, scaled(picture, 1), place, min(picture.size) * (0.06, 0.12, 0.22)[strength])
    return canvas


EDITS = (
    Edit("frame", "frame", _framed),
    Edit("polaroid", "frame", _polaroid),
    Edit("story", "frame", _story),
    Edit("rounded-corners", "frame", _rounded),
)
