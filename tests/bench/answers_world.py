"""A small world over three nights, and the photos that are checked in it: the same files for both versions.

Most photos of ../shared/photos are on an account of their own or on one with a few others. Gangs carry edited copies of
some of them, placeholders and some avatars are on many accounts over two years, and one photo in ten is on no account:
it can only be asked about. Every choice is made from one seed, and everything is drawn once and kept in a folder.
"""

from __future__ import annotations

import csv
import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from common import PHOTOS, photos_in, say
from edited_copies import Asked, drawn
from edits import EDITS
from edits.words import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
SEED = 11
FOLDERS = ("portraits", "phone", "generated", "avatars", "same-person")
PLACEHOLDERS = "placeholders"
COLUMNS = ("account", "photo", "name", "seen_at", "photo_id")
NIGHTS = (1, 2, 3)
EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
COMMON_DAYS = 700
"""Days over which the accounts come that carry a common picture."""

COMMON_ACCOUNTS = 20
LEFT_OUT = 10
"""One photo in so many is on no account."""

GONE = 100
"""One photo in so many is gone from the manifest of the second night, and one has another account's name."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is; ``photos`` of 0 takes all there are."""

    name: str
    photos: int
    checks: int
    gangs: int
    common: int
    compared: int


FULL = Size("full", 0, 600, 60, 12, 12)
QUICK = Size("quick", 200, 60, 8, 2, 4)


@dataclass(frozen=True, slots=True)
class Row:
    """A photo on an account, from one night on."""

    account: str
    photo: Path
    name: str
    seen_at: datetime
    photo_id: str
    night: int


@dataclass(frozen=True, slots=True)
class AnswersWorld:
    """Where the files of a world are.

    Attributes:
        manifests: of each night, all photos that are there then.
        queries: a folder of photos to check.
        compared: pairs of a query and the photo it was made from.
    """

    manifests: list[Path]
    queries: Path
    compared: list[tuple[Path, Path]]


def world_in(folder: Path, size: Size) -> AnswersWorld:
    """The world kept in a folder, or a new one."""
    rng = random.Random(f"{SEED}/{size.name}")
    stored, left_out = _split(rng, size)
    rows, copies = _accounts(rng, size, folder, stored)
    queries = _queries(rng, size, folder, stored, left_out)
    manifests = [folder / f"night-{night}.csv" for night in NIGHTS]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "copies").mkdir(parents=True)
        (folder / "queries").mkdir()
        say(f"drawing {len(copies) + len(queries):,} edited photos")
        with get_context("fork").Pool(2) as pool:
            pool.starmap(_draw, [(*one, left_out) for one in (*copies, *queries)], chunksize=8)
        for night, manifest in zip(NIGHTS, manifests, strict=True):
            _write(manifest, _there(rows, night))
        (folder / "complete").touch()
    compared = [(path, asked.path) for asked, path in queries[:: max(1, len(queries) // size.compared)]]
    return AnswersWorld(manifests, folder / "queries", compared[: size.compared])


def _split(rng: random.Random, size: Size) -> tuple[list[Path], list[Path]]:
    """Photos that are on accounts, and those that are on none, in random order."""
    every = photos_in(*FOLDERS)
    rng.shuffle(every)
    every = every[: size.photos or None]
    fewest = max(len(every) // LEFT_OUT, 12)  # edits draw on some of them
    return every[fewest:], every[:fewest]


def _accounts(
    rng: random.Random, size: Size, folder: Path, stored: Sequence[Path]
) -> tuple[list[Row], list[tuple[Asked, Path]]]:
    """All rows of all nights, and the edited copies among them, each with the file it is drawn into."""
    rows: list[Row] = []
    owner = -1
    for photo in stored:
        owner += rng.random() < 0.6 or owner < 0  # else the one before has this photo, too
        night = rng.choices(NIGHTS, (6, 3, 1))[0]
        rows.append(_row(rng, f"u{owner:05}", photo, f"p{len(rows):05}", night))
    copies = _gangs(rng, size, folder, stored)
    rows += [row for row, _ in copies]
    placeholders = photos_in(PLACEHOLDERS)
    rows += [
        _row(rng, f"f{number:05}", photo, f"f{number:05}", rng.choice(NIGHTS))
        for number, photo in enumerate(placeholders if not size.photos else placeholders[:: len(placeholders) // 20])
    ]
    avatars = rng.sample(photos_in("avatars", "generated"), size.common)
    for place, photo in enumerate(avatars):
        for number in range(COMMON_ACCOUNTS):
            name = f"c{place:02}{number:03}"
            seen_at = EPOCH - timedelta(days=rng.uniform(0, COMMON_DAYS))
            rows.append(Row(name, photo, rng.choice(NAMES), seen_at, name, rng.choice(NIGHTS)))
    return rows, [(asked, row.photo) for row, asked in copies]


def _gangs(rng: random.Random, size: Size, folder: Path, stored: Sequence[Path]) -> list[tuple[Row, Asked]]:
    """Accounts that carry edited copies of one to three stolen photos, and come over the nights."""
    found: list[tuple[Row, Asked]] = []
    edits = list(EDITS)
    for gang in range(size.gangs):
        stolen = rng.sample(stored, rng.randint(1, 3))
        for member in range(rng.randint(2, 8)):
            account = f"g{gang:03}-{member}"
            night = rng.choices(NIGHTS, (5, 3, 2))[0]
            for picture in rng.sample(stolen, rng.randint(1, len(stolen))):
                photo_id = f"g{len(found):05}"
                asked = Asked(picture, rng.choice(edits), 1, rng.getrandbits(32))
                row = _row(rng, account, folder / "copies" / f"{photo_id}.jpg", photo_id, night)
                found.append((row, asked))
    return found


def _row(rng: random.Random, account: str, photo: Path, photo_id: str, night: int) -> Row:
    seen_at = EPOCH + timedelta(days=30 * (night - 1) + rng.uniform(0, 30))
    return Row(account, photo, rng.choice(NAMES), seen_at.replace(microsecond=0), photo_id, night)


def _there(rows: Sequence[Row], night: int) -> list[Row]:
    """What the manifest of a night holds: from the second on some photos are gone, and some names are others."""
    there = [row for row in rows if row.night <= night]
    if night == NIGHTS[0]:
        return there
    kept = [row for number, row in enumerate(there) if number % GONE != 1]
    return [
        Row(row.account, row.photo, f"{row.name} II", row.seen_at, row.photo_id, row.night)
        if number % GONE == 2
        else row
        for number, row in enumerate(kept)
    ]


def _queries(
    rng: random.Random, size: Size, folder: Path, stored: Sequence[Path], left_out: Sequence[Path]
) -> list[tuple[Asked, Path]]:
    """Edited copies, nine in ten of photos that are on accounts, each edit as often as any other."""
    queries = []
    edits: list[str] = []
    for number in range(size.checks):
        if not edits:
            edits = rng.sample(list(EDITS), len(EDITS))
        edit = edits.pop()
        photo = rng.choice(left_out if number % 10 == 9 else stored)
        strength = rng.choice(EDITS[edit].strengths)
        name = f"{number:04}-{edit}-{strength}-{photo.relative_to(PHOTOS).as_posix().replace('/', '-')}"
        queries.append(
            (Asked(photo, edit, strength, rng.getrandbits(32)), folder / "queries" / f"{name.partition('.')[0]}.jpg")
        )
    return queries


def _draw(asked: Asked, path: Path, others: Sequence[Path]) -> None:
    path.write_bytes(drawn(asked, [other for other in others if other != asked.path]))


def _write(manifest: Path, rows: Sequence[Row]) -> None:
    with manifest.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(
            (row.account, row.photo, row.name, row.seen_at.isoformat(), row.photo_id)
            for row in sorted(rows, key=lambda row: row.photo_id)
        )
