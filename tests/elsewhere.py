"""A small world whose rings are found here and elsewhere, in many small units, and must come out the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import photos
from PIL import Image, ImageOps
from planting import Planter, shot
from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.pair_scores import PairScore, read_pair_scores
from imgmatch.clustering import run, search
from imgmatch.formats.records import ring_record
from imgmatch.formats.text import as_json
from imgmatch.joins import hamming, sending
from imgmatch.matching import pair_units

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from imgmatch.index import Index


def cut_small(patch: pytest.MonkeyPatch) -> None:
    """Have joins, searches and units be as small as those of a large index are many."""
    patch.setattr(hamming, "FEW", 0)
    patch.setattr(sending, "WORTH_COMPARISONS", 0)
    patch.setattr(sending, "LEAST_PART_ROWS", 4)
    patch.setattr(sending, "BLOCK_ROWS", 40)
    patch.setattr(run, "JOINED_AT_ONCE", 9)
    patch.setattr(search, "SEARCHED_AT_ONCE", 6)
    patch.setattr(pair_units, "CANDIDATES_A_UNIT", 2)


def half_hidden(image: Image.Image) -> Image.Image:
    """A corner lies under a veil: the fingerprint alone does not tell that it is a copy."""
    veil = Image.new("RGB", (140, 140), "grey")
    corner = (image.width - 140, image.height - 140)
    hidden = image.copy()
    hidden.paste(Image.blend(image.crop((*corner, *image.size)), veil, 0.85), corner)
    return hidden


class World:
    """Photos of two nights: copies, mirrored ones, negatives, crops, a screenshot, and strangers."""

    def __init__(self, folder: Path, index: Index) -> None:
        folder.mkdir(exist_ok=True)
        self._planter = Planter(folder, index)
        self._index = index

    def scan(self, night: int) -> None:
        whole = photos.picture(50 + night, (480, 600))
        large = photos.picture(60 + night, (900, 1500))
        large.paste(whole.resize((256, 320)), (300, 600))
        images = [
            *(shot(10 + night) for _ in range(3)),
            ImageOps.mirror(shot(10)),
            *(ImageOps.invert(shot(10)), ImageOps.invert(half_hidden(whole))),
            *(shot(20 + 7 * night + number) for number in range(6)),
            *(whole, whole.crop((60, 90, 420, 490)), photos.picture(50, (480, 600)).crop((30, 60, 400, 480)), large),
        ]
        for number, image in enumerate(images):
            quality = 60 + 3 * number + night
            self._planter.plant(f"n{night}-{number:02}", photos.jpeg(image, quality), 10 * night + number)
        self._planter.scan()

    def rings(self) -> str:
        return as_json([ring_record(ring) for ring in self._index.rings().rings])

    def kept(self) -> tuple[list[object], list[PairScore]]:
        """Near pairs and pair scores, as they are kept."""
        table = schema.near_pairs.c
        near = select(table.low, table.high, table.distance, table.orientation).order_by(table.low, table.high)
        with self._index.parts.catalog.read() as session:
            return list(map(tuple, session.sql.execute(near))), list(read_pair_scores(session))
