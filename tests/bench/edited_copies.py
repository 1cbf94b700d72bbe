"""Edited copies of photos as the bytes of files. Nothing here knows imgmatch."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from edits import edited
from PIL import Image

OTHERS = 6
"""Other pictures that an edit may draw on."""

PLAIN = "as it is"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query: a photo and what is done to it."""

    path: Path
    edit: str
    strength: int
    seed: int


class Fillers(Sequence[Image.Image]):
    """Pictures that an edit may draw on, opened when it looks at them: `looked_at` says which those were."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.looked_at: dict[Path, Image.Image] = {}

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, place: int) -> Image.Image: ...
    @overload
    def __getitem__(self, place: slice) -> list[Image.Image]: ...
    def __getitem__(self, place: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(place, slice):
            return [self._opened(path) for path in self._paths[place]]
        return self._opened(self._paths[place])

    def _opened(self, path: Path) -> Image.Image:
        if path not in self.looked_at:
            with Image.open(path) as image:
                self.looked_at[path] = image.convert("RGB")
        return self.looked_at[path]


def drawn(asked: Asked, others: Sequence[Path]) -> bytes:
    """The query as the bytes of a file."""
    return drawn_with_fillers(asked, others)[0]


def drawn_with_fillers(asked: Asked, others: Sequence[Path]) -> tuple[bytes, frozenset[Path]]:
    """The same, and all other pictures of which it may show something."""
    if asked.edit == PLAIN:
        return asked.path.read_bytes(), frozenset()
    rng = random.Random(f"{asked.seed}/{asked.path.name}")
    with Image.open(asked.path) as image:
        picture = image.convert("RGB")
    fillers = Fillers(rng.sample(list(others), OTHERS))
    copy = edited(asked.edit, picture, asked.strength, asked.seed, fillers)
    packed = io.BytesIO()
    copy.save(packed, "JPEG", quality=rng.choice((75, 85, 92)))
    return packed.getvalue(), frozenset(fillers.looked_at)
