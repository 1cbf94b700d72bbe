"""Rings: accounts tied together by photos they share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgmatch.actions.groups import Star, gather
from imgmatch.catalog.fingerprints import read_fingerprints
from imgmatch.catalog.lookups import accounts_per_fingerprint, count_accounts, photos_with
from imgmatch.joins.near import near_pairs
from imgmatch.matching import photo_of
from imgmatch.model import FINGERPRINT_BYTES, Group, Photo, Ring, RingAccount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from imgmatch.index import Index

COMMON_ACCOUNTS = 50
"""A picture on more accounts than this is taken for a default avatar or a meme; it ties nobody."""

_RING_ID_DIGITS = 10


@dataclass(frozen=True, slots=True)
class RingsReport:
    """Rings, the largest first, and the pictures that were too common to tie anybody."""

    rings: tuple[Ring, ...]
    common: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class _Prints:
    """The searched fingerprints: row ids, shape (n,), bits, shape (n, 32), and accounts behind each, shape (n,)."""

    ids: NDArray[np.int64]
    bits: NDArray[np.uint8]
    accounts: NDArray[np.int64]


def find_rings(
    index: Index, *, min_accounts: int = 2, max_distance: int | None = None, common_accounts: int = COMMON_ACCOUNTS
) -> RingsReport:
    """Gather copies into groups and tie accounts by them.

    Args:
        index: where to look.
        min_accounts: leave out smaller rings.
        max_distance: bits in which copies may differ from their medoid; ``None`` takes the hasher's own.
        common_accounts: a group on more accounts than this is common and ties nobody.
    """
    allowed = index.max_distance if max_distance is None else max_distance
    header = index.header
    with index.catalog.read() as connection:
        prints = _read(connection, header.hashers[0])
        pairs = near_pairs(_turned(index, prints.bits), allowed)
        stars = [star for star in gather(pairs, prints.accounts) if _may_tie(star, prints)]
        groups = [_group(connection, prints, star, common_accounts) for star in stars]
    tying = [group for group in groups if not group.common and len(group.accounts) > 1]
    rings = (_ring(tied) for tied in _tied(tying))
    return RingsReport(
        rings=tuple(sorted((ring for ring in rings if len(ring.accounts) >= min_accounts), key=_by_size)),
        common=tuple(group for group in groups if group.common),
    )


def _read(connection: Connection, hasher: str) -> _Prints:
    blocks = list(read_fingerprints(connection, hasher))
    ids = np.concatenate([ids for ids, _ in blocks] or [np.empty(0, np.int64)])
    bits = np.concatenate([bits for _, bits in blocks] or [np.empty((0, FINGERPRINT_BYTES), np.uint8)])
    behind = dict(accounts_per_fingerprint(connection, hasher))
    accounts = np.array([behind.get(row, 0) for row in ids.tolist()], dtype=np.int64)
    carried = accounts > 0  # a scan under way, or one that was killed, leaves fingerprints of replaced photos
    return _Prints(ids[carried], bits[carried], accounts[carried])


def _turned(index: Index, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    try:
        return index.hasher.turned(bits)
    except NotImplementedError:  # then only copies the right way up are grouped, as that hasher's documentation says
        return bits[None]


def _may_tie(star: Star, prints: _Prints) -> bool:
    _, members = star
    return int(prints.accounts[list(members)].sum()) > 1


def _group(connection: Connection, prints: _Prints, star: Star, common_accounts: int) -> Group:
    medoid_position, members = star
    rows = prints.ids[list(members)].tolist()
    at_most = int(prints.accounts[list(members)].sum())
    common = at_most > common_accounts and count_accounts(connection, rows) > common_accounts
    stored = sorted(photos_with(connection, rows), key=lambda item: (item[1].seen_at, item[1].photo_id))
    photos = tuple(photo_of(photo) for _, photo in stored)
    medoid_row = int(prints.ids[medoid_position])
    medoid = next(photo for (row, _), photo in zip(stored, photos, strict=True) if row == medoid_row)
    accounts = tuple(dict.fromkeys(photo.account for photo in photos))
    return Group(photos[0].photo_id, medoid, photos, accounts, common)


def _tied(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups that share accounts, directly or through others."""
    places = {account: place for place, account in enumerate({a: None for group in groups for a in group.accounts})}
    links = [(number, places[account]) for number, group in enumerate(groups) for account in group.accounts]
    if not links:
        return
    size = len(groups) + len(places)
    left = np.array([number for number, _ in links])
    right = np.array([len(groups) + place for _, place in links])
    graph = coo_array((np.ones(len(links), np.int8), (left, right)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    tied: dict[int, list[Group]] = {}
    for number, group in enumerate(groups):
        tied.setdefault(int(labels[number]), []).append(group)
    yield from tied.values()


def _ring(groups: Sequence[Group]) -> Ring:
    photos = sorted((photo for group in groups for photo in group.photos), key=_by_time)
    first: dict[str, Photo] = {}
    names: dict[str, None] = {}
    for photo in photos:
        first.setdefault(photo.account, photo)
        if photo.name:
            names[photo.name] = None
    accounts = tuple(RingAccount(account, photo.name, photo.seen_at) for account, photo in first.items())
    return Ring(
        ring="r" + hashlib.sha256(photos[0].photo_id.encode()).hexdigest()[:_RING_ID_DIGITS],
        accounts=accounts,
        groups=tuple(sorted(groups, key=lambda group: _by_time(group.photos[0]))),
        first_account=accounts[0].account,
        names=tuple(names),
        opened_at=min(_second_account(group.photos) for group in groups),
    )


def _second_account(photos: Iterable[Photo]) -> datetime:
    """When a picture first stood on two accounts."""
    rest = iter(photos)
    first = next(rest)
    return next(photo.seen_at for photo in rest if photo.account != first.account)


def _by_time(photo: Photo) -> tuple[datetime, str]:
    return photo.seen_at, photo.photo_id


def _by_size(ring: Ring) -> tuple[int, datetime, str]:
    return -len(ring.accounts), ring.opened_at, ring.ring
