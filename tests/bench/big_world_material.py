"""What the photos of the big world are made of: each real photo for one purpose, then invented people.

Rings and celebrities get whole real photos. The rest are honest photos as they are, but for portraits of some size:
those are cut into tiles that are honest photos each. There are not enough real photos for 40,000, and drawing people
takes time.
"""

from __future__ import annotations

import random
from functools import cached_property
from pathlib import Path

from big_world_draw import STRANGERS, Copy, Drawn, Recipe, Tile, Whole
from big_world_rings import scaled
from common import PHOTOS, photos_in
from edits import EDITS
from PIL import Image

FOLDERS = ("portraits", "phone", "generated", "avatars")
_TWINS = Path(__file__).with_name("twins.txt")

_TILED = "portraits"
_WHOLE = 0.2
_LARGE = 300
"""Photos with a shorter side from here on are good for celebrities, and for twelve tiles instead of six."""
_SMALL = 200
"""Below this a photo rather stays whole: its tiles are mostly too blurred to be of use."""


class Material:
    """Hands out photos, people and edits, nothing twice."""

    def __init__(self, scale: float, seed: int) -> None:
        self._rng = random.Random(f"material/{seed}/{scale}")
        self._scale = scale
        self._seed = seed
        self._people = 0
        self._edits: list[str] = []
        self._avatars = {folder: self._shuffled(photos_in(folder)) for folder in ("avatars", "generated")}
        named = {PHOTOS / name for name in _twins()}
        self._photos = self._shuffled([path for path in photos_in("portraits", "phone") if path not in named])

    def avatars(self, number: int) -> list[Whole | Drawn]:
        """Default avatars: half from the folder of that name, a quarter other generated pictures, a quarter drawn.

        Call it first: what it leaves of the two folders is for the other purposes.
        """
        taken = [self._avatars["avatars"].pop() for _ in range(number // 2)]
        taken += [self._avatars["generated"].pop() for _ in range(number // 4)]
        self._photos = self._shuffled([*self._photos, *self._avatars["avatars"], *self._avatars["generated"]])
        drawn = [Drawn(self.people()) for _ in range(number - len(taken))]
        return [*map(Whole, taken), *drawn]

    def celebrities(self, number: int) -> list[Path]:
        """Photos of some size."""
        taken = [path for path in self._photos if self._sides[path][0] >= _LARGE][:number]
        self._photos = [path for path in self._photos if path not in taken]
        return taken

    def stolen(self, number: int) -> list[Path]:
        """The pictures of rings."""
        taken, self._photos = self._photos[:number], self._photos[number:]
        return taken

    def copy(self, path: Path) -> Copy:
        """An edited copy of a stolen picture: every edit comes once before one comes again."""
        if not self._edits:
            self._edits = list(EDITS)
            self._rng.shuffle(self._edits)
        return Copy(path, self._edits.pop(), self._rng.randrange(2**31), self.people(STRANGERS))

    def honest(self) -> list[Recipe]:
        """All that is left of the real photos, as photos of honest people, in no order; in a smaller world fewer.

        Call it last.
        """
        left = self._photos[: scaled(len(self._photos), self._scale)]
        # Photos of clothes were taken on a few floors: tiles of them would be copies of one floor.
        rest = [path for path in left if path.parent.name == _TILED]
        small = [path for path in rest if self._sides[path][0] < _SMALL]
        whole = {*left} - {*rest} | {*small[: round(len(left) * _WHOLE)]}
        recipes: list[Recipe] = [Whole(path) for path in left if path in whole]
        for path in left:
            if path not in whole:
                recipes += self._tiles(path)
        self._rng.shuffle(recipes)
        return recipes

    def people(self, number: int = 1) -> int:
        """The first of some invented people who are on no other photo of the world."""
        first = self._seed * 1_000_000 + self._people
        self._people += number
        return first

    def _tiles(self, path: Path) -> list[Tile]:
        shorter, is_tall = self._sides[path]
        across, along = (3, 4) if shorter >= _LARGE else (2, 3)
        columns, rows = (across, along) if is_tall else (along, across)
        name = f"tile/{self._seed}/{path.parent.name}/{path.name}"
        return [Tile(path, columns, rows, cell, f"{name}/{cell}") for cell in range(columns * rows)]

    @cached_property
    def _sides(self) -> dict[Path, tuple[int, bool]]:
        """Of each photo the shorter side in pixels, and whether it is taller than wide."""
        sides = {}
        for path in photos_in(*FOLDERS):
            with Image.open(path) as image:
                sides[path] = (min(image.size), image.height > image.width)
        return sides

    def _shuffled(self, photos: list[Path]) -> list[Path]:
        return self._rng.sample(photos, len(photos))


def _twins() -> set[str]:
    """Photos that are copies of another one."""
    lines = _TWINS.read_text(encoding="utf-8").splitlines()
    return {name for line in lines if not line.startswith("#") for name in line.split()}
