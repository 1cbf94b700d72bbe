"""What share of edited copies is found at which distance, and what is called near that is not a copy.

Every photo of ../shared/photos is on an account of its own. Prints one line of JSON, a table to stderr, and writes
the pairs called near to a file for someone to look at.
"""

from __future__ import annotations

import csv
import io
import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from common import PHOTOS, photos_in, print_figures, say
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from imgmatch import registry
from imgmatch.describing.describe import Describer
from imgmatch.describing.messages import Description, Job
from imgmatch.describing.settings import Settings
from imgmatch.engines.flat import FlatSegment
from imgmatch.model import FINGERPRINT_BITS, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SEED = 20
SAMPLES = {"portraits": 300, "phone": 200, "generated": 60, "avatars": 60, "same-person": 60}
"""How many photos of each folder are edited."""

PLACEHOLDERS = "placeholders"
HASHERS = ("phash", "pdq")
SWEEP = (*range(10, 30, 4), *range(28, 62, 2))

LISTED = 60
"""Pairs up to this distance go to the file."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The photos that could be used, and those that could not."""

    names: list[str]
    described: list[Description]
    refused: Counter[tuple[str, str]]
    seen: Counter[str]

    def codes(self, hasher: str) -> NDArray[np.uint8]:
        return np.frombuffer(b"".join(one.first.fingerprints[hasher] for one in self.described), np.uint8).reshape(
            -1, 32
        )

    def turned(self, hasher: str) -> NDArray[np.uint8]:
        """All orientations, shape (8n, 32)."""
        return np.frombuffer(b"".join(one.first.orientations[hasher] for one in self.described), np.uint8).reshape(
            -1, 32
        )


@dataclass(frozen=True, slots=True)
class Edited:
    """One edited copy; ``reply`` is a failure where it was refused."""

    original: str
    edit: str
    reply: Description | Failure


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos whose fingerprints are near in some orientation."""

    distance: int
    first: str
    second: str

    @property
    def kind(self) -> str:
        return " / ".join(sorted((folder_of(self.first), folder_of(self.second))))


def folder_of(name: str) -> str:
    return name.partition("/")[0]


def run() -> dict[str, Any]:
    cv2.setNumThreads(1)
    describer = Describer(Settings(features=False))
    stored = describe_all(describer)
    copies = describe_copies(describer)
    pairs = {hasher: near_pairs(stored, hasher) for hasher in HASHERS}
    listing = write_pairs(pairs)
    say(f"pairs within {LISTED} bits: {listing}")
    figures: dict[str, Any] = {
        "photos": sum(stored.seen.values()) - stored.seen[PLACEHOLDERS],
        "placeholders": stored.seen[PLACEHOLDERS],
        "refused": {folder: count_refused(stored, folder) for folder in sorted(stored.seen)},
        "edited": len(copies),
        "edited_refused": dict(Counter(copy.edit for copy in copies if isinstance(copy.reply, Failure))),
        "pairs_file": str(listing),
    }
    for hasher in HASHERS:
        measured = distances(stored, copies, hasher)
        sweep = {limit: at_distance(limit, measured, pairs[hasher]) for limit in SWEEP}
        print_table(hasher, sweep)
        default = registry.hasher(hasher).profile.max_distance
        figures[hasher] = {"max_distance": default, **at_distance(default, measured, pairs[hasher])}
        figures[hasher]["sweep"] = brief(sweep)
    return figures


def describe_all(describer: Describer) -> Stored:
    names, described = [], []
    refused: Counter[tuple[str, str]] = Counter()
    seen: Counter[str] = Counter()
    files = photos_in(*SAMPLES, PLACEHOLDERS)
    for number, file in enumerate(files):
        if number % 1000 == 0:
            say(f"describing photo {number} of {len(files)}")
        name = file.relative_to(PHOTOS).as_posix()
        seen[folder_of(name)] += 1
        reply = describer.describe(Job(file, query=True))
        if isinstance(reply, Description):
            names.append(name)
            described.append(reply)
        elif isinstance(reply, Failure):
            refused[folder_of(name), reply.reason.value] += 1
    return Stored(names, described, refused, seen)


def count_refused(stored: Stored, folder: str) -> dict[str, int]:
    return {reason: count for (where, reason), count in sorted(stored.refused.items()) if where == folder}


def describe_copies(describer: Describer) -> list[Edited]:
    rng = random.Random(SEED)
    files = [file for folder, count in SAMPLES.items() for file in sorted(rng.sample(photos_in(folder), count))]
    copies = []
    for number, file in enumerate(files):
        if number % 100 == 0:
            say(f"editing photo {number} of {len(files)}")
        with Image.open(file) as image:
            picture = image.convert("RGB")
        for edit, make in EDITS.items():
            reply = describer.describe(Job(make(picture), query=True))
            if isinstance(reply, Description | Failure):
                copies.append(Edited(file.relative_to(PHOTOS).as_posix(), edit, reply))
    return copies


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def quarter(picture: Image.Image) -> Image.Image:
    """A quarter of either side."""
    return picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.LANCZOS)


EDITS: Mapping[str, Callable[[Image.Image], bytes]] = {
    "jpeg_q30": lambda picture: jpeg(picture, 30),
    "quarter": lambda picture: jpeg(quarter(picture)),
    "grey": lambda picture: jpeg(picture.convert("L")),
    "brighter": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(1.3)),
    "mirrored": lambda picture: jpeg(ImageOps.mirror(picture)),
    "rotated_90": lambda picture: jpeg(picture.transpose(Image.Transpose.ROTATE_270)),
}


def near_pairs(stored: Stored, hasher: str) -> list[Pair]:
    """Every pair of stored photos within ``LISTED`` bits in some orientation, once."""
    hits = FlatSegment(np.arange(len(stored.names)), stored.codes(hasher)).search(stored.turned(hasher), LISTED)
    best: dict[tuple[int, int], int] = {}
    for row, other, distance in zip(hits.queries // 8, hits.ids, hits.distances, strict=True):
        pair = (min(int(row), int(other)), max(int(row), int(other)))
        if pair[0] != pair[1]:
            best[pair] = min(int(distance), best.get(pair, LISTED))
    return sorted(
        (Pair(distance, stored.names[first], stored.names[second]) for (first, second), distance in best.items()),
        key=lambda pair: (pair.distance, pair.first, pair.second),
    )


def write_pairs(pairs: Mapping[str, Iterable[Pair]]) -> Path:
    path = Path(tempfile.gettempdir()) / "imgmatch-near-pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["hasher", "distance", "folders", "first", "second"])
        for hasher, found in pairs.items():
            writer.writerows([hasher, pair.distance, pair.kind, pair.first, pair.second] for pair in found)
    return path


@dataclass(frozen=True, slots=True)
class Distances:
    """Of each copy the distance to its original and to the nearest other photo; 256 if either was refused."""

    edits: NDArray[np.str_]
    own: NDArray[np.int64]
    others: NDArray[np.int64]


def distances(stored: Stored, copies: Sequence[Edited], hasher: str) -> Distances:
    rows = {name: row for row, name in enumerate(stored.names)}
    codes = stored.codes(hasher)
    own, others = [], []
    for copy in copies:
        near = np.full(len(codes) + 1, FINGERPRINT_BITS)
        if isinstance(copy.reply, Description):
            turned = np.frombuffer(copy.reply.first.orientations[hasher], np.uint8).reshape(8, 1, 32)
            near[:-1] = np.bitwise_count(turned ^ codes).sum(axis=2, dtype=np.int64).min(axis=0)
        row = rows.get(copy.original, len(codes))
        own.append(near[row])
        near[row] = FINGERPRINT_BITS
        others.append(near.min())
    return Distances(np.array([copy.edit for copy in copies]), np.array(own), np.array(others))


def at_distance(limit: int, measured: Distances, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Per cent of the copies found by edit, and how many pairs of different photos are called near, by folders."""
    near = Counter(pair.kind for pair in pairs if pair.distance <= limit)
    found = {edit: 100 * float(np.mean(measured.own[measured.edits == edit] <= limit)) for edit in EDITS}
    both = f"{PLACEHOLDERS} / {PLACEHOLDERS}"
    return {
        "found_percent": {edit: round(share, 2) for edit, share in found.items()},
        "near_pairs": dict(sorted((kind, count) for kind, count in near.items() if PLACEHOLDERS not in kind)),
        "placeholder_pairs": near[both],
        "placeholder_photo_pairs": sum(near[kind] for kind in near if PLACEHOLDERS in kind and kind != both),
        "copies_near_another_photo": int((measured.others <= limit).sum()),
    }


def brief(sweep: Mapping[int, Mapping[str, Any]]) -> dict[str, list[float]]:
    """By distance: the least per cent found of any edit; pairs of photos, of placeholders, of one with the other."""
    return {
        str(limit): [
            min(row["found_percent"].values()),
            sum(row["near_pairs"].values()),
            row["placeholder_pairs"],
            row["placeholder_photo_pairs"],
        ]
        for limit, row in sweep.items()
    }


def print_table(hasher: str, sweep: Mapping[int, Mapping[str, Any]]) -> None:
    heads = ("distance", *EDITS, "photo pairs", "placeholder pairs", "mixed pairs", "copy~other")
    lines = [heads]
    lines += [
        (
            str(limit),
            *(f"{sweep[limit]['found_percent'][edit]:.2f}" for edit in EDITS),
            str(sum(sweep[limit]["near_pairs"].values())),
            str(sweep[limit]["placeholder_pairs"]),
            str(sweep[limit]["placeholder_photo_pairs"]),
            str(sweep[limit]["copies_near_another_photo"]),
        )
        for limit in sweep
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    say(f"\n{hasher}: per cent of {len(EDITS)} edits found, and pairs of different pictures called near")
    for line in lines:
        say("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    print_figures("copies", run)
