"""The plan of the big world: every photo of every account, before anything is drawn.

The rings come first, then honest accounts fill the world up. Default avatars go to any account, as they do in life;
celebrities to honest ones. Neither ties anybody to anybody.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from big_world_draw import Drawn, Recipe, Recoded, Repost, Whole
from big_world_material import Material
from big_world_rings import ALWAYS, DAYS, Nights, RingPlan, scaled

from imgmatch.demo.names import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ACCOUNTS, PHOTOS = 30_000, 60_000
AVATARS, CELEBRITIES = 100, 100
_AVATAR_SHARE = 0.2
_RECODED = 0.3
_FANS = (20, 60)
_NEW_HONEST = {2: 0.02, 3: 0.01}
_REMOVED_HONEST = 0.01
_SAME_PERSON = 0.5
_OPENING = datetime(2026, 10, 1, tzinfo=UTC) - timedelta(days=DAYS)


@dataclass(frozen=True, slots=True)
class Group:
    """What a photo is one of: `kind` is ring, avatar or celebrity, `number` which picture of the kind."""

    kind: str
    number: int


@dataclass(slots=True)
class Photo:
    """One photo of one account; `group` is None where nobody else has the picture."""

    account: int
    day: float
    nights: Nights
    recipe: Recipe
    group: Group | None = None
    photo_id: str = ""
    file: str = ""

    @property
    def seen_at(self) -> str:
        """When it was first seen, as the manifest has it."""
        return (_OPENING + timedelta(seconds=round(self.day * 86400))).strftime("%Y-%m-%dT%H:%M:%SZ")


class WorldPlan:
    """All accounts and photos.

    Attributes:
        ids: of each account the id.
        names: of each account the display name.
        photos: in the order of their ids, which tells nothing.
        victims: numbers of the accounts that had a stolen picture first.
    """

    def __init__(self, scale: float, seed: int) -> None:
        self._rng = random.Random(f"plan/{seed}/{scale}")
        self._material = Material(scale, seed)
        self._scale = scale
        avatars = self._material.avatars(scaled(AVATARS, scale))
        celebrities = self._material.celebrities(scaled(CELEBRITIES, scale))
        rings = RingPlan(scale, f"{seed}/{scale}")
        self.victims = {one.account for one in rings.carried if one.original}
        self._gangs = len(rings.nights)
        self._nights = list(rings.nights) + self._honest_nights(round(ACCOUNTS * scale) - self._gangs)
        self.photos: list[Photo] = []
        self._add_rings(rings)
        with_avatar = self._add_avatars(avatars)
        with_celebrity = self._add_celebrities(celebrities, with_avatar)
        self._add_own(with_avatar | with_celebrity, round(PHOTOS * scale) - len(self.photos))
        numbers = self._rng.sample(range(100_000, 1_000_000), len(self._nights))
        self.ids = [f"u{number}" for number in numbers]
        generator = np.random.default_rng((seed, round(scale * 1000)))
        self.names = [display_name(generator) for _ in self.ids]
        self._name_photos()

    def _honest_nights(self, number: int) -> list[Nights]:
        """All but a few are there from the first night on."""
        nights = [ALWAYS] * number
        for first, share in _NEW_HONEST.items():
            nights += [(first, 3)] * scaled(round(ACCOUNTS * share), self._scale)
        return nights[-number:]

    def _add(self, account: int, recipe: Recipe, group: Group | None = None, day: float | None = None) -> Photo:
        when = self._rng.uniform(0, DAYS) if day is None else day
        photo = Photo(account, when, self._nights[account], recipe, group)
        self.photos.append(photo)
        return photo

    def _add_rings(self, rings: RingPlan) -> None:
        originals = self._material.stolen(rings.pictures)
        for one in rings.carried:
            path = originals[one.picture]
            recipe = Whole(path) if one.original else self._material.copy(path)
            self._add(one.account, recipe, Group("ring", one.picture), one.day)

    def _add_avatars(self, avatars: Sequence[Whole | Drawn]) -> set[int]:
        """Most accounts have the very same file."""
        accounts = self._rng.sample(range(len(self._nights)), round(len(self._nights) * _AVATAR_SHARE))
        for place, account in enumerate(accounts):
            number = place % len(avatars)
            recipe: Recipe = avatars[number]
            if self._rng.random() < _RECODED:
                recipe = Recoded(avatars[number], f"recoded/{place}/{self._rng.random()}")
            self._add(account, recipe, Group("avatar", number))
        return set(accounts)

    def _add_celebrities(self, celebrities: Sequence[Path], taken: set[int]) -> set[int]:
        free = [one for one in range(self._gangs, len(self._nights)) if one not in taken]
        self._rng.shuffle(free)
        fans = set()
        for number, path in enumerate(celebrities):
            for _ in range(self._rng.randint(*_FANS)):
                account = free.pop()
                fans.add(account)
                self._add(account, Repost(path, f"repost/{account}/{self._rng.random()}"), Group("celebrity", number))
        return fans

    def _add_own(self, dressed: set[int], number: int) -> None:
        """Photos nobody else has: 1 to 3 on plain honest accounts, at most 2 on those that show something else."""
        honest = range(self._gangs, len(self._nights))
        accounts = [one for one in honest if one not in dressed]
        more = [one for one in (*sorted(self.victims), *honest) for _ in range(2)]
        accounts += self._rng.sample(more, number - len(accounts))
        material = self._material.honest()[: len(accounts)]
        self._rng.shuffle(accounts)
        own = [self._add(account, recipe) for account, recipe in zip(accounts, material, strict=False)]
        people: dict[int, Drawn] = {}
        for account in accounts[len(material) :]:
            last = people.get(account)
            again = last is not None and self._rng.random() < _SAME_PERSON
            person = Drawn(last.person, last.photo + 1) if last and again else Drawn(self._material.people())
            people[account] = person
            own.append(self._add(account, person))
        for photo in self._rng.sample(own, scaled(round(len(own) * _REMOVED_HONEST / self._scale), self._scale)):
            if photo.nights == ALWAYS:
                photo.nights = (1, 2)

    def _name_photos(self) -> None:
        """Give every photo a file, numbered by day within its account, and an id that tells nothing."""
        self.photos.sort(key=lambda photo: (photo.account, photo.day))
        numbers: dict[int, int] = {}
        codes = self._rng.sample(range(1_000_000, 10_000_000), len(self.photos))
        for photo, code in zip(self.photos, codes, strict=True):
            numbers[photo.account] = number = numbers.get(photo.account, 0) + 1
            photo.photo_id = f"p{code}"
            photo.file = f"photos/{self.ids[photo.account]}/{number}.jpg"
        self.photos.sort(key=lambda photo: photo.photo_id)
