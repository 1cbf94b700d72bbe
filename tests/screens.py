"""Pages that show photos, drawn: a profile with a round face, a grid of posts, a photo askew on a table."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from imgmatch.demo.portraits import portrait

SIZE = (540, 1170)
"""Of a screen, in pixels."""

FACE = (150, 330, 390, 570)
"""Where the round face is on :func:`profile`."""

QUAD = ((130.0, 60.0), (520.0, 150.0), (480.0, 640.0), (60.0, 540.0))
"""Where the corners of the photo are on :func:`askew`."""


def profile(face: Image.Image, seed: int = 0) -> Image.Image:
    """A white page: a banner, the face half over it with a ring around, lines of words, three friends in a row."""
    page = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(page)
    page.paste(fitted(portrait(900 + seed), (540, 450)), (0, 0))
    left, top, right, bottom = FACE
    pen.ellipse((left - 8, top - 8, right + 8, bottom + 8), fill="white")
    disc = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(disc).ellipse((0, 0, *disc.size), fill=255)
    page.paste(fitted(face, disc.size), (left, top), disc)
    words(pen, 620, 6)
    for place in range(3):
        page.paste(fitted(portrait(910 + 3 * seed + place), (150, 150)), (24 + 170 * place, 860))
    return page


def words(pen: ImageDraw.ImageDraw, top: int, lines: int) -> None:
    """So many lines of what looks like writing."""
    for line in range(lines):
        for word in range(5):
            left = 30 + 90 * word
            pen.rectangle((left, top + 34 * line, left + 60 - 7 * ((line + word) % 4), top + 34 * line + 14), fill=40)


def grid(pictures: list[Image.Image], columns: int, side: int = 180, gap: int = 0) -> Image.Image:
    """Square tiles, row by row."""
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (side + gap) - gap, rows * (side + gap) - gap), "white")
    for place, picture in enumerate(pictures):
        at = place % columns * (side + gap), place // columns * (side + gap)
        page.paste(fitted(picture, (side, side)), at)
    return page


def askew(picture: Image.Image, ground: int = 60) -> Image.Image:
    """A photo that lies slanted on a plain table, 600 by 700 pixels."""
    width, height = picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    onto = cv2.getPerspectiveTransform(corners, np.array(QUAD, np.float32))
    laid = cv2.warpPerspective(np.asarray(picture), onto, (600, 700), borderValue=(ground,) * 3)
    return Image.fromarray(np.asarray(laid, np.uint8))


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture, filling that size."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    grown = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (grown.width - size[0]) // 2, (grown.height - size[1]) // 2
    return grown.crop((left, top, left + size[0], top + size[1]))
