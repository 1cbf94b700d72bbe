"""What ``imgmatch hash`` says of whole files, against the published values; see docs/pdq.md."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgmatch import hash_photos
from imgmatch.hashers.hexform import from_hex
from imgmatch.hashers.pdq import Pdq

if TYPE_CHECKING:
    from pathlib import Path

    from imgmatch.hashers.base import Codes

USABLE = 50
SOFT = "labelme-subset/q0122.jpg"
"""Its bits are decided by fractions of a grey level, which a scan does not look at."""


def distance(one: Codes, text: str) -> int:
    return int(np.bitwise_count(one ^ from_hex(text)).sum())


@pytest.mark.shared
def test_a_published_picture_of_usable_quality_hashes_to_its_value_within_two_bits(shared: Path) -> None:
    with (shared / "pdq" / "expected.csv").open(newline="") as lines:
        published = {row["file"]: from_hex(row["pdq"]) for row in csv.DictReader(lines)}
    hashed = hash_photos([shared / "pdq" / file for file in published], ("pdq",))
    distances = {
        file: distance(code, found.fingerprints["pdq"])
        for (file, code), found in zip(published.items(), hashed, strict=True)
        if (found.quality or 0) >= USABLE
    }
    assert len(distances) == 13
    assert distances.pop(SOFT) <= 8
    assert max(distances.values()) <= 2


@pytest.mark.shared
@pytest.mark.slow
def test_a_photo_that_says_how_it_is_turned_hashes_as_it_is_seen(shared: Path) -> None:
    files = [*sorted((shared / "pdq" / "exif-rotn").iterdir()), *sorted((shared / "formats" / "exif").glob("*.jpg"))]
    assert len(files) == 22
    for file, found in zip(files, hash_photos(files, ("pdq",)), strict=True):
        with Image.open(file) as image:
            seen = np.asarray(ImageOps.exif_transpose(image).convert("RGB")) @ np.array([0.299, 0.587, 0.114])
        assert distance(Pdq().fingerprint(seen), found.fingerprints["pdq"]) <= 4, file.name


@pytest.mark.slow
@pytest.mark.shared
def test_a_picture_hashes_alike_in_every_mode(shared: Path) -> None:
    files = [file for file in sorted((shared / "formats" / "modes").iterdir()) if file.suffix != ".md"]
    values = {
        file.stem: found.fingerprints["pdq"] for file, found in zip(files, hash_photos(files, ("pdq",)), strict=True)
    }
    assert len(values) == 14
    assert max(distance(from_hex(values["original"]), text) for text in values.values()) <= 2
