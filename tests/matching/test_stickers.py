"""A copy strewn with stickers is one all the same; people under the same stickers are no copies of each other."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import photos
import pytest
from PIL import Image, ImageDraw

from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = 4
SIDE = 46
SIZE = 360, 480


def strewn(picture: Image.Image, seed: int) -> Image.Image:
    """Under thirty smileys, wherever they fall."""
    canvas, rng = picture.resize(SIZE).convert("RGB"), random.Random(seed)
    pen = ImageDraw.Draw(canvas)
    for _ in range(30):
        x, y = rng.uniform(-20, SIZE[0] - 20), rng.uniform(-20, SIZE[1] - 20)
        pen.ellipse((x, y, x + SIDE, y + SIDE), fill=(255, 205, 40), outline=(90, 60, 0), width=2)
        for eye in (0.3, 0.58):
            pen.ellipse((x + eye * SIDE, y + 14, x + eye * SIDE + 6, y + 23), fill=(30, 20, 10))
        pen.arc((x + 11, y + 16, x + 35, y + 38), 20, 160, fill=(30, 20, 10), width=3)
    return canvas


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Four people, each bare and under stickers of his own, and four others under one sheet of stickers."""
    home = tmp_path_factory.mktemp("home")
    accounts = {f"bare{n}": {"1.jpg": photos.grainy(n).resize(SIZE)} for n in range(PEOPLE)}
    accounts |= {f"strewn{n}": {"1.jpg": strewn(photos.grainy(n), n)} for n in range(PEOPLE)}
    accounts |= {f"sheet{n}": {"1.jpg": strewn(photos.grainy(20 + n), 77)} for n in range(PEOPLE)}
    photos.write_accounts(home, accounts)
    with Index.create(home / "index", workers=1) as made:
        made.add([NewPhoto.at(path, account=path.parent.name) for path in sorted(home.glob("*/1.jpg"))])
        yield made


@pytest.mark.parametrize("number", range(PEOPLE))
def test_a_check_of_a_strewn_copy_finds_the_original_alone(index: Index, number: int, tmp_path: Path) -> None:
    """Under other stickers than those of any copy that is stored."""
    asked = tmp_path / "asked.jpg"
    strewn(photos.grainy(number), 50 + number).save(asked, quality=85)
    assert f"bare{number}" in {match.photo.account for match in index.check(asked)}


def test_rings_tie_strewn_copies_and_nobody_else(index: Index) -> None:
    """Each person's two accounts are a ring; those who share their stickers are in none."""
    rings = {frozenset(member.account for member in ring.accounts) for ring in index.rings().rings}
    assert rings == {frozenset({f"bare{n}", f"strewn{n}"}) for n in range(PEOPLE)}


def test_another_person_under_the_same_stickers_is_no_copy(index: Index, tmp_path: Path) -> None:
    """A stranger who wears the sheet that four others wear."""
    asked = tmp_path / "asked.jpg"
    strewn(photos.grainy(99), 77).save(asked, quality=85)
    assert not index.check(asked).matches
