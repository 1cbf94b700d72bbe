"""The photos of the big world: each is a recipe, drawn into the bytes of a file in whichever process gets it.

A recipe is a few names and numbers, so that the plan of 60,000 photos stays small and two processes can share it.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import overload

import cv2
import numpy as np
from common import say
from edits import edited
from PIL import Image, ImageEnhance, ImageOps

from imgmatch.demo.portraits import portrait

QUALITIES = (75, 85, 92)
STRANGERS = 6
"""Portraits kept for one copy, for edits that show other people. No portrait is kept for two."""

_PROCESSES = 2
_TURN = 5.0
_LONGEST = (300, 500)


@dataclass(frozen=True, slots=True)
class Whole:
    """The file as it is."""

    path: Path


@dataclass(frozen=True, slots=True)
class Drawn:
    """An invented person, on one of their photos."""

    person: int
    photo: int = 0


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of a photo cut into `columns` by `rows`, as if it were a photo of its own."""

    path: Path
    columns: int
    rows: int
    cell: int
    seed: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A stolen photo after an edit; `strangers` is the first of the invented people kept for it."""

    path: Path
    edit: str
    seed: int
    strangers: int


@dataclass(frozen=True, slots=True)
class Repost:
    """A photo as fans pass it on: recompressed, perhaps smaller, square or mirrored."""

    path: Path
    seed: str


@dataclass(frozen=True, slots=True)
class Recoded:
    """A default avatar at another quality and size, as some sites deliver it."""

    of: Whole | Drawn
    seed: str


Recipe = Whole | Drawn | Tile | Copy | Repost | Recoded


def draw(recipe: Recipe) -> bytes:
    """The bytes of a JPEG file; the same recipe always gives the same."""
    match recipe:
        case Whole():
            return recipe.path.read_bytes()
        case Drawn():
            rng = random.Random(f"drawn/{recipe.person}/{recipe.photo}")
            return _packed(portrait(recipe.person, recipe.photo), rng.choice(QUALITIES))
        case Tile():
            return _tile(recipe)
        case Copy():
            strangers = Strangers(recipe.strangers)
            copy = edited(recipe.edit, _opened(recipe.path), 1, recipe.seed, strangers)
            return _packed(copy, random.Random(f"copy/{recipe.seed}").choice(QUALITIES))
        case Repost():
            return _repost(recipe)
        case Recoded():
            return _recoded(recipe)


class Strangers(Sequence[Image.Image]):
    """Invented people, each drawn when first looked at: most edits show none, and a portrait takes 20 ms."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._drawn: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return STRANGERS

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(index, slice):
            return [self[one] for one in range(STRANGERS)[index]]
        place = range(STRANGERS)[index]
        if place not in self._drawn:
            self._drawn[place] = portrait(self._first + place)
        return self._drawn[place]


def _tile(recipe: Tile) -> bytes:
    """A turned rectangle that stays inside its own cell: no two tiles of a photo show the same spot."""
    rng = random.Random(recipe.seed)
    picture = _opened(recipe.path)
    wide, high = picture.width / recipe.columns, picture.height / recipe.rows
    turn = math.radians(rng.uniform(-_TURN, _TURN))
    cos, sin = math.cos(turn), abs(math.sin(turn))
    fit = rng.uniform(0.9, 1) * min(wide / (wide * cos + high * sin), high / (wide * sin + high * cos))
    room = (wide - fit * (wide * cos + high * sin), high - fit * (wide * sin + high * cos))
    across = (recipe.cell % recipe.columns + 0.5) * wide + rng.uniform(-0.5, 0.5) * room[0]
    down = (recipe.cell // recipe.columns + 0.5) * high + rng.uniform(-0.5, 0.5) * room[1]
    enlarged = rng.randint(*_LONGEST) / (fit * max(wide, high))
    width, height = round(fit * wide * enlarged), round(fit * high * enlarged)
    # From pixels of the tile to pixels of the photo.
    turned = np.array(((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn)))) / enlarged
    shift = np.array((across, down)) - turned @ (width / 2, height / 2)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(np.asarray(picture), np.column_stack((turned, shift)), (width, height), flags=flags)
    cut = Image.fromarray(pixels)
    cut = ImageEnhance.Brightness(cut).enhance(rng.uniform(0.85, 1.15))
    cut = ImageEnhance.Color(cut).enhance(rng.uniform(0.8, 1.25))
    return _packed(cut, rng.choice(QUALITIES))


def _repost(recipe: Repost) -> bytes:
    rng = random.Random(recipe.seed)
    picture = _opened(recipe.path)
    if rng.random() < 0.3:
        side = min(picture.size)
        picture = ImageOps.fit(picture, (side, side), centering=(rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.6)))
    if rng.random() < 0.3:
        picture = ImageOps.mirror(picture)
    if rng.random() < 0.6:
        picture = _resized(picture, rng.uniform(0.5, 0.95))
    return _packed(picture, rng.choice((60, *QUALITIES)))


def _recoded(recipe: Recoded) -> bytes:
    rng = random.Random(recipe.seed)
    with Image.open(io.BytesIO(draw(recipe.of))) as image:
        picture = image.convert("RGB")
    return _packed(_resized(picture, rng.uniform(0.4, 1)), rng.choice((60, *QUALITIES)))


def _resized(picture: Image.Image, factor: float) -> Image.Image:
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _packed(picture: Image.Image, quality: int) -> bytes:
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=quality)
    return packed.getvalue()


def write_all(jobs: Sequence[tuple[Path, Recipe]]) -> None:
    """Draw every recipe into its file, in two processes."""
    with get_context("fork").Pool(_PROCESSES, _alone) as pool:
        for number, _ in enumerate(pool.imap_unordered(_write, jobs, chunksize=16), 1):
            if number % 2000 == 0:
                say(f"{number:,} of {len(jobs):,} photos")


def _alone() -> None:
    cv2.setNumThreads(1)


def _write(job: tuple[Path, Recipe]) -> None:
    path, recipe = job
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw(recipe))
