"""The picture as a joke: big letters above it, or on it at top and bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edits.base import Edit
from edits.tools import BLACK, WHITE, at_least, scaled
from edits.words import PHRASES, SITES, face, wrapped

if TYPE_CHECKING:
    from edits.base import Scene


def _text(scene: Scene, phrases: int) -> str:
    return ". ".join(scene.rng.sample(PHRASES, phrases))


def _white_area(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Text on white above; heavier: more of it, and a foot with the name of a site."""
    large = at_least(picture, 360)
    size = round(large.width * (0.06, 0.07, 0.085)[strength])
    lines = wrapped(_text(scene, (1, 2, 4)[strength]), size, large.width * 0.92)
    head = round(size * (len(lines) * 1.3 + 1))
    foot = round(size * 1.4) if strength == 2 else 0
    ground, ink = scene.rng.choice(((WHITE, BLACK), (WHITE, BLACK), ((21, 32, 43), WHITE)))
    canvas = Image.new("RGB", (large.width, large.height + head + foot), ground)
    canvas.paste(large, (0, head))
    pen = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        pen.text(
            (large.width * 0.04, size * (0.5 + 1.3 * row)), line, fill=ink, font=face(size), stroke_width=size // 30
        )
    if foot:
        place = large.width * 0.96, canvas.height - foot / 2
        pen.text(place, scene.rng.choice(SITES), fill=ink, font=face(round(size * 0.6)), anchor="rm")
    return canvas


def _outlined(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """White capitals with a thick black edge over the top and the bottom of the picture."""
    canvas = scaled(at_least(picture, 360), 1)
    pen, size = ImageDraw.Draw(canvas), round(canvas.width * (0.08, 0.11, 0.15)[strength])
    for at_top in (True, False) if strength or scene.rng.random() < 0.5 else (False,):
        lines = wrapped(scene.rng.choice(PHRASES).upper(), size, canvas.width * 0.94)[:3]
        first = size * 0.3 if at_top else canvas.height - size * (len(lines) * 1.15 + 0.3)
        for row, line in enumerate(lines):
            place, edge = (canvas.width / 2, first + size * (1.15 * row + 0.5)), max(2, size // 9)
            pen.text(place, line, fill=WHITE, font=face(size), anchor="mm", stroke_width=edge, stroke_fill=BLACK)
            pen.text(place, line, fill=WHITE, font=face(size), anchor="mm", stroke_width=edge // 3)
    return canvas


EDITS = (
    Edit("meme-white-area", "meme", _white_area),
    Edit("meme-outlined", "meme", _outlined),
)
