"""PDQ values of drawn pictures and others near to them, for the tests of banks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import photos

from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.model import CheckResult, NamedPhoto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from PIL import Image

    from imgmatch.model import BankEntry, BankHit


def described(image: Image.Image | bytes) -> Description:
    """What is computed of a photo."""
    data = image if isinstance(image, bytes) else photos.jpeg(image)
    reply = Describer(Settings(features=False)).describe(Job(data, query=True))
    assert isinstance(reply, Description)
    return reply


def pdq(image: Image.Image | bytes) -> str:
    """The PDQ value of a photo."""
    return described(image).first.fingerprints["pdq"].hex()


def off(value: str, bits: int, start: int = 0) -> str:
    """A value that is so many bits away: those from the bit ``start`` on."""
    unpacked = np.unpackbits(np.frombuffer(bytes.fromhex(value), np.uint8))
    unpacked[start : start + bits] ^= 1
    return np.packbits(unpacked).tobytes().hex()


def named(image: Image.Image | bytes, name: str = "secret-name.jpg") -> NamedPhoto:
    """A photo as it is put on a bank."""
    return NamedPhoto(name, image if isinstance(image, bytes) else photos.jpeg(image))


def hit(found: CheckResult | Sequence[BankHit]) -> list[tuple[str, int]]:
    """Bank and entry of each hit."""
    hits = found.banks if isinstance(found, CheckResult) else found
    return [(one.bank, one.entry) for one in hits]


def carried(found: Iterable[BankHit]) -> list[tuple[str, int]]:
    """Account and entry of each hit of a stored photo."""
    return [(one.photo.account, one.entry) for one in found if one.photo is not None]


def said(entry: BankEntry) -> tuple[Any, ...]:
    """What stands on a bank, but for numbers and times, which differ from index to index."""
    words = entry.ref, entry.category, entry.tags, entry.note, entry.uri, dict(entry.metadata)
    return (entry.pdq, *words, entry.modified)


def csv_list(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """A list in CSV, with the columns that the first row names."""
    lines = [list(row.values()) for row in rows]
    head = next(iter(rows), {"pdq": ""})
    cells = ([json.dumps(str(cell)) if "," in str(cell) else str(cell) for cell in row] for row in [list(head), *lines])
    path.write_text("".join(",".join(row) + "\n" for row in cells), encoding="utf-8")
    return path
