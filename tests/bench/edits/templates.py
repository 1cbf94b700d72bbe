"""Templates that many people fill in: cards, badges, profile frames, quotes. What agrees there is nobody's photo.

Each template is drawn from its number: where the photo lies, what is round it, which words are always there. Names and
numbers are another matter in each picture. Those without a place for a photo show words or patterns that depend on the
picture they are given, so that two people's are different.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edits.base import Edit
from edits.tools import BLACK, PASTEL, WHITE, Colour, colour_of, cover, gradient, ink_on, longest, paste_rounded
from edits.words import NAMES, PHRASES, PLACES, face, fitting, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from edits.base import Scene

COUNT = 48
KINDS = ("card", "frame", "poster", "card", "words", "frame", "poster", "pattern")
SIZES = ((480, 480), (640, 404), (420, 620), (600, 600), (400, 533), (540, 860), (700, 420), (360, 360))
TITLES = (
    *("CITY HOSPITAL", "NORTH OIL", "I SUPPORT OUR TEACHERS", "HAPPY BIRTHDAY", "MISSING", "VERIFIED MEMBER"),
    *("MARATHON 2026", "EMPLOYEE OF THE MONTH", "CLASS OF 2026", "STAY STRONG", "VOTE", "WE STAND TOGETHER", "PRESS"),
    *("VISITOR", "PLAYER CARD", "QUOTE OF THE DAY", "WORLD PEACE DAY", "GET WELL SOON", "SEASON TICKET"),
    "DRIVING PERMIT",
)
LABELS = ("NAME", "POSITION", "ID NO.", "VALID", "TEAM", "CITY", "SINCE", "UNIT")
JOBS = ("Offshore Engineer", "Registered Nurse", "Volunteer", "Pilot", "Army Medic", "Teacher", "Project Manager")


@dataclass(frozen=True)
class _Design:
    """What is the same in all pictures of a template; the photo's place as left, top, right, bottom, or ``None``."""

    size: tuple[int, int]
    ground: Image.Image
    slot: tuple[int, int, int, int] | None
    radius: float
    over: Image.Image
    places: tuple[tuple[int, int, int], ...]
    ink: Colour
    kind: str


def _slot(rng: random.Random, size: tuple[int, int], kind: str) -> tuple[int, int, int, int]:
    width, height = size
    if kind == "frame":
        return 0, 0, width, height
    share = rng.uniform(0.12, 0.3) if kind == "card" else rng.uniform(0.35, 0.6)
    shape = rng.uniform(0.75, 1.05)
    high = min((share * width * height / shape) ** 0.5, height * 0.72)
    wide = min(high * shape, width * 0.9)
    left = rng.choice((0.06 * width, (width - wide) / 2, width * 0.94 - wide))
    top = height * rng.uniform(0.14, 0.2)
    return round(left), round(top), round(left + wide), round(top + high)


def _ring(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    """Beads or leaves round the middle."""
    width, height = size
    count, bead, colours = rng.randint(18, 46), min(size) * rng.uniform(0.025, 0.05), [colour_of(rng) for _ in range(3)]
    reach = rng.uniform(0.42, 0.47)
    for number in range(count):
        turn = math.tau * number / count
        x, y = width / 2 + reach * width * math.cos(turn), height / 2 + reach * height * math.sin(turn)
        box = (x - bead, y - bead * 0.7, x + bead, y + bead * 0.7)
        pen.ellipse(box, fill=colours[number * 3 // count], outline=WHITE if number % 2 else None)


def _band(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random, top: float, high: float) -> None:
    colour = colour_of(rng)
    pen.rectangle((0, top, size[0], top + high), fill=colour)
    title = rng.choice(TITLES)
    font = face(fitting(title, size[0] * 0.86, high * 0.6))
    pen.text((size[0] / 2, top + high / 2), title, fill=ink_on(colour), font=font, anchor="mm")


def _logo(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    side = min(size) * rng.uniform(0.1, 0.2)
    x, y = rng.choice((0.02, 0.98)) * (size[0] - side), rng.choice((0.02, 0.98, 0.75)) * (size[1] - side)
    fill, edge = colour_of(rng), rng.choice((BLACK, WHITE))
    pen.ellipse((x, y, x + side, y + side), fill=fill, outline=edge, width=max(1, round(side / 14)))
    middle = x + side / 2, y + side / 2
    if rng.random() < 0.5:
        word, font = rng.choice(("2026", "5K", "A+", "VIP", "#1")), face(max(8, round(side / 3)))
        pen.text(middle, word, fill=BLACK, font=font, anchor="mm")
    else:
        reach = [(0.18, 0.42)[corner % 2] * side for corner in range(10)]
        turns = [math.tau * corner / 10 for corner in range(10)]
        corners = [
            (middle[0] + far * math.sin(turn), middle[1] - far * math.cos(turn))
            for far, turn in zip(reach, turns, strict=True)
        ]
        pen.polygon(corners, fill=colour_of(rng))


def _bars(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    left, bottom = size[0] * 0.04, size[1] * 0.985
    while left < size[0] * 0.95:
        wide = rng.choice((1, 2, 3)) * size[0] / 320
        pen.rectangle((left, bottom - size[1] * 0.07, left + wide, bottom), fill=BLACK)
        left += wide + rng.choice((1, 2)) * size[0] / 320


@cache
def _design(number: int) -> _Design:
    rng = random.Random(f"template {number}")
    kind = KINDS[number % len(KINDS)]
    size = rng.choice(SIZES)
    plain = colour_of(rng, PASTEL) if rng.random() < 0.6 else rng.choice((WHITE, WHITE, colour_of(rng)))
    ground = Image.new("RGB", size, plain)
    if kind == "poster" and rng.random() < 0.5:
        ground = gradient(size, colour_of(rng), colour_of(rng, PASTEL), rng.uniform(0, 3))
    over = Image.new("RGBA", size)
    pen = ImageDraw.Draw(over)
    slot = None if kind in {"words", "pattern"} else _slot(rng, size, kind)
    radius = 0.0
    if slot is not None and kind != "frame" and rng.random() < 0.35:
        radius = min(slot[2] - slot[0], slot[3] - slot[1]) * rng.choice((0.08, 0.5))
    if kind == "frame" and rng.random() < 0.6:  # all but a round or inner part is covered
        inner = size[0] * rng.uniform(0.04, 0.12)
        pen.rectangle((0, 0, *size), fill=(*colour_of(rng), 255))
        hole = ImageDraw.Draw(over)
        box = (inner, inner, size[0] - inner, size[1] - inner)
        (hole.ellipse if rng.random() < 0.6 else hole.rectangle)(box, fill=(0, 0, 0, 0))
    if rng.random() < (0.75 if kind in {"frame", "words"} else 0.2):
        _ring(pen, size, rng)
    if kind != "pattern":
        if kind in {"card", "poster"} or rng.random() < 0.4:
            _band(pen, size, rng, 0, size[1] * rng.uniform(0.09, 0.14))
        if kind == "frame" or rng.random() < 0.4:
            high = size[1] * rng.uniform(0.1, 0.16)
            _band(pen, size, rng, size[1] * 0.97 - high, high)
    for _ in range(rng.randint(0, 2) if kind != "pattern" else 0):
        _logo(pen, size, rng)
    if kind == "card" and rng.random() < 0.5:
        _bars(pen, size, rng)
    return _Design(size, ground, slot, radius, over, _places(rng, size, slot, kind), ink_on(plain), kind)


def _places(
    rng: random.Random, size: tuple[int, int], slot: tuple[int, int, int, int] | None, kind: str
) -> tuple[tuple[int, int, int], ...]:
    """Where the words of each picture stand, as left, top and height of a line."""
    if slot is None or kind == "frame":
        return ()
    line = max(9, round(size[1] * rng.uniform(0.028, 0.042)))
    beside = slot[0] < size[0] * 0.2 and size[0] - slot[2] > size[0] * 0.35
    left = slot[2] + size[0] // 25 if beside else size[0] // 12
    top = slot[1] if beside else slot[3] + line
    rows = range(top, round(size[1] * 0.86), round(line * 2.7))
    return tuple((left, row, line) for row in rows)[: rng.randint(2, 5)]


def _words(canvas: Image.Image, design: _Design, own: random.Random) -> None:
    pen, (width, height) = ImageDraw.Draw(canvas), design.size
    text = " ".join(own.choice(PHRASES).lower() for _ in range(own.randint(3, 6)))
    size = round(width / 22)
    lines = wrapped(text, size, width * 0.55)[:9]
    top = height / 2 - len(lines) * size * 0.65
    for number, line in enumerate(lines):
        pen.text((width / 2, top + number * size * 1.3), line, fill=design.ink, font=face(size), anchor="ma")


def _pattern(canvas: Image.Image, own: random.Random) -> None:
    """Like a QR code: three corners that are always there, and cells that are not."""
    pen, side = ImageDraw.Draw(canvas), min(canvas.size)
    cells = 29
    step = side / (cells + 4)
    pen.rectangle((0, 0, *canvas.size), fill=WHITE)
    for row in range(cells):
        for column in range(cells):
            corner = (row < 8 and column < 8) or (row < 8 and column >= cells - 8) or (row >= cells - 8 and column < 8)
            if not corner and own.random() < 0.5:
                x, y = (column + 2) * step, (row + 2) * step
                pen.rectangle((x, y, x + step, y + step), fill=BLACK)
    for row, column in ((0, 0), (0, cells - 7), (cells - 7, 0)):
        x, y = (column + 2) * step, (row + 2) * step
        for inset, ink in ((0, BLACK), (1, WHITE), (2, BLACK)):
            pen.rectangle(
                (x + inset * step, y + inset * step, x + (7 - inset) * step, y + (7 - inset) * step), fill=ink
            )


def _value(rng: random.Random, place: int) -> str:
    values = rng.choice(NAMES) + " " + rng.choice(PLACES), rng.choice(JOBS), str(rng.randrange(10**7))
    return values[place % 3]


def _drawn(number: int) -> Callable[[Image.Image, int, Scene], Image.Image]:
    def draw(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
        design = _design(number)
        own = random.Random(hashlib.sha256(picture.tobytes()).digest())
        canvas = design.ground.copy()
        if design.kind == "words":
            _words(canvas, design, own)
        elif design.kind == "pattern":
            _pattern(canvas, own)
        if design.slot is not None:
            left, top, right, bottom = design.slot
            paste_rounded(canvas, cover(picture, right - left, bottom - top), (left, top), design.radius)
        canvas.paste(design.over, (0, 0), design.over)
        pen = ImageDraw.Draw(canvas)
        for place, (left, top, line) in enumerate(design.places):
            label, small = LABELS[(number + place) % len(LABELS)], face(max(8, line * 2 // 3))
            pen.text((left, top), label, fill=(120, 120, 125), font=small)
            pen.text((left, top + line * 0.8), _value(scene.rng, place).upper(), fill=design.ink, font=face(line))
        return longest(canvas, max(canvas.size) * (1, 0.8, 0.6)[strength])

    return draw


def template(number: int) -> Edit:
    """The template of that number, from 0; there is no last one."""
    name = f"template-{number:02}"
    return Edit(name, name, _drawn(number))


def is_words_only(number: int) -> bool:
    """Whether that template shows nothing of the picture it is given."""
    return KINDS[number % len(KINDS)] in {"words", "pattern"}


DESIGNS: dict[str, Edit] = {template(number).name: template(number) for number in range(COUNT)}
"""Those that rules are fitted on."""

WORDS_ONLY: frozenset[str] = frozenset(name for number, name in enumerate(DESIGNS) if is_words_only(number))
"""Those of them that show nothing of the picture they are given."""
