"""A small world of accounts on disk, some of them planted, and the truth about it.

Most accounts are honest and carry one or two photos of their own. Rings of accounts carry edited copies of photos that
an honest account had first. Many accounts show the default avatar, which ties nobody to anybody. A few files are bad.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imgmatch import own_files
from imgmatch.demo import edits
from imgmatch.demo.ledger import Ledger
from imgmatch.demo.portraits import default_avatar, portrait

RING_PLANS = ((3, 1), (4, 1), (5, 2), (6, 2), (8, 3), (9, 3))
"""The planted rings: how many accounts, and how many stolen photos they share."""

_HONEST, _SECOND_PHOTO, _AVATARS, _AVATAR_ONLY = 248, 60, 70, 16
_STOLEN_BEFORE, _DAYS = 400, 900


@dataclass(frozen=True, slots=True)
class PlantedRing:
    """A ring as it was planted.

    Attributes:
        accounts: the accounts of the gang; at least three.
        victims: the honest accounts the photos were stolen from, one for each photo.
        first_account: the victim whose photo is the earliest of all; no other account had one of them before.
    """

    accounts: frozenset[str]
    victims: frozenset[str]
    first_account: str

    @property
    def tied(self) -> frozenset[str]:
        """All accounts that share photos, victims included: what a search for rings should come to."""
        return self.accounts | self.victims


@dataclass(frozen=True, slots=True)
class World:
    """What was drawn, and what is true of it.

    Attributes:
        manifest: the CSV file to scan; its photos are named relative to it.
        accounts: how many accounts the manifest has.
        photos: how many lines the manifest has, bad files included.
        rings: what was planted.
        avatar_accounts: the accounts that show the default avatar.
        bad_photos: the ``photo`` column of files that cannot be used: cut off, not a picture, empty, of one colour.
        suspect: an edited copy of a stolen photo that stands in no line of the manifest, to be checked.
        suspect_account: the account that had the suspect's photo first.
        suspect_accounts: every account that carries the suspect's photo.
    """

    manifest: Path
    accounts: int
    photos: int
    rings: tuple[PlantedRing, ...]
    avatar_accounts: frozenset[str]
    bad_photos: tuple[str, ...]
    suspect: Path
    suspect_account: str
    suspect_accounts: frozenset[str]


def draw_world(folder: Path, seed: int = 7) -> World:
    """Draws about 420 photos of about 300 accounts and a manifest; takes about ten seconds.

    Args:
        folder: made if missing. Gets ``manifest.csv``, ``suspect.jpg`` and ``photos/ACCOUNT/NUMBER.jpg``; files of
            these names are replaced.
        seed: the same seed gives the same world.

    Returns:
        What was drawn, and what is true of it.

    Raises:
        OSError: the folder cannot be written.
    """
    rng = np.random.default_rng((seed, 300))
    ledger = Ledger(folder, rng)
    honest = [ledger.open_account() for _ in range(_HONEST)]
    for number, account in enumerate(honest[_AVATAR_ONLY:]):
        for photo in range(2 if number < _SECOND_PHOTO else 1):
            ledger.add_picture(account, _portrait(seed, number, photo), day=rng.uniform(_STOLEN_BEFORE, _DAYS))
    victims = iter(range(_HONEST - _AVATAR_ONLY, _HONEST))
    thefts = [_plant(ledger, seed, [next(victims) for _ in range(photos)], gang) for gang, photos in RING_PLANS]
    avatar_accounts = honest[:_AVATAR_ONLY] + honest[-(_AVATARS - _AVATAR_ONLY) :]
    avatar = ledger.pack(default_avatar())
    for account in avatar_accounts:
        ledger.add_bytes(account, avatar, day=rng.uniform(0, _DAYS))
    bad = _add_bad_files(ledger)
    theft = thefts[-1]
    suspect = folder / "suspect.jpg"
    with os.fdopen(own_files.overwrite(suspect, shared=own_files.is_shared(folder)), "wb") as file:
        edits.greyscale(edits.mirror(theft.pictures[0])).save(file, "JPEG", quality=80)
    return World(
        manifest=ledger.write(),
        accounts=ledger.accounts,
        photos=len(ledger.rows),
        rings=tuple(theft.ring for theft in thefts),
        avatar_accounts=frozenset(avatar_accounts),
        bad_photos=bad,
        suspect=suspect,
        suspect_account=theft.owners[0],
        suspect_accounts=theft.carriers,
    )


@dataclass(frozen=True, slots=True)
class _Theft:
    """A planted ring with its stolen pictures, their owners in the same order, and who carries the first."""

    ring: PlantedRing
    pictures: tuple[Image.Image, ...]
    owners: tuple[str, ...]
    carriers: frozenset[str]


def _portrait(seed: int, number: int, photo: int = 0) -> Image.Image:
    return portrait(seed * 1000 + number, photo)


def _plant(ledger: Ledger, seed: int, numbers: list[int], gang: int) -> _Theft:
    """Gives photos to new victims, then edited copies to the accounts of a gang.

    The first accounts of the gang carry two of the photos each, so that all of them hang together.
    """
    rng = ledger.rng
    pictures = tuple(_portrait(seed, number) for number in numbers)
    owners = tuple(ledger.open_account() for _ in pictures)
    had = [rng.uniform(0, _STOLEN_BEFORE / 2) for _ in pictures]
    originals = [ledger.pack(picture) for picture in pictures]
    for owner, original, day in zip(owners, originals, had, strict=True):
        ledger.add_bytes(owner, original, day=day)
    accounts = [ledger.open_account() for _ in range(gang)]
    order = rng.permutation(len(edits.EDITS))
    carriers = {owners[0]}
    for member, account in enumerate(accounts):
        for which in _share(member, len(pictures)):
            day = rng.uniform(_STOLEN_BEFORE, _DAYS)
            if member == gang - 1:
                ledger.add_bytes(account, originals[which], day=day)
            else:
                edit = edits.EDITS[order[(member + which) % len(order)]]
                ledger.add_picture(account, edit.apply(pictures[which]), day=day)
            if which == 0:
                carriers.add(account)
    ring = PlantedRing(frozenset(accounts), frozenset(owners), owners[int(np.argmin(had))])
    return _Theft(ring, pictures, owners, frozenset(carriers))


def _share(member: int, photos: int) -> tuple[int, ...]:
    """Which of the stolen photos one account of a gang carries."""
    return (member, member + 1) if member < photos - 1 else (member % photos,)


def _add_bad_files(ledger: Ledger) -> tuple[str, ...]:
    """Files no scan can use, each on an account that has nothing else; returns how the manifest names them."""
    whole = ledger.pack(default_avatar())
    flat = ledger.pack(Image.new("RGB", (480, 600), (70, 120, 90)))
    contents = (whole[: len(whole) // 3], b"This is a note, not a picture.\n", b"", flat)
    day = _DAYS / 2
    return tuple(ledger.add_bytes(ledger.open_account(), content, day=day).photo for content in contents)
