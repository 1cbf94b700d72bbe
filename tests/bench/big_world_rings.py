"""The rings of the big world: who carries which stolen picture, from when, and who comes and goes between the nights.

Accounts and pictures are numbers here. What the rings are on a night is not kept but worked out from who carries what.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DAYS = 1096.0
"""Three years up to 2026-10-01."""

RINGS = 500
SMALLEST, LARGEST = 2, 80
_MEDIAN, _SPREAD = 6.0, 1.25
_WITH_VICTIMS = {SMALLEST: 0.8}
_WITH_VICTIMS_ELSE = 0.4
"""With the pairs, of which most have a victim, every second ring has one."""
_CARRIES_TWO = 0.15
_STOLEN_BEFORE = (100.0, 900.0)
_BURST = (2.0, 100.0)

Nights = tuple[int, int]
"""The first and the last night on which something is there."""

ALWAYS: Nights = (1, 3)
_GONE: Nights = (1, 1)
_FROM = {2: (2, 3), 3: (3, 3)}

NEW_ON = {2: 20, 3: 5}
GROWN, SHRUNK, MERGED, SPLIT = 30, 10, 1, 1


@dataclass(frozen=True, slots=True)
class Carried:
    """One stolen picture on one account, as the victim's original or as a copy."""

    account: int
    picture: int
    original: bool
    day: float


@dataclass(slots=True)
class Gang:
    """A ring while it is planned: its pictures, when its burst ends, and all that is carried."""

    pictures: list[int]
    stop: float = 0.0
    carried: list[Carried] = field(default_factory=list)

    @property
    def accounts(self) -> set[int]:
        return {one.account for one in self.carried}


def tied(carried: Iterable[tuple[int, int]]) -> list[set[int]]:
    """Accounts that hang together by pictures, given as pairs (account, picture); in the order they first come."""
    pairs = list(carried)
    carriers: dict[int, list[int]] = defaultdict(list)
    shown: dict[int, list[int]] = defaultdict(list)
    for account, picture in pairs:
        carriers[picture].append(account)
        shown[account].append(picture)
    rings: list[set[int]] = []
    placed: set[int] = set()
    for start in shown:
        if start in placed:
            continue
        ring, waiting = {start}, [start]
        while waiting:
            for picture in shown[waiting.pop()]:
                new = set(carriers[picture]) - ring
                ring |= new
                waiting += new
        placed |= ring
        rings.append(ring)
    return rings


class RingPlan:
    """All rings of a world.

    Attributes:
        carried: every stolen picture on every account, of all nights.
        nights: for each account, numbered from 0, when it is there.
        pictures: how many pictures were stolen.
    """

    def __init__(self, scale: float, seed: str) -> None:
        self._rng = random.Random(f"rings/{seed}")
        self.nights: list[Nights] = []
        self.pictures = 0
        sizes = ring_sizes(max(1, round(RINGS * scale)))
        self._rng.shuffle(sizes)
        free = list(range(len(sizes)))
        split = _take(free, scaled(SPLIT, scale), lambda one: 8 <= sizes[one] <= 30)
        shrunk = _take(free, scaled(SHRUNK, scale), lambda one: 6 <= sizes[one] <= 40)
        merged = _take(free, 2 * scaled(MERGED, scale), lambda one: 4 <= sizes[one] <= 30)
        grown = _take(free, scaled(GROWN, scale), lambda one: sizes[one] <= LARGEST - 5)
        new = {one: night for night, number in NEW_ON.items() for one in _take(free, scaled(number, scale))}
        gangs = [self._gang(size, _FROM.get(new.get(one, 1), ALWAYS), one in split) for one, size in enumerate(sizes)]
        for one in split:
            self._remove(_bridges(gangs[one]))
        for one in shrunk:
            self._remove(self._expelled(gangs[one]))
        for first, second in zip(merged[::2], merged[1::2], strict=True):
            self._join([gangs[first], gangs[second]])
        for one in grown:
            for _ in range(self._rng.randint(1, 5)):
                self._join([gangs[one]])
        self.carried = [carried for gang in gangs for carried in gang.carried]

    def _gang(self, size: int, nights: Nights, to_be_split: bool) -> Gang:  # noqa: FBT001 -- one of three, all meant
        """Give a ring its pictures, its victims and its gang, who may come later; the victims are always there."""
        rng = self._rng
        victims = rng.random() < _WITH_VICTIMS.get(size, _WITH_VICTIMS_ELSE)
        number = 2 if to_be_split else _pictures(size, rng)
        while size < (max(number + 1, 2 * number - 1) if victims else number + 1):
            number -= 1
        gang = Gang(list(range(self.pictures, self.pictures + number)))
        self.pictures += number
        burst = rng.uniform(*_BURST)
        start = rng.uniform(_STOLEN_BEFORE[0] if victims else 0, DAYS - burst)
        gang.stop = start + burst
        for picture in gang.pictures if victims else ():
            day = start - rng.uniform(_STOLEN_BEFORE[0], min(_STOLEN_BEFORE[1], start))
            gang.carried.append(Carried(self._account(ALWAYS), picture, original=True, day=day))
        members = size - number if victims else size
        for shown in self._shares(gang.pictures, members, to_be_split):
            account = self._account(nights)
            for picture in shown:
                gang.carried.append(Carried(account, picture, original=False, day=rng.uniform(start, gang.stop)))
        return gang

    def _shares(self, pictures: list[int], members: int, to_be_split: bool) -> list[tuple[int, ...]]:  # noqa: FBT001
        """Which pictures each account of a gang carries: first a path through all, so that the ring hangs together."""
        shares: list[tuple[int, ...]] = list(pairwise(pictures))
        if to_be_split:
            return shares + [(pictures[member % 2],) for member in range(members - 1)]
        # The ends of the path come next, so that every picture is on two accounts also where there is no victim.
        shares += [(pictures[0],), (pictures[-1],)]
        while len(shares) < members:
            two = len(pictures) > 1 and self._rng.random() < _CARRIES_TWO
            shares.append(tuple(self._rng.sample(pictures, 2 if two else 1)))
        return shares[:members]

    def _account(self, nights: Nights) -> int:
        self.nights.append(nights)
        return len(self.nights) - 1

    def _remove(self, accounts: Iterable[int]) -> None:
        for account in accounts:
            self.nights[account] = _GONE

    def _expelled(self, gang: Gang) -> list[int]:
        """A third of a ring, no victims, such that the rest still hangs together."""
        kept = [(one.account, one.picture) for one in gang.carried]
        candidates = sorted({one.account for one in gang.carried if not one.original})
        self._rng.shuffle(candidates)
        wanted = len(gang.accounts) // 3
        expelled: list[int] = []
        for account in candidates:
            without = [pair for pair in kept if pair[0] != account]
            if len(expelled) < wanted and len(tied(without)) == 1:
                kept = without
                expelled.append(account)
        return expelled

    def _join(self, gangs: Sequence[Gang]) -> None:
        """Let an account come on night 2 that carries a picture of each of these rings."""
        account = self._account(_FROM[2])
        stop = max(gang.stop for gang in gangs)
        for gang in gangs:
            day = self._rng.uniform(stop, min(stop + 60, DAYS))
            picture = self._rng.choice(gang.pictures)
            gang.carried.append(Carried(account, picture, original=False, day=day))


def scaled(number: int, scale: float) -> int:
    """A count of the full world in a smaller one, at least one."""
    return max(1, round(number * scale))


def ring_sizes(number: int) -> list[int]:
    """Many small rings and a few large ones: the quantiles of a log-normal distribution, cut off at both ends."""
    normal = NormalDist()
    sizes = [_MEDIAN * math.exp(_SPREAD * normal.inv_cdf((one + 0.5) / number)) for one in range(number)]
    return [min(max(round(size), SMALLEST), LARGEST) for size in sizes]


def _pictures(size: int, rng: random.Random) -> int:
    choices = {2: (1,), 3: (1, 2), 4: (1, 2, 2), 5: (2, 2, 3)}
    if size in choices:
        return rng.choice(choices[size])
    return rng.choice((2, 3) if size < 10 else (2, 3, 4) if size < 20 else (3, 4))


def _take(free: list[int], number: int, fits: Callable[[int], bool] = lambda _: True) -> list[int]:
    """Take the first few that fit off the list."""
    taken = [one for one in free if fits(one)][:number]
    if len(taken) < number:
        raise ValueError("the scale is too small for a ring of each kind")
    for one in taken:
        free.remove(one)
    return taken


def _bridges(gang: Gang) -> list[int]:
    """The accounts that carry more than one picture."""
    shown: dict[int, set[int]] = defaultdict(set)
    for one in gang.carried:
        shown[one.account].add(one.picture)
    return [account for account, pictures in shown.items() if len(pictures) > 1]
