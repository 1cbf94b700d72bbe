"""Which share of photos that were cut off is still found, by format and by how much of the file is missing.

Prints one line of JSON. Needs the folder ../shared.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PHOTOS, QUICK, print_figures, say
from PIL import Image

from imgmatch.actions.scan import scan
from imgmatch.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 11
STORED_OF_EACH = 60 if QUICK else 350
ASKED_OF_EACH = 5 if QUICK else 50
FOLDERS = ("phone", "portraits")

KINDS: dict[str, dict[str, Any]] = {
    "JPEG as it is": {},
    "progressive JPEG": {"format": "JPEG", "quality": 88, "progressive": True},
    "PNG": {"format": "PNG"},
    "WebP": {"format": "WEBP"},
}
MISSING = (0.0, 0.03, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8)
"""Shares of the bytes; of the first, the last two bytes."""


def run() -> dict[str, Any]:
    random.seed(SEED)
    folders = [sorted((PHOTOS / folder).rglob("*.jpg")) for folder in FOLDERS]
    stored = [path for paths in folders for path in random.sample(paths, STORED_OF_EACH)]
    asked = [*range(ASKED_OF_EACH), *range(STORED_OF_EACH, STORED_OF_EACH + ASKED_OF_EACH)]
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder, Index.create(Path(folder) / "index") as index:
        manifest = Path(folder) / "photos.csv"
        manifest.write_text("account,photo\n" + "".join(f"{number},{path}\n" for number, path in enumerate(stored)))
        scan(index.parts, [manifest])
        return {
            kind: {f"{missing:.0%} missing": found(index, stored, asked, save, missing) for missing in MISSING}
            for kind, save in KINDS.items()
        }


def found(
    index: Index, stored: Sequence[Path], asked: Sequence[int], save: dict[str, Any], missing: float
) -> dict[str, int]:
    """How many photos were asked about, in how many answers their account is, and in how many another one is."""
    say(f"{save.get('format', 'as it is')}, {missing:.0%} missing")
    counted = Counter(asked=len(asked))
    queries = [cut(stored[number], save, missing) for number in asked]
    for number, result in zip(asked, index.check_many(queries), strict=True):
        accounts = {match.photo.account for match in result}
        counted.update(found=str(number) in accounts, others=bool(accounts - {str(number)}))
        counted[str(result.status)] += 1
    return dict(counted)


def cut(path: Path, save: dict[str, Any], missing: float) -> bytes:
    data = path.read_bytes()
    if save:
        packed = io.BytesIO()
        Image.open(path).convert("RGB").save(packed, **save)
        data = packed.getvalue()
    return data[: len(data) - max(2, int(len(data) * missing))]


if __name__ == "__main__":
    print_figures("damaged", run)
