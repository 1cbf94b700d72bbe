"""Groups of copies, and rings of accounts that are tied by them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from imgmatch.model.accounts import lookalikes
from imgmatch.model.banks import BankHit
from imgmatch.model.evidence import Evidence
from imgmatch.model.photos import Photo

_VERSION_DIGITS = 16


class Change(StrEnum):
    """What has become of a ring since the last report."""

    NEW = "new"
    GROWN = "grown"
    SHRUNK = "shrunk"
    MERGED = "merged"
    SPLIT = "split"
    PICTURES = "pictures"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that are copies of one picture, gathered round one of them.

    Attributes:
        group: id, the ``photo_id`` of the earliest photo.
        medoid: the photo all others are near to.
        photos: all of them, the earliest first.
        accounts: the distinct accounts, in the order they had it.
        common: carried by so many over so long a time (a default avatar), or known to be, that it ties nobody.
        evidence: how each of ``photos`` stands to the medoid, in the same order.
        diameter: bits that the fingerprints of two of them may be apart at the most, by their distances to the medoid;
            of those whose fingerprints are near enough to count.
        bank: the bank it is on, of stolen pictures or of common ones.
        decision: what a moderator said of it last; ``None`` if nothing yet.
    """

    group: str
    medoid: Photo
    photos: tuple[Photo, ...]
    accounts: tuple[str, ...]
    common: bool
    evidence: tuple[Evidence, ...] = ()
    diameter: int = 0
    bank: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class RingAccount:
    """An account in a ring, with the time it first showed one of the shared photos."""

    account: str
    name: str | None
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class Ring:
    """Accounts tied together by shared groups.

    Attributes:
        ring: id that stays when later accounts join.
        accounts: the accounts, in the order they first showed a shared photo.
        groups: the groups that tie them.
        first_account: the account that had a shared photo first (it may be the victim).
        names: the distinct display names in use.
        opened_at: when a second account first showed a shared photo; of a known picture on one account, when that did.
        new: not in the last report; ``None`` where none was made.
        decision: what a moderator said of it, or of one of its groups, last; ``None`` if nothing yet.
        accounts_per_day: how fast it spread: accounts after the first, over the days from the second to the last.
        bank: a bank of stolen pictures that one of its pictures is on; ``known-stolen`` where a moderator has
            confirmed one.
        changes: what has become of it since the last report; empty if nothing, or if none was made.
        joined: accounts that were not in it then, in order.
        left: accounts that were in it then and are in no ring now, in order.
        came_from: other rings of the last report whose accounts are in it now, in order.
        went_to: other rings that hold accounts it had then, in order.
        bank_hits: entries of banks that its photos hit, but for what decisions have filed.
    """

    ring: str
    accounts: tuple[RingAccount, ...]
    groups: tuple[Group, ...]
    first_account: str
    names: tuple[str, ...]
    opened_at: datetime
    new: bool | None = None
    decision: str | None = None
    accounts_per_day: float = 0.0
    bank: str | None = None
    changes: tuple[Change, ...] = ()
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    came_from: tuple[str, ...] = ()
    went_to: tuple[str, ...] = ()
    bank_hits: tuple[BankHit, ...] = ()

    @property
    def strength(self) -> int:
        """How many distinct pictures tie it."""
        return len(self.groups)

    @property
    def version(self) -> str:
        """What is another where anything that a moderator decides on is: accounts, photos, decisions; 16 hex digits."""
        shown = [
            [group.group, group.decision, [[photo.photo_id, photo.account, photo.frame] for photo in group.photos]]
            for group in self.groups
        ]
        return hashlib.sha256(json.dumps([self.ring, shown]).encode()).hexdigest()[:_VERSION_DIGITS]

    @property
    def lookalikes(self) -> tuple[tuple[str, ...], ...]:
        """Its accounts that a person cannot tell apart, in sets of two or more: each may be one account."""
        return lookalikes(member.account for member in self.accounts)

    @property
    def all_alike(self) -> bool:
        """Whether all its accounts look alike: then it may be no ring, but one account."""
        return [len(some) for some in self.lookalikes] == [len(self.accounts)]


@dataclass(frozen=True, slots=True)
class Gone:
    """A ring of the last report that is none any more: its id, and the accounts it had, in order."""

    ring: str
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search did: pictures looked up, read again from their files, not to be had there any more, and judged."""

    pictures: int = 0
    read_again: int = 0
    unreadable: int = 0
    judged: int = 0


@dataclass(frozen=True, slots=True)
class RingsReport:
    """What a run has found.

    Attributes:
        rings: the largest first.
        common: pictures that too many carry to tie anybody, or that are known to.
        gone: rings of the last report of whose accounts none is in a ring any more.
        since: when the last report was made; ``None`` where there is none.
        expected_false: pairs of pictures in the whole index that are tied by features though they are no copies, as
            many as those that were just refused let expect.
        searched: what the search for copies of new pictures did.
        bank_hits: entries of banks that stored photos hit, in a ring or not, the first 10,000.
        expected_false_between: of ``expected_false`` so many at the least and at the most, in nine runs of ten.
    """

    rings: tuple[Ring, ...]
    common: tuple[Group, ...]
    gone: tuple[Gone, ...] = ()
    since: datetime | None = None
    expected_false: float = 0.0
    searched: Searched = field(default_factory=Searched)
    bank_hits: tuple[BankHit, ...] = ()
    expected_false_between: tuple[int, int] = (0, 0)

    def changed(self) -> RingsReport:
        """Only what has changed since the last report; all of it where there is none."""
        if self.since is None:
            return self
        return replace(self, rings=tuple(ring for ring in self.rings if ring.changes), common=())

    def of_size(self, accounts: int) -> RingsReport:
        """Without rings of fewer accounts, but for those with a picture that is known to be stolen."""
        rings = (ring for ring in self.rings if len(ring.accounts) >= accounts or ring.bank is not None)
        return replace(self, rings=tuple(rings))
