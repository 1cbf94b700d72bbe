"""The parts that all applications on a phone show: bars, icons, faces of other people, lines of text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edits.base import Scene
from edits.tools import Colour, colour_of, cover, jpeg, paste_rounded, scaled
from edits.words import face

if TYPE_CHECKING:
    import random

SIZES = ((1080, 2340), (1080, 2400), (720, 1600), (750, 1334), (828, 1792))
LEFTOVER = ((1.0, 1.0, 90), (0.55, 0.75, 75), (0.36, 0.45, 50))
"""By strength: the least and greatest scale at which a screenshot is passed on, and its JPEG quality."""


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of an application: ground, a raised surface, ink, weak ink and the colour of its buttons."""

    ground: Colour
    raised: Colour
    ink: Colour
    weak: Colour
    accent: Colour


LIGHT = ((255, 255, 255), (241, 242, 245), (20, 20, 24), (130, 134, 140))
DARK = ((14, 16, 20), (38, 41, 48), (240, 240, 242), (140, 145, 152))


@dataclass(slots=True)
class Screen:
    """A screen being drawn; all lengths are in units of 1/360 of its width, as designers count."""

    canvas: Image.Image
    pen: ImageDraw.ImageDraw
    theme: Theme
    scene: Scene

    @property
    def rng(self) -> random.Random:
        return self.scene.rng

    @property
    def unit(self) -> float:
        return self.canvas.width / 360

    @property
    def height(self) -> float:
        return self.canvas.height / self.unit

    def box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self.unit, top * self.unit, right * self.unit, bottom * self.unit

    def block(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0) -> None:
        self.pen.rounded_rectangle(self.box(left, top, right, bottom), radius=radius * self.unit, fill=colour)

    def circle(self, x: float, y: float, radius: float, colour: Colour, line: float = 0) -> None:
        """A disc, or a ring of some width."""
        box = self.box(x - radius, y - radius, x + radius, y + radius)
        if line:
            self.pen.ellipse(box, outline=colour, width=max(1, round(line * self.unit)))
        else:
            self.pen.ellipse(box, fill=colour)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float = 1.6) -> None:
        scaled_points = [(x * self.unit, y * self.unit) for x, y in points]
        self.pen.line(scaled_points, fill=colour, width=max(1, round(width * self.unit)), joint="curve")

    def text(self, x: float, y: float, text: str, size: float, colour: Colour, anchor: str = "lm") -> None:
        """One line; the anchor is Pillow's, by default the middle of the left side."""
        font = face(max(6, round(size * self.unit)))
        self.pen.text((x * self.unit, y * self.unit), text, fill=colour, font=font, anchor=anchor)

    def bold(self, x: float, y: float, text: str, size: float, colour: Colour, anchor: str = "lm") -> None:
        font, stroke = face(max(6, round(size * self.unit))), max(1, round(size * self.unit / 28))
        place = x * self.unit, y * self.unit
        self.pen.text(place, text, fill=colour, font=font, anchor=anchor, stroke_width=stroke, stroke_fill=colour)

    def picture(
        self, picture: Image.Image, left: float, top: float, width: float, height: float, radius: float = 0
    ) -> None:
        """A picture cropped to fill a cell."""
        part = cover(picture, width * self.unit, height * self.unit)
        paste_rounded(self.canvas, part, (left * self.unit, top * self.unit), radius * self.unit)

    def avatar(self, x: float, y: float, radius: float, picture: Image.Image | None = None) -> None:
        """A round face, of someone else unless a picture is given."""
        shown = picture if picture is not None else self.rng.choice(self.scene.others)
        self.picture(shown, x - radius, y - radius, 2 * radius, 2 * radius, radius)


def new_screen(scene: Scene) -> Screen:
    """An empty screen of one of the usual sizes, light or dark, with its status bar."""
    rng = scene.rng
    dark = rng.random() < 0.45
    ground, raised, ink, weak = DARK if dark else LIGHT
    theme = Theme(ground, raised, ink, weak, colour_of(rng, (0.6, 0.95, 0.75, 0.95)))
    canvas = Image.new("RGB", rng.choice(SIZES), ground)
    screen = Screen(canvas, ImageDraw.Draw(canvas), theme, scene)
    status_bar(screen, ink)
    return screen


def status_bar(screen: Screen, ink: Colour) -> None:
    """Time, reception and battery."""
    rng = screen.rng
    screen.text(18, 14, f"{rng.randint(0, 23)}:{rng.randint(0, 59):02}", 12, ink)
    for bar in range(4):
        screen.block(284 + 4 * bar, 18 - 2.4 * (bar + 1), 287 + 4 * bar, 18, ink)
    fan = screen.box(303, 8, 319, 24)
    screen.pen.pieslice(fan, 225, 315, fill=ink)
    screen.pen.rounded_rectangle(screen.box(324, 9, 344, 19), radius=2 * screen.unit, outline=ink, width=2)
    screen.block(326, 11, 326 + 16 * rng.uniform(0.2, 1), 17, ink)


def bottom_bar(screen: Screen, icons: int = 5) -> None:
    """The row of pages of the application, and the line to swipe."""
    top = screen.height - 62
    screen.block(0, top, 360, screen.height, screen.theme.ground)
    screen.line([(0, top), (360, top)], screen.theme.raised, 1)
    chosen = screen.rng.randrange(icons)
    for number in range(icons):
        colour = screen.theme.accent if number == chosen else screen.theme.weak
        icon(screen, ICONS[number % len(ICONS)], 360 * (number + 0.5) / icons, top + 24, 10, colour)
    screen.block(125, screen.height - 8, 235, screen.height - 5, screen.theme.ink, 1.5)


ICONS = ("home", "search", "plus", "heart", "person")


def icon(screen: Screen, name: str, x: float, y: float, radius: float, colour: Colour) -> None:
    """A small sign drawn with lines: the ones of ``ICONS``, ``back``, ``dots``, ``bubble``, ``send``, ``cross``."""
    at = {
        "home": [(-1, 0), (0, -1), (1, 0), (0.75, 0), (0.75, 0.9), (-0.75, 0.9), (-0.75, 0), (-1, 0)],
        "plus": [(-0.8, 0), (0.8, 0), (0, 0), (0, -0.8), (0, 0.8)],
        "back": [(0.4, -0.8), (-0.4, 0), (0.4, 0.8)],
        "bubble": [(-0.9, -0.7), (0.9, -0.7), (0.9, 0.5), (0, 0.5), (-0.5, 1), (-0.5, 0.5), (-0.9, 0.5), (-0.9, -0.7)],
        "send": [(-0.9, -0.8), (1, 0), (-0.9, 0.8), (-0.5, 0), (-0.9, -0.8)],
        "cross": [(-0.7, -0.7), (0.7, 0.7), (0, 0), (-0.7, 0.7), (0.7, -0.7)],
        "search": [(0.3, 0.3), (0.95, 0.95)],
        "heart": [(0, 0.9), (-0.95, -0.1), (-0.6, -0.8), (0, -0.35), (0.6, -0.8), (0.95, -0.1), (0, 0.9)],
    }
    if name in at:
        screen.line([(x + radius * right, y + radius * down) for right, down in at[name]], colour)
    if name == "search":
        screen.circle(x - radius * 0.2, y - radius * 0.2, radius * 0.65, colour, 1.6)
    elif name == "person":
        screen.circle(x, y - radius * 0.4, radius * 0.45, colour)
        screen.pen.pieslice(
            screen.box(x - radius, y + radius * 0.15, x + radius, y + radius * 2), 180, 360, fill=colour
        )
    elif name == "dots":
        for step in (-0.7, 0, 0.7):
            screen.circle(x, y + radius * step, radius * 0.16, colour)


def heart(screen: Screen, x: float, y: float, radius: float, colour: Colour) -> None:
    """A filled heart."""
    points = []
    for step in range(40):
        turn = math.tau * step / 40
        down = 13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn)
        points.append(((x + radius * math.sin(turn) ** 3) * screen.unit, (y - radius * down / 16) * screen.unit))
    screen.pen.polygon(points, fill=colour)


def passed_on(screen: Screen, strength: int) -> Image.Image:
    """The screenshot as it arrives: fresh, or made smaller and saved again on its way."""
    least, greatest, quality = LEFTOVER[strength]
    return jpeg(scaled(screen.canvas, screen.rng.uniform(least, greatest)), quality)
