"""Writing on the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edits.base import Edit
from edits.tools import BLACK, WHITE, at_least, blended, colour_of, ink_on, plain_colour
from edits.words import PHRASES, SITES, face, fitting, hershey, lines_of

if TYPE_CHECKING:
    from edits.base import Scene

ROWS = 12
"""Text over a picture stands in so many rows, that lines do not hide each other."""


def captioned(picture: Image.Image, share: float, scene: Scene) -> Image.Image:
    """One line on a bar over the lowest part of the picture; the bar is solid or lets it shine through."""
    large = at_least(picture, 300)
    bar, colour = round(large.height * share), plain_colour(scene.rng)
    over = large.copy()
    over.paste(colour, (0, large.height - bar, large.width, large.height))
    under = Image.blend(large, over, scene.rng.choice((0.55, 0.75, 1.0)))
    text = scene.rng.choice(PHRASES)
    size = fitting(text, large.width * 0.92, bar * 0.55)
    middle = large.width / 2, large.height - bar / 2
    ImageDraw.Draw(under).text(middle, text, fill=ink_on(colour), font=face(size), anchor="mm")
    return under


def _caption(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return captioned(picture, (0.08, 0.14, 0.24)[strength] * scene.rng.uniform(0.9, 1.1), scene)


def _text_over(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """1, 4 or 10 lines in several places: printed letters with an outline, or the strokes of an old program."""
    large, count = at_least(picture, 300).copy(), (1, 4, 10)[strength]
    rows = scene.rng.sample(range(ROWS), count)
    for row, text in zip(rows, lines_of(scene.rng, count), strict=True):
        size = fitting(text, large.width * scene.rng.uniform(0.6, 0.95), large.height * 0.7 / ROWS)
        left = scene.rng.uniform(0.02, 0.98) * max(0.0, large.width - face(size).getlength(text))
        top = large.height * (row + scene.rng.uniform(0, 0.2)) / ROWS
        colour = scene.rng.choice((WHITE, BLACK, colour_of(scene.rng)))
        if scene.rng.random() < 0.3:
            large = hershey(large, text, (round(left), round(top + size)), face(size).getlength(text), colour)
        else:
            pen, edge = ImageDraw.Draw(large), max(1, size // 14)
            pen.text((left, top), text, colour, face(size), stroke_width=edge, stroke_fill=ink_on(colour))
    return large


def _watermark(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The owner's name again and again along a slant, half transparent."""
    large = at_least(picture, 300)
    text, side = scene.rng.choice(SITES), round(sum(large.size) * 0.75)
    size = max(10, round(max(large.size) * (0.03, 0.045, 0.07)[strength]))
    sheet = Image.new("L", (side, side))
    pen, step = ImageDraw.Draw(sheet), face(size).getlength(text) + size * (5, 3, 1.5)[strength]
    shade = round(255 * (0.22, 0.35, 0.55)[strength])
    for row in range(int(side / (size * 2.6)) + 1):
        for column in range(int(side / step) + 2):
            place = (column - (row % 2) / 2) * step, row * size * 2.6
            pen.text(place, text, fill=shade, font=face(size), stroke_width=strength // 2)
    turned = sheet.rotate(scene.rng.choice((-1, 1)) * scene.rng.uniform(20, 40), Image.Resampling.BILINEAR)
    left, top = (side - large.width) // 2, (side - large.height) // 2
    mask = turned.crop((left, top, left + large.width, top + large.height))
    ink = Image.new("RGB", large.size, scene.rng.choice((WHITE, WHITE, BLACK)))
    return blended(large, ink, mask)


def _date(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The orange stamp of a camera, in a corner."""
    large, rng = at_least(picture, 300), scene.rng
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2003, 2024)
    text = rng.choice((f"{day:02}.{month:02}.{year}", f"'{year % 100:02} {month:2} {day:2}", f"{year}/{month:02}"))
    if strength > 0:
        text += f" {rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    width = large.width * (0.28, 0.42, 0.65)[strength] * rng.uniform(0.9, 1.1)
    left = large.width * 0.96 - width if rng.random() < 0.75 else large.width * 0.04
    base = large.height * (0.96 if rng.random() < 0.8 else 0.1)
    return hershey(large, text, (round(left), round(base)), width, rng.choice(((255, 150, 30), (255, 220, 60))))


EDITS = (
    Edit("caption-bar", "caption", _caption),
    Edit("text-over", "caption", _text_over),
    Edit("watermark", "caption", _watermark),
    Edit("date-stamp", "caption", _date),
)
