"""Many different photos out of few: crops of real ones, no two alike, saved as JPEG of a phone's size."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING

from common import photos_in
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SEED = 9
SIDE = 640
QUALITY = 88
LEAST = 0.7
"""Share of width and height that a crop keeps at least."""


def crops(folder: Path, count: int, *, workers: int = 2) -> list[Path]:
    """Draw ``count`` photos into a folder; those that are there already are taken as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    real = photos_in("portraits", "phone")
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_crop, repeat(folder), range(count), repeat(real), chunksize=64))


def _crop(folder: Path, number: int, real: list[Path]) -> Path:
    path = folder / f"{number:06}.jpg"
    if path.exists():
        return path
    rng = random.Random(f"{SEED} {number}")
    with Image.open(real[number % len(real)]) as image:
        width, height = (round(side * rng.uniform(LEAST, 1)) for side in image.size)
        left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
        picture = image.convert("RGB").crop((left, top, left + width, top + height))
    picture.thumbnail((SIDE, SIDE))
    partial = path.with_suffix(".part")
    picture.save(partial, "JPEG", quality=QUALITY)
    partial.rename(path)
    return path
