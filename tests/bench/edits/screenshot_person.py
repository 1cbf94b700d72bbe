"""Screenshots of pages about one person: a dating card, a profile with a round face, a grid of posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edits.base import Edit
from edits.phone import bottom_bar, heart, icon, new_screen, passed_on, status_bar
from edits.tools import WHITE, blended, cover, gradient
from edits.words import CHAT, NAMES, PHRASES, PLACES

if TYPE_CHECKING:
    from PIL import Image

    from edits.base import Scene
    from edits.phone import Screen


def _shaded(picture: Image.Image, share: float) -> Image.Image:
    """Darkened towards its foot, where the name will stand."""
    black = picture.point([0] * 768)
    foot = gradient((1, picture.height), (0, 0, 0), (255, 255, 255), 1.5708).convert("L")
    foot = foot.point([max(0, round((value / 255 - 1 + share) / share * 190)) for value in range(256)])
    return blended(picture, black, foot.resize(picture.size))


def _dating(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A large card with round corners; name, age and distance on it; the buttons below."""
    screen, rng = new_screen(scene), scene.rng
    screen.bold(180, 46, rng.choice(("sparkle", "mingle", "twosome")), 20, screen.theme.accent, "mm")
    icon(screen, "person", 28, 46, 10, screen.theme.weak)
    icon(screen, "dots", 334, 46, 10, screen.theme.weak)
    margin = (10, 18, 34)[strength]
    width, height = 360 - 2 * margin, screen.height - 70 - (160, 185, 230)[strength]
    card = cover(picture, width * screen.unit, height * screen.unit, (0.5, rng.uniform(0.3, 0.5)))
    screen.picture(_shaded(card, 0.35), margin, 70, width, height, 14)
    foot = 70 + height
    screen.bold(margin + 16, foot - 66, f"{rng.choice(NAMES)}, {rng.randint(19, 54)}", 26, WHITE)
    screen.text(margin + 16, foot - 40, f"{rng.choice(PLACES)}, {rng.randint(1, 90)} km away", 13, WHITE)
    screen.text(margin + 16, foot - 20, rng.choice(PHRASES), 13, WHITE)
    for step in range(4):
        left = margin + 8 + (width - 16) / 4 * step
        screen.block(left, 76, left + (width - 24) / 4, 79, WHITE if step == 0 else screen.theme.weak, 1.5)
    for name, x in (("cross", 110), ("heart", 250)):
        screen.circle(x, foot + 44, 28, screen.theme.raised)
        if name == "heart":
            heart(screen, x, foot + 44, 13, (40, 200, 130))
        else:
            icon(screen, name, x, foot + 44, 13, (240, 70, 90))
    bottom_bar(screen, 4)
    return passed_on(screen, strength)


def _counts(screen: Screen, y: float) -> None:
    """Posts, followers, following: a number over a word."""
    for x, word in ((150, "posts"), (222, "followers"), (300, "following")):
        screen.bold(x, y - 8, str(screen.rng.randint(3, 990)), 15, screen.theme.ink, "mm")
        screen.text(x, y + 10, word, 12, screen.theme.ink, "mm")


def _head(screen: Screen, name: str) -> None:
    icon(screen, "back", 22, 46, 9, screen.theme.ink)
    screen.bold(44, 46, name, 16, screen.theme.ink)
    icon(screen, "dots", 338, 46, 9, screen.theme.ink)


def _grid(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The picture cut square as one of the tiles; heavier: more and smaller tiles."""
    screen, rng = new_screen(scene), scene.rng
    columns, rows = ((2, 3), (3, 3), (3, 4))[strength]
    _head(screen, f"{rng.choice(NAMES).lower()}_{rng.randint(1, 99)}")
    screen.avatar(62, 112, 40)
    _counts(screen, 112)
    for row, words in enumerate((rng.choice(NAMES), rng.choice(PHRASES), rng.choice(PLACES))):
        screen.text(20, 172 + 18 * row, words, 13, screen.theme.ink if row < 2 else screen.theme.weak)
    for left, word in ((16, "Follow"), (184, "Message")):
        colour, ink = (screen.theme.accent, WHITE) if word == "Follow" else (screen.theme.raised, screen.theme.ink)
        screen.block(left, 228, left + 160, 260, colour, 8)
        screen.bold(left + 80, 244, word, 13, ink, "mm")
    top, gap = 276.0, 2.0
    side, chosen = (360 - gap * (columns - 1)) / columns, rng.randrange(columns * rows)
    for tile in range(columns * rows):
        shown = picture if tile == chosen else rng.choice(scene.others)
        across, down = tile % columns * (side + gap), top + tile // columns * (side + gap)
        screen.picture(shown, across, down, side, side)
    bottom_bar(screen)
    return passed_on(screen, strength)


def _profile(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """A wide picture of someone or something above, the round face half over it, and lines about the person."""
    screen, rng = new_screen(scene), scene.rng
    screen.picture(rng.choice(scene.others), 0, 0, 360, 170)
    status_bar(screen, WHITE)
    icon(screen, "back", 22, 46, 9, WHITE)
    radius = 180 * (0.37, 0.31, 0.25)[strength] * rng.uniform(0.96, 1.04)
    middle: float = rng.choice((180.0, radius + 20))
    screen.circle(middle, 170, radius + 4, screen.theme.ground)
    screen.avatar(middle, 170, radius, picture)
    top = 170 + radius + 26
    anchor, left = ("mm", 180) if middle == 180 else ("lm", 20)
    screen.bold(left, top, f"{rng.choice(NAMES)} {rng.choice('ABDGKLMRST')}.", 22, screen.theme.ink, anchor)
    screen.text(left, top + 26, rng.choice(PHRASES), 14, screen.theme.weak, anchor)
    for step, word in enumerate(("Add friend", "Message")):
        colour, ink = ((screen.theme.accent, WHITE), (screen.theme.raised, screen.theme.ink))[step]
        screen.block(18 + 165 * step, top + 48, 175 + 165 * step, top + 84, colour, 8)
        screen.bold(96 + 165 * step, top + 66, word, 14, ink, "mm")
    for row, word in enumerate(("Lives in", "From", "Works in", "Studied in", "Went to school in")):
        screen.circle(28, top + 112 + 30 * row, 7, screen.theme.weak, 2)
        screen.text(46, top + 112 + 30 * row, f"{word} {rng.choice(PLACES)}", 14, screen.theme.ink)
    top += 270
    screen.bold(18, top, "Friends", 17, screen.theme.ink)
    for place in range(3):
        screen.picture(rng.choice(scene.others), 18 + 110 * place, top + 20, 102, 102, 8)
        screen.text(18 + 110 * place, top + 134, rng.choice(NAMES), 12, screen.theme.ink)
    screen.text(18, top + 170, rng.choice(CHAT), 14, screen.theme.ink)
    bottom_bar(screen)
    return passed_on(screen, strength)


EDITS = (
    Edit("screenshot-dating", "screenshot", _dating),
    Edit("screenshot-grid", "screenshot", _grid),
    Edit("screenshot-profile", "screenshot", _profile),
)
