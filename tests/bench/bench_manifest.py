"""How fast manifests are read: from lines to photos that are judged and have an id, with no photo opened.

Each format is read in turn, several times; the best time counts, in microseconds of processor time a line.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import QUICK, machine, say

from imgmatch.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES, ROUNDS = (20_000, 2) if QUICK else (1_000_000, 3)
COLUMNS = ("account", "photo", "name", "seen_at", "photo_id", "country")
_QUOTED = 10
"""Every so many names has quotes in it."""


def rows() -> Iterator[dict[str, str]]:
    """Lines as a platform writes them."""
    drawn = random.Random(1)
    for number in range(LINES):
        name = 'Lena "Lou", 22' if number % _QUOTED == 0 else "Lena"
        seen_at = f"2026-01-{drawn.randint(1, 28):02d}T12:00:00Z"
        photo = f"photos/{number // 1000}/{number}.jpg"
        photo_id = f"p{number}" if number % 2 else ""
        yield dict(zip(COLUMNS, (f"a{number // 2:07d}", photo, name, seen_at, photo_id, "de"), strict=True))


def write(folder: Path) -> list[Path]:
    """The same lines in each format."""
    separated, objects = folder / "m.csv", folder / "m.jsonl"
    with separated.open("w", encoding="utf-8", newline="") as one, objects.open("w", encoding="utf-8") as other:
        lines = csv.DictWriter(one, COLUMNS)
        lines.writeheader()
        for row in rows():
            lines.writerow(row)
            other.write(json.dumps(row) + "\n")
    return [separated, objects]


def seconds(manifest: Path) -> float:
    """Processor time to read a manifest once."""
    source = open_source(manifest)
    before = time.process_time()
    count = sum(1 for _ in source)
    assert count == LINES
    return time.process_time() - before


def main() -> None:
    """Print one line of JSON."""
    before = machine()
    with tempfile.TemporaryDirectory() as name:
        manifests = write(Path(name))
        say(f"{LINES:,} lines written")
        taken = [[seconds(manifest) for manifest in manifests] for _ in range(ROUNDS)]
    best: dict[str, Any] = {
        f"{manifest.suffix[1:]}_us_a_line": round(min(times) / LINES * 1e6, 2)
        for manifest, times in zip(manifests, zip(*taken, strict=True), strict=True)
    }
    print(json.dumps({"bench": "manifest", "lines": LINES, **best, "machine": before}))


if __name__ == "__main__":
    main()
