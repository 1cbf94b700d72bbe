from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from imgmatch.demo.world import RING_PLANS, World, draw_world

if TYPE_CHECKING:
    from pathlib import Path

Lines = list[dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return draw_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def lines(world: World) -> Lines:
    with world.manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def first_seen(lines: Lines) -> dict[str, datetime]:
    seen: dict[str, datetime] = {}
    for line in lines:
        moment = datetime.fromisoformat(line["seen_at"])
        seen[line["account"]] = min(moment, seen.get(line["account"], moment))
    return seen


def digest(folder: Path) -> str:
    parts = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts.update(path.relative_to(folder).as_posix().encode())
            parts.update(path.read_bytes())
    return parts.hexdigest()


def test_the_world_has_about_three_hundred_accounts_and_four_hundred_and_twenty_photos(
    world: World, lines: Lines
) -> None:
    assert list(lines[0]) == ["account", "photo", "name", "seen_at", "photo_id", "country"]
    assert world.photos == len(lines)
    assert 400 <= world.photos <= 440
    assert world.accounts == len({line["account"] for line in lines})
    assert 290 <= world.accounts <= 310
    assert len({line["photo_id"] for line in lines}) == len(lines)


def test_every_line_names_a_file_and_every_file_has_a_line(world: World, lines: Lines) -> None:
    home = world.manifest.parent
    files = {path.relative_to(home).as_posix() for path in (home / "photos").rglob("*.jpg")}
    assert files == {line["photo"] for line in lines}


def test_an_account_has_one_name_and_no_two_accounts_share_one(lines: Lines) -> None:
    names = {line["account"]: line["name"] for line in lines}
    assert all(names[line["account"]] == line["name"] for line in lines)
    assert len(set(names.values())) == len(names)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_every_file(world: World, tmp_path: Path) -> None:
    again = draw_world(tmp_path / "again")
    assert digest(again.manifest.parent) == digest(world.manifest.parent)
    assert again.rings == world.rings
    assert again.suspect_accounts == world.suspect_accounts


def test_every_planted_ring_is_in_the_manifest_and_no_account_is_in_two(world: World, lines: Lines) -> None:
    accounts = {line["account"] for line in lines}
    assert [(len(ring.accounts), len(ring.victims)) for ring in world.rings] == list(RING_PLANS)
    tied = [account for ring in world.rings for account in ring.tied]
    assert set(tied) <= accounts
    assert len(set(tied)) == len(tied)


def test_victims_had_their_photos_before_the_gang_and_the_first_account_before_all(world: World, lines: Lines) -> None:
    seen = first_seen(lines)
    for ring in world.rings:
        assert max(seen[victim] for victim in ring.victims) < min(seen[account] for account in ring.accounts)
        assert ring.first_account == min(ring.tied, key=lambda account: seen[account])


@pytest.mark.slow
def test_every_photo_of_a_gang_is_a_copy_of_a_photo_of_a_victim_and_they_hang_together(
    world: World, lines: Lines
) -> None:
    photos = defaultdict(list)
    for line in lines:
        photos[line["account"]].append(world.manifest.parent / line["photo"])
    for ring in world.rings:
        carried: dict[str, set[str]] = {}
        for account in ring.accounts:
            owners = [owner_of(path, ring.victims, photos) for path in photos[account]]
            carried[account] = {owner for owner in owners if owner}
            assert len(carried[account]) == len(owners)
        reached = {ring.first_account}
        for _ in ring.victims:
            reached |= {victim for victims in carried.values() if victims & reached for victim in victims}
        assert reached == ring.victims


def owner_of(path: Path, victims: frozenset[str], photos: dict[str, list[Path]]) -> str:
    """The victim whose photo this is in one of its eight orientations, or nobody."""
    found = [victim for victim in victims if orientation_distance(path, photos[victim][0]) <= 32]
    return found[0] if len(found) == 1 else ""


def orientation_distance(path: Path, other: Path) -> int:
    target = hashes(other)[0]
    return min(int(way - target) for way in hashes(path))


@cache
def hashes(path: Path) -> list[imagehash.ImageHash]:
    """Those of a picture in each of its eight orientations, as it is first."""
    with Image.open(path) as image:
        grey = image.convert("L")
    turned = [grey.rotate(angle, expand=True) for angle in (0, 90, 180, 270)]
    return [imagehash.phash(way, hash_size=16) for way in (*turned, *map(ImageOps.mirror, turned))]


def test_some_member_of_every_ring_carries_the_very_bytes_of_the_victim(world: World, lines: Lines) -> None:
    home = world.manifest.parent
    contents = {line["photo"]: (line["account"], (home / line["photo"]).read_bytes()) for line in lines}
    for ring in world.rings:
        stolen = {data for account, data in contents.values() if account in ring.victims}
        assert any(account in ring.accounts and data in stolen for account, data in contents.values())


def test_the_default_avatar_is_on_about_seventy_accounts_none_of_them_in_a_ring(world: World) -> None:
    assert len(world.avatar_accounts) == 70
    assert all(not ring.tied & world.avatar_accounts for ring in world.rings)


def test_bad_photos_are_cut_off_not_a_picture_empty_and_of_one_colour(world: World, lines: Lines) -> None:
    home = world.manifest.parent
    assert set(world.bad_photos) <= {line["photo"] for line in lines}
    cut, text, empty, flat = (home / photo for photo in world.bad_photos)
    with Image.open(cut) as image, pytest.raises(OSError, match="truncated"):
        image.load()
    with pytest.raises(UnidentifiedImageError):
        Image.open(text)
    assert empty.read_bytes() == b""
    with Image.open(flat) as image:
        assert np.ptp(np.asarray(image), axis=(0, 1)).max() == 0


def test_the_suspect_is_not_in_the_manifest_and_leads_to_the_account_that_had_it_first(
    world: World, lines: Lines
) -> None:
    home = world.manifest.parent
    seen = first_seen(lines)
    assert world.suspect.relative_to(home).as_posix() not in {line["photo"] for line in lines}
    near = {line["account"] for line in lines if usable(world, line) and is_copy(world.suspect, home / line["photo"])}
    assert near == world.suspect_accounts
    assert world.suspect_account == min(near, key=lambda account: seen[account])


def usable(world: World, line: dict[str, str]) -> bool:
    tied = {account for ring in world.rings for account in ring.tied}
    return line["account"] in tied and line["photo"] not in world.bad_photos


def is_copy(path: Path, other: Path) -> bool:
    return orientation_distance(path, other) <= 32
