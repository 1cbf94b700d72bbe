"""Screenshots where the picture is a message, a post, or open in a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edits.base import Edit
from edits.phone import bottom_bar, heart, icon, new_screen, passed_on, status_bar
from edits.tools import BLACK, WHITE, colour_of, contain, paste_rounded
from edits.words import CHAT, NAMES, PHRASES, PLACES, face, wrapped

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene
    from edits.phone import Screen

LETTERS = 14

Box = tuple[int, int, int, int]


def _clock(screen: Screen) -> str:
    return f"{screen.rng.randint(8, 23)}:{screen.rng.randint(0, 59):02}"


def _bubble(screen: Screen, top: float, *, mine: bool) -> float:
    """A message of one to three lines; where the next one begins."""
    size = max(6, round(LETTERS * screen.unit))
    lines = wrapped(screen.rng.choice(CHAT), size, 220 * screen.unit)
    width = max(60, *(face(size).getlength(line) / screen.unit for line in lines)) + 24
    height, left = 20 * len(lines) + 22, 350 - width if mine else 10
    ground = screen.theme.accent if mine else screen.theme.raised
    screen.block(left, top, left + width, top + height, ground, 12)
    for row, line in enumerate(lines):
        screen.text(left + 12, top + 16 + 20 * row, line, LETTERS, WHITE if mine else screen.theme.ink)
    screen.text(left + width - 10, top + height - 8, _clock(screen), 9, WHITE if mine else screen.theme.weak, "rm")
    return top + height + 8


def _photo_bubble(screen: Screen, picture: Image.Image, top: float, width: float, *, mine: bool) -> float:
    """The picture whole in a bubble, with the time on it."""
    inner = contain(picture, width * screen.unit, width * 1.4 * screen.unit)
    wide, high = inner.width / screen.unit, inner.height / screen.unit
    left = 347 - wide - 3 if mine else 13
    screen.block(
        left - 3, top, left + wide + 3, top + high + 6, screen.theme.accent if mine else screen.theme.raised, 12
    )
    paste_rounded(screen.canvas, inner, (left * screen.unit, (top + 3) * screen.unit), 10 * screen.unit)
    screen.block(left + wide - 44, top + high - 18, left + wide - 6, top + high - 3, (70, 70, 70), 7)
    screen.text(left + wide - 25, top + high - 10.5, _clock(screen), 10, WHITE, "mm")
    return top + high + 14


def _chat(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The picture sent in a conversation; heavier: narrower, with more talk above it."""
    screen, rng = new_screen(scene), scene.rng
    wall = screen.theme.ground if rng.random() < 0.5 else None
    if wall is None and screen.theme.ground == WHITE:
        screen.block(0, 68, 360, screen.height, colour_of(rng, (0.06, 0.16, 0.88, 0.96)))
    icon(screen, "back", 20, 46, 9, screen.theme.ink)
    screen.avatar(58, 46, 17)
    screen.bold(84, 39, rng.choice(NAMES), 15, screen.theme.ink)
    screen.text(84, 56, rng.choice(("online", "last seen recently", "typing...")), 11, screen.theme.weak)
    icon(screen, "dots", 340, 46, 9, screen.theme.ink)
    top = 80.0
    for _ in range(rng.randint(1, 2) + strength):
        top = _bubble(screen, top, mine=rng.random() < 0.5)
    width = 360 * (0.65, 0.6, 0.55)[strength] * rng.uniform(0.97, 1.03)
    top = _photo_bubble(screen, picture, top, width, mine=rng.random() < 0.5)
    while top < screen.height - 150:
        top = _bubble(screen, top, mine=rng.random() < 0.5)
    foot = screen.height - 62
    screen.block(0, foot, 360, screen.height, screen.theme.ground)
    screen.block(12, foot + 8, 300, foot + 44, screen.theme.raised, 18)
    screen.text(30, foot + 26, "Message", 14, screen.theme.weak)
    screen.circle(330, foot + 26, 18, screen.theme.accent)
    icon(screen, "send", 331, foot + 26, 8, WHITE)
    return passed_on(screen, strength)


def _post(screen: Screen, picture: Image.Image, top: float, height: float) -> float:
    """Who and where, the picture over the full width, hearts and a comment; where the next post begins."""
    rng, theme = screen.rng, screen.theme
    name = f"{rng.choice(NAMES).lower()}.{rng.choice(PLACES).lower()}"
    screen.avatar(28, top + 26, 16)
    screen.bold(54, top + 18, name, 13, theme.ink)
    screen.text(54, top + 35, rng.choice(PLACES), 11, theme.weak)
    icon(screen, "dots", 342, top + 26, 8, theme.ink)
    screen.picture(picture, 0, top + 52, 360, height)
    row = top + 52 + height + 24
    if rng.random() < 0.5:
        heart(screen, 24, row, 11, (237, 73, 86))
    else:
        icon(screen, "heart", 24, row, 11, theme.ink)
    icon(screen, "bubble", 60, row, 10, theme.ink)
    icon(screen, "send", 96, row, 10, theme.ink)
    screen.bold(14, row + 30, f"{rng.randint(2, 900)} likes", 13, theme.ink)
    screen.text(14, row + 50, f"{name}  {rng.choice(PHRASES)}", 13, theme.ink)
    screen.text(14, row + 70, f"{rng.randint(1, 23)} hours ago", 11, theme.weak)
    return row + 88


def _feed(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A post between two others, its picture cut to a square; heavier: cut wider than high."""
    screen, rng = new_screen(scene), scene.rng
    screen.bold(18, 46, rng.choice(("Moments", "Circle", "Daily")), 20, screen.theme.ink)
    icon(screen, "heart", 300, 46, 10, screen.theme.ink)
    icon(screen, "send", 336, 46, 10, screen.theme.ink)
    top = 70.0
    if strength:
        for place in range(5):
            screen.circle(40 + 74 * place, 104, 31, colour_of(rng), 2.5)
            screen.avatar(40 + 74 * place, 104, 27)
        top = 146.0
    top = _post(screen, picture, top, (360, 360, 270)[strength] * rng.uniform(0.97, 1.03))
    while top < screen.height:
        top = _post(screen, rng.choice(scene.others), top, 360)
    bottom_bar(screen)
    return passed_on(screen, strength)


def opened(picture: Image.Image, strength: int, scene: Scene) -> tuple[Screen, Box]:
    """The picture whole on black between two bars, and where it is; heavier: with a strip of the next pictures."""
    screen, rng = new_screen(scene), scene.rng
    ground = screen.theme.ground if rng.random() < 0.3 else BLACK
    ink = WHITE if ground == BLACK else screen.theme.ink
    screen.block(0, 0, 360, screen.height, ground)
    status_bar(screen, ink)
    shown = contain(picture, 360 * screen.unit, (screen.height - (150, 190, 250)[strength]) * screen.unit)
    top = (screen.canvas.height - shown.height) // 2
    left = (screen.canvas.width - shown.width) // 2
    screen.canvas.paste(shown, (left, top))
    icon(screen, "back", 22, 48, 9, ink)
    screen.text(48, 42, f"{rng.choice(PLACES)}, {rng.randint(1, 28)} May", 14, ink)
    screen.text(48, 59, _clock(screen), 11, screen.theme.weak)
    icon(screen, "dots", 338, 48, 9, ink)
    foot = screen.height - 40
    for x, name in ((45, "send"), (135, "heart"), (225, "search"), (315, "cross")):
        icon(screen, name, x, foot, 10, ink)
    if strength == 2:
        for place in range(9):
            screen.picture(rng.choice(scene.others), 2 + 40 * place, foot - 66, 38, 44)
    return screen, (left, top, left + shown.width, top + shown.height)


def _viewer(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    return passed_on(opened(picture, strength, scene)[0], strength)


EDITS = (
    Edit("screenshot-chat", "screenshot", _chat),
    Edit("screenshot-feed", "screenshot", _feed),
    Edit("screenshot-viewer", "screenshot", _viewer),
)
