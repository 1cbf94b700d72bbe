"""The pictures of an index as the nodes of a graph: one for each fingerprint, with what stands behind it.

Photos with one fingerprint are one node: a default avatar that was uploaded ten thousand times would otherwise make
fifty million pairs. Only where people have said that two accounts with the same picture have nothing to do with each
other does each of these accounts get a node of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgmatch.catalog.banks import read_banks
from imgmatch.catalog.fingerprints import fingerprints_by_id, read_fingerprints
from imgmatch.catalog.lookups import accounts_per_fingerprint, photos_with
from imgmatch.catalog.pictures import fingerprints_of_pictures, pictures_with
from imgmatch.model import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from imgmatch.catalog.session import Session
    from imgmatch.hashers.base import Hasher


@dataclass(frozen=True)
class Nodes:
    """Pictures, in the order of their fingerprints.

    Attributes:
        fingerprints: row ids, shape (n,), dtype int64; nodes of one picture stand together.
        bits: the fingerprints, shape (n, 32), dtype uint8.
        weights: accounts behind each, at least 1, shape (n,), dtype int64.
        features: row id of the features of one picture that has it, -1 where none is kept, shape (n,), dtype int64.
        pictures: the (first) node of each picture that has features, by their row id.
        only: the account a node stands for, where it is a node of one account.
        split: fingerprints that have such nodes, with those accounts; the first of their nodes is for all others, if
            there are any.
    """

    fingerprints: NDArray[np.int64]
    bits: NDArray[np.uint8]
    weights: NDArray[np.int64]
    features: NDArray[np.int64]
    pictures: Mapping[int, int]
    only: Mapping[int, str]
    split: Mapping[int, frozenset[str]]

    def __len__(self) -> int:
        return len(self.fingerprints)

    def of_picture(self, first: int) -> range:
        """All nodes of the picture whose first node this is."""
        return range(first, int(np.searchsorted(self.fingerprints, self.fingerprints[first], "right")))

    def of_fingerprint(self, fingerprint: int) -> range:
        """All nodes that have this one."""
        first, end = (int(np.searchsorted(self.fingerprints, fingerprint, side)) for side in ("left", "right"))
        return range(first, end)

    def holds(self, node: int, account: str) -> bool:
        """Whether the photos of this account with the node's fingerprint belong to the node."""
        only = self.only.get(node)
        if only is not None:
            return account == only
        return account not in self.split.get(int(self.fingerprints[node]), frozenset())


def in_orientations(hasher: Hasher, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fingerprints, shape (n, 32), in all orientations, shape (8, n, 32), or in their own alone, shape (1, n, 32).

    That is what a hasher gives which cannot turn fingerprints: of its copies only those the right way up are found.
    """
    try:
        return hasher.estimated_orientations(bits)
    except NotImplementedError:
        return bits[None]


def read_nodes(
    session: Session,
    hasher: str,
    split: Mapping[bytes, frozenset[str]],
    fingerprints: Collection[int] | None = None,
) -> Nodes:
    """All pictures that photos show or banks hold, or those of them that have some fingerprints.

    Args:
        session: of the catalog.
        hasher: whose fingerprints are compared.
        split: for some fingerprints the accounts that get nodes of their own.
        fingerprints: row ids; ``None`` takes all.
    """
    ids, bits = read_bits(session, hasher, fingerprints)
    banked = {picture.fingerprint_id for picture in read_banks(session, fingerprints) if picture.ties}
    behind = dict.fromkeys(banked, 1) | dict(accounts_per_fingerprint(session, hasher, fingerprints))
    weights = np.array([behind.get(row, 0) for row in ids.tolist()], dtype=np.int64)
    carried = weights > 0  # a scan under way, or one that was killed, leaves fingerprints of replaced photos
    ids, bits, weights = ids[carried], bits[carried], weights[carried]
    order, weights, only, parted = _parted(ids, weights, _carriers(session, ids, bits, split), banked)
    ids, bits = ids[order], bits[order]
    showing = _pictures(session, hasher, fingerprints)
    kept: dict[int, int] = {}
    for row, fingerprint in showing.items():
        kept.setdefault(fingerprint, row)
    features = np.array([kept.get(row, -1) for row in ids.tolist()], dtype=np.int64)
    places = {row: place for place, row in reversed(list(enumerate(ids.tolist())))}
    pictures = {row: places[fingerprint] for row, fingerprint in showing.items() if fingerprint in places}
    return Nodes(ids, bits, weights, features, pictures, only, parted)


def read_bits(
    session: Session, hasher: str, fingerprints: Collection[int] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Row ids, shape (n,), and fingerprints, shape (n, 32), of all or of some that are there."""
    blocks = list(
        read_fingerprints(session, hasher)
        if fingerprints is None
        else fingerprints_by_id(session, hasher, fingerprints)
    )
    ids = np.concatenate([ids for ids, _ in blocks] or [np.empty(0, np.int64)])
    return ids, np.concatenate([bits for _, bits in blocks] or [np.empty((0, FINGERPRINT_BYTES), np.uint8)])


def _pictures(session: Session, hasher: str, fingerprints: Collection[int] | None) -> dict[int, int]:
    """Row ids of features, in order, each with the fingerprint of the picture."""
    if fingerprints is None:
        return dict(fingerprints_of_pictures(session, hasher))
    rows = pictures_with(session, fingerprints)
    return dict(fingerprints_of_pictures(session, hasher, rows))


def _carriers(
    session: Session, ids: NDArray[np.int64], bits: NDArray[np.uint8], split: Mapping[bytes, frozenset[str]]
) -> dict[int, frozenset[str]]:
    """For some fingerprints, by row id, those accounts that get nodes of their own and carry it still."""
    if not split:
        return {}
    rows = {row: split[value] for row, value in zip(ids.tolist(), map(bytes, bits), strict=True) if value in split}
    carriers: dict[int, set[str]] = {row: set() for row in rows}
    for row, photo in photos_with(session, rows):
        carriers[row].add(photo.account)
    return {row: found for row, accounts in rows.items() if (found := accounts & carriers[row])}


def _parted(
    ids: NDArray[np.int64], weights: NDArray[np.int64], split: Mapping[int, frozenset[str]], banked: Collection[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, str], Mapping[int, frozenset[str]]]:
    """Which fingerprint each node has and what it weighs, and which nodes are of one account only; see `Nodes`."""
    order: list[int] = []
    weighs: list[int] = []
    only: dict[int, str] = {}
    for place, (row, weight) in enumerate(zip(ids.tolist(), weights.tolist(), strict=True)):
        accounts = split.get(row, frozenset())
        others = weight - len(accounts)
        if others or row in banked:
            order.append(place)
            weighs.append(max(others, 1))
        for account in sorted(accounts):
            only[len(order)] = account
            order.append(place)
            weighs.append(1)
    return np.array(order, dtype=np.int64), np.array(weighs, dtype=np.int64), only, split
