"""Different people in one template are no copies, and a copy in a template is one all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest
from PIL import Image, ImageDraw, ImageFont

from imgmatch.index import Index
from imgmatch.model import Kind, NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = 5


def card(inside: Image.Image, name: str) -> Image.Image:
    """A staff badge: all is the same but the photo, the name and the number."""
    canvas = Image.new("RGB", (420, 620), "white")
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 0, 420, 80), fill=(120, 20, 40))
    pen.text((210, 40), "ST. MARY HOSPITAL", fill="white", font=ImageFont.load_default(30), anchor="mm")
    pen.ellipse((340, 95, 405, 160), fill=(230, 190, 40), outline="black", width=4)
    pen.text((372, 128), "A+", fill="black", font=ImageFont.load_default(24), anchor="mm")
    canvas.paste(inside.resize((200, 250)), (60, 110))
    pen.text((60, 390), name.upper(), fill="black", font=ImageFont.load_default(26))
    for row, line in enumerate(("Registered Nurse", "Valid until 12 / 2027", "If found, return to the desk")):
        pen.text((60, 440 + 36 * row), line, fill=(60, 60, 60), font=ImageFont.load_default(20))
    pen.rectangle((0, 575, 420, 620), fill=(20, 60, 120))
    return canvas


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Five people with their badges, and one of them with the photo itself."""
    home = tmp_path_factory.mktemp("home")
    names = ("Ann", "Bob", "Cat", "Dan", "Eve")
    badges = {f"badge{n}": {"1.jpg": card(photos.grainy(n), names[n])} for n in range(PEOPLE)}
    photos.write_accounts(home, badges | {"bare": {"1.jpg": photos.grainy(0)}})
    with Index.create(home / "index", workers=1) as made:
        made.add([NewPhoto.at(path, account=path.parent.name) for path in sorted(home.glob("*/1.jpg"))])
        yield made


def of(index: Index, path: Path, *, related: bool = False) -> dict[str, Kind]:
    """The accounts an answer names, and why."""
    result = index.check(path, related=related)
    assert result.status in {Status.MATCH, Status.NO_MATCH}
    return {match.photo.account: match.evidence.kind for match in result}


def test_a_badge_is_no_copy_of_another_persons_badge(index: Index, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jpg"
    card(photos.grainy(99), "Zoe").save(asked, quality=85)
    assert of(index, asked) == {}


def test_a_badge_of_another_person_is_shown_as_the_same_template_on_request(index: Index, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jpg"
    card(photos.grainy(98), "Yan").save(asked, quality=85)
    found = of(index, asked, related=True)
    assert set(found) == {f"badge{n}" for n in range(PEOPLE)}
    assert set(found.values()) == {Kind.TEMPLATE}
    assert index.check(asked, related=True).status is Status.NO_MATCH


def test_the_photo_on_a_badge_is_found_bare_and_on_the_badge_it_is_on(index: Index, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jpg"
    card(photos.grainy(0), "Mia").save(asked, quality=80)
    assert set(of(index, asked)) == {"badge0", "bare"}


def test_no_ring_is_made_of_people_with_one_badge(index: Index) -> None:
    for ring in index.rings().rings:
        assert {one.account for one in ring.accounts} <= {"badge0", "bare"}
