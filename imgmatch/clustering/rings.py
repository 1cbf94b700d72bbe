"""From groups to rings: accounts tied together by the groups they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.banks import own_first, read_banks
from imgmatch.clustering.changes import ring_id
from imgmatch.clustering.components import component_labels
from imgmatch.matching.accounts import known_photo, photo_of
from imgmatch.model import Group, Photo, Ring, RingAccount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from imgmatch.catalog.kept_groups import KeptGroup
    from imgmatch.catalog.session import Session

_DAY = 86_400.0


def as_groups(session: Session, kept: Sequence[KeptGroup]) -> list[Group]:
    """Kept groups as the library shows them, in the same order."""
    bare = {group.medoid for group in kept if group.medoid_photo is None}
    known = {picture.fingerprint_id: known_photo(picture) for picture in reversed(list(read_banks(session, bare)))}
    return [_group(group, known.get(group.medoid)) for group in kept]


def _group(kept: KeptGroup, known: Photo | None) -> Group:
    photos = tuple(photo_of(one.photo) for one in kept.photos)
    shown = (photo for photo, one in zip(photos, kept.photos, strict=True) if one.photo.id == kept.medoid_photo)
    return Group(
        group=kept.name,
        medoid=next(shown, None) or known or photos[0],
        photos=photos,
        accounts=tuple(dict.fromkeys(photo.account for photo in photos)),
        common=kept.common,
        evidence=tuple(one.evidence for one in kept.photos),
        diameter=kept.diameter,
        bank=kept.bank,
        decision=kept.decision,
    )


def tied(groups: Sequence[Group]) -> Iterator[list[int]]:
    """Places of groups that share accounts, directly or through others."""
    places = {account: place for place, account in enumerate({a: None for group in groups for a in group.accounts})}
    links = [(number, places[account]) for number, group in enumerate(groups) for account in group.accounts]
    if not links:
        return
    size = len(groups) + len(places)
    left = np.array([number for number, _ in links])
    right = np.array([len(groups) + place for _, place in links])
    labels = component_labels(left, right, size)
    found: dict[int, list[int]] = {}
    for number in range(len(groups)):
        found.setdefault(int(labels[number]), []).append(number)
    yield from found.values()


def ring_of(groups: Sequence[Group], decided: Sequence[int | None]) -> Ring:
    """The ring that these groups tie, under the id its earliest photo gives it.

    Args:
        groups: of which each shares accounts with some other, or there is one.
        decided: the number of the decision on each, the latest of which counts for the ring.
    """
    photos = sorted((photo for group in groups for photo in group.photos), key=_by_time)
    first: dict[str, Photo] = {}
    names: dict[str, None] = {}
    for photo in photos:
        first.setdefault(photo.account, photo)
        if photo.name:
            names[photo.name] = None
    accounts = tuple(RingAccount(account, photo.name, photo.seen_at) for account, photo in first.items())
    said = [(number, group.decision) for number, group in zip(decided, groups, strict=True) if number is not None]
    return Ring(
        ring=ring_id(photos[0].photo_id),
        accounts=accounts,
        groups=tuple(sorted(groups, key=lambda group: (*_by_time(group.photos[0]), group.group))),
        first_account=accounts[0].account,
        names=tuple(names),
        opened_at=min(_second_account(group.photos) for group in groups),
        decision=max(said, key=lambda one: one[0])[1] if said else None,
        accounts_per_day=_speed(accounts),
        bank=_stolen_bank(groups),
    )


def _stolen_bank(groups: Sequence[Group]) -> str | None:
    """The bank of stolen pictures that one of them is on; a group on a common one ties no ring."""
    return min((group.bank for group in groups if group.bank is not None), key=own_first, default=None)


def _speed(accounts: Sequence[RingAccount]) -> float:
    """Accounts after the first, over the days in which they came: at least one, so that a burst within hours counts."""
    if len(accounts) == 1:
        return 0.0
    days = (accounts[-1].first_seen - accounts[1].first_seen).total_seconds() / _DAY
    return round((len(accounts) - 1) / max(days, 1.0), 2)


def _second_account(photos: Sequence[Photo]) -> datetime:
    """When a picture first stood on two accounts; where it is on one, when it first stood there."""
    later = (photo.seen_at for photo in photos if photo.account != photos[0].account)
    return next(later, photos[0].seen_at)


def _by_time(photo: Photo) -> tuple[datetime, str]:
    return photo.seen_at, photo.photo_id


def by_age(ring: Ring) -> tuple[datetime, str]:
    """The order in which rings are given ids."""
    return ring.accounts[0].first_seen, ring.groups[0].group


def by_size(ring: Ring) -> tuple[int, int, datetime, str]:
    """The order in which rings are shown: the largest first."""
    return -len(ring.accounts), -ring.strength, ring.opened_at, ring.ring
