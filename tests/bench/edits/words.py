"""Words that people put on pictures, and the two kinds of letters they are drawn with."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from PIL import Image, ImageFont

if TYPE_CHECKING:
    import random

    from edits.tools import Colour, Pixels

NAMES = ("Anna", "Mark", "Olga", "Daniel", "Lucy", "Victor", "Sofia", "James", "Elena", "Chris", "Maria", "Alex")
PLACES = ("Berlin", "Lagos", "London", "Kyiv", "Miami", "Accra", "Paris", "Dubai", "Austin", "Rome", "Manila")
PHRASES = (
    "Good morning everyone",
    "Living my best life",
    "Text me on Telegram",
    "Best day ever",
    "Looking for something real",
    "Weekend mood",
    "Never give up",
    "Only good vibes",
    "God is great",
    "New profile, old one blocked",
    "Coffee first",
    "Monday again",
    "When nobody is watching",
    "Call me maybe",
    "Love yourself first",
    "Happy birthday to me",
)
CHAT = (
    "Hi, how are you?",
    "Is that really you?",
    "Yes, taken last week",
    "Nice picture!",
    "Where are you now",
    "At home, and you?",
    "I was in the city today, it was so crowded that I went straight home",
    "Haha ok",
    "Send me another one please",
    "See you tomorrow then",
    "I will call you later when I am back from work",
    "Good night",
)
SITES = ("photoshare.example", "@best.moments", "STOCKPIX", "www.dates.example", "PREVIEW", "(c) studio nine")

AROUND = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))


@cache
def face(size: int) -> ImageFont.FreeTypeFont:
    """The letters that come with Pillow, of some height in pixels."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))


def lines_of(rng: random.Random, count: int) -> list[str]:
    return [rng.choice(PHRASES) for _ in range(count)]


def wrapped(text: str, size: int, width: float) -> list[str]:
    """The text in lines that fit into a width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if face(size).getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fitting(text: str, width: float, largest: float) -> int:
    """The largest size at which the text fits into the width."""
    size = max(8, round(largest))
    length = face(size).getlength(text)
    return size if length <= width else max(8, int(size * width / length))


def hershey(picture: Image.Image, text: str, place: tuple[int, int], width: float, colour: Colour) -> Image.Image:
    """The picture with a line of pen strokes of some width, its lower left corner at ``place``; outlined to be read."""
    values: Pixels = np.array(picture, dtype=np.uint8)
    (usual, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1, 1)
    scale = width / max(1, usual)
    pen = max(1, round(scale * 1.6))
    edge = (0, 0, 0) if sum(colour) > 380 else (255, 255, 255)
    reach = max(1, round(scale))
    for right, down in (*AROUND, (0, 0)):  # OpenCV 5 draws letters of one weight: a thicker pen would not outline them
        spot, ink = (place[0] + reach * right, place[1] + reach * down), edge if right or down else colour
        cv2.putText(values, text, spot, cv2.FONT_HERSHEY_DUPLEX, scale, ink, pen, cv2.LINE_AA)
    return Image.fromarray(values)
