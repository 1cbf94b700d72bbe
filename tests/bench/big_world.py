"""A world of 30,000 accounts on disk over three nights, and the truth about its rings.

Gangs dress their accounts with edited copies of stolen photos; half the time the victim is there too, with the
original. Everybody else is honest. Many show a default avatar or a celebrity, which ties nobody to anybody. Before the
second night rings come, grow, shrink, merge and split; before the third hardly anything happens.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from big_world_draw import Copy, write_all
from big_world_plan import WorldPlan
from big_world_rings import SMALLEST, tied
from common import say

NIGHTS = (1, 2, 3)
COLUMNS = ("account", "photo", "name", "seen_at", "photo_id")
LEAST_SCALE = 0.05
_TRUTH = "truth.json"

Accounts = frozenset[str]


@dataclass(frozen=True)
class PlantedRing:
    """A ring as it is on one night.

    Attributes:
        accounts: all that carry one of its pictures, the victims included.
        pictures: for each stolen picture the ids of the photos that show it, the victim's original included.
    """

    accounts: Accounts
    pictures: tuple[tuple[str, ...], ...]


class Changes(TypedDict):
    """What became of the rings between two nights, in the accounts before and after."""

    new: list[Accounts]
    grown: list[tuple[Accounts, Accounts]]
    shrunk: list[tuple[Accounts, Accounts]]
    merged: list[tuple[tuple[Accounts, Accounts], Accounts]]
    split: list[tuple[Accounts, tuple[Accounts, Accounts]]]


@dataclass(frozen=True)
class BigWorld:
    """What was drawn, and what is true of it.

    Attributes:
        folder: where the manifests are, and below it the photos.
        scale: 1 for the full world.
        seed: what it was drawn from.
        manifests: for each night everything that is there then, removed photos no more.
        rings: the truth on each of the three nights.
        avatars: for each default avatar the ids of the photos that show it, of all nights.
        celebrities: likewise.
        changes: by night, 2 and 3, what happened since the night before.
        edits: the edit that made a copy, by the id of the photo.
        victims: the accounts that had a stolen picture first.
    """

    folder: Path
    scale: float
    seed: int
    manifests: tuple[Path, Path, Path]
    rings: tuple[tuple[PlantedRing, ...], ...]
    avatars: tuple[frozenset[str], ...]
    celebrities: tuple[frozenset[str], ...]
    changes: Mapping[int, Changes]
    edits: Mapping[str, str]
    victims: Accounts


def draw_big_world(folder: Path, scale: float = 1.0, seed: int = 1) -> BigWorld:
    """Draw the world; the full one takes some minutes with two processes and about 2 GB.

    Args:
        folder: made if missing; files of an earlier world are replaced, those left over stand in no manifest.
        scale: what part of the full world, from 0.05 to 1.
        seed: with the scale it decides every byte.

    Raises:
        ValueError: the scale is too small to have a ring of each kind, or larger than the shared photos allow.
    """
    if not LEAST_SCALE <= scale <= 1:
        raise ValueError(f"a world can be drawn at a scale of {LEAST_SCALE} to 1, not {scale}")
    folder.mkdir(parents=True, exist_ok=True)
    # Written last, so that a world with its truth is whole.
    (folder / _TRUTH).unlink(missing_ok=True)
    plan = WorldPlan(scale, seed)
    say(f"drawing {len(plan.photos):,} photos of {len(plan.ids):,} accounts into {folder}")
    write_all([(folder / photo.file, photo.recipe) for photo in plan.photos])
    for night in NIGHTS:
        _write_manifest(_manifest(folder, night), plan, night)
    truth = {
        "scale": scale,
        "seed": seed,
        "rings": [_rings(plan, night) for night in NIGHTS],
        "avatars": _groups(plan, "avatar"),
        "celebrities": _groups(plan, "celebrity"),
        "edits": {photo.photo_id: photo.recipe.edit for photo in plan.photos if isinstance(photo.recipe, Copy)},
        "victims": sorted(plan.ids[account] for account in plan.victims),
    }
    (folder / _TRUTH).write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return load_big_world(folder)


def load_big_world(folder: Path) -> BigWorld:
    """The world drawn into this folder earlier.

    Raises:
        FileNotFoundError: there is none, or its drawing was interrupted.
    """
    truth: dict[str, Any] = json.loads((folder / _TRUTH).read_text(encoding="utf-8"))
    rings = tuple(
        tuple(PlantedRing(frozenset(ring["accounts"]), tuple(map(tuple, ring["pictures"]))) for ring in night)
        for night in truth["rings"]
    )
    return BigWorld(
        folder=folder,
        scale=truth["scale"],
        seed=truth["seed"],
        manifests=(_manifest(folder, 1), _manifest(folder, 2), _manifest(folder, 3)),
        rings=rings,
        avatars=tuple(map(frozenset, truth["avatars"])),
        celebrities=tuple(map(frozenset, truth["celebrities"])),
        changes={night: changes_between(rings[night - 2], rings[night - 1]) for night in NIGHTS[1:]},
        edits=truth["edits"],
        victims=frozenset(truth["victims"]),
    )


def changes_between(before: tuple[PlantedRing, ...], after: tuple[PlantedRing, ...]) -> Changes:
    """What became of the rings of one night by the next; rings with an account in common are one ring before and after.

    Raises:
        ValueError: a ring both split and merged, or three did: no world is drawn so.
    """
    changes: Changes = {"new": [], "grown": [], "shrunk": [], "merged": [], "split": []}
    for ring in (ring.accounts for ring in after):
        earlier = [one.accounts for one in before if one.accounts & ring]
        later = [one.accounts for one in after if earlier and one.accounts & earlier[0]]
        match earlier, later:
            case [], _:
                changes["new"].append(ring)
            case [one, other], [_]:
                changes["merged"].append(((one, other), ring))
            case [one], [part, rest]:
                if ring == part:
                    changes["split"].append((one, (part, rest)))
            case [one], [_] if one < ring:
                changes["grown"].append((one, ring))
            case [one], [_] if ring < one:
                changes["shrunk"].append((one, ring))
            case [one], [_] if ring == one:
                pass
            case _:
                raise ValueError(f"rings changed in more than one way: {earlier} to {later}")
    return changes


def _rings(plan: WorldPlan, night: int) -> list[dict[str, Any]]:
    """The rings of a night, worked out from who carries what."""
    photos: dict[int, list[str]] = defaultdict(list)
    carried = []
    for photo in plan.photos:
        if photo.group and photo.group.kind == "ring" and photo.nights[0] <= night <= photo.nights[1]:
            carried.append((photo.account, photo.group.number))
            photos[photo.group.number].append(photo.photo_id)
    rings: list[dict[str, Any]] = []
    for accounts in tied(carried):
        if len(accounts) < SMALLEST:
            continue
        pictures = sorted({picture for account, picture in carried if account in accounts})
        ids = sorted(plan.ids[account] for account in accounts)
        rings.append({"accounts": ids, "pictures": [photos[picture] for picture in pictures]})
    return rings


def _groups(plan: WorldPlan, kind: str) -> list[list[str]]:
    groups: dict[int, list[str]] = defaultdict(list)
    for photo in plan.photos:
        if photo.group and photo.group.kind == kind:
            groups[photo.group.number].append(photo.photo_id)
    return [groups[number] for number in sorted(groups)]


def _manifest(folder: Path, night: int) -> Path:
    return folder / f"night{night}.csv"


def _write_manifest(path: Path, plan: WorldPlan, night: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for photo in plan.photos:
            if photo.nights[0] <= night <= photo.nights[1]:
                account, name = plan.ids[photo.account], plan.names[photo.account]
                lines.writerow((account, photo.file, name, photo.seen_at, photo.photo_id))
