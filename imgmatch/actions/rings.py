"""Rings: accounts tied together by photos they share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgmatch.catalog.banks import KNOWN_STOLEN
from imgmatch.catalog.reports import ReportedRing, last_report, store_report
from imgmatch.catalog.times import from_microseconds
from imgmatch.clustering.changes import Gone, compared, identified, ring_id
from imgmatch.clustering.common import Common
from imgmatch.clustering.graph import Night, draw_graph
from imgmatch.clustering.grouping import Grouper
from imgmatch.clustering.search import Searched
from imgmatch.model import Group, Photo, Ring, RingAccount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.index import Index

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class RingsReport:
    """What a night has found.

    Attributes:
        rings: the largest first.
        common: pictures that too many carry to tie anybody, or that are known to.
        gone: rings of the last report of whose accounts none is in a ring any more.
        since: when the last report was made; ``None`` where there is none.
        expected_false: ties between photos and their groups that are wrong, as many as their scores let expect.
        searched: what the search for copies of new pictures did.
    """

    rings: tuple[Ring, ...]
    common: tuple[Group, ...]
    gone: tuple[Gone, ...] = ()
    since: datetime | None = None
    expected_false: float = 0.0
    searched: Searched = field(default_factory=Searched)

    def changed(self) -> RingsReport:
        """Only what has changed since the last report; all of it where there is none."""
        if self.since is None:
            return self
        return replace(self, rings=tuple(ring for ring in self.rings if ring.changes), common=())

    def of_size(self, accounts: int) -> RingsReport:
        """Without rings of fewer accounts, but for those with a picture that is known to be stolen."""
        rings = (ring for ring in self.rings if len(ring.accounts) >= accounts or ring.bank is not None)
        return replace(self, rings=tuple(rings))


def find_rings(index: Index, *, common: Common | None = None, night: Night | None = None) -> RingsReport:
    """Gather copies into groups and tie accounts by them.

    Args:
        index: where to look.
        common: from when a picture is taken for common; ``None`` takes the defaults.
        night: how to look; ``None`` takes the defaults.

    Raises:
        IndexLockedError: another process is writing, and the night is to search for copies of new pictures.
    """
    graph = draw_graph(index, night or Night())
    with index.catalog.read() as connection:
        groups = Grouper(connection, graph, index.hasher.profile, common or Common()).groups()
        last = last_report(connection)
    tying = [group for group in groups if not group.common]
    rings = sorted((_ring(tied) for tied in _tied(tying)), key=_by_age)
    rings, gone = compared(identified(rings, last), last)
    return RingsReport(
        rings=tuple(sorted(rings, key=_by_size)),
        common=tuple(group for group in groups if group.common),
        gone=gone,
        since=None if last is None else from_microseconds(last.made_at),
        expected_false=round(sum(1 - one.score for group in tying for one in group.evidence), 3),
        searched=graph.searched,
    )


def keep_report(index: Index, report: RingsReport) -> None:
    """Let this be the report that the next one is compared with.

    Raises:
        IndexUnusableError: it cannot be written.
    """
    rings = [
        ReportedRing(ring.ring, frozenset(member.account for member in ring.accounts), ring.strength)
        for ring in report.rings
    ]
    with index.writing(), index.catalog.write() as connection:
        store_report(connection, rings)


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
    opened_at = min(_second_account(group.photos) for group in groups)
    said = {group.decision for group in groups}
    return Ring(
        ring=ring_id(photos[0].photo_id),
        accounts=accounts,
        groups=tuple(sorted(groups, key=lambda group: _by_time(group.photos[0]))),
        first_account=accounts[0].account,
        names=tuple(names),
        opened_at=opened_at,
        decision=next((verdict for verdict in ("confirm", "dismiss", "common") if verdict in said), None),
        accounts_per_day=_speed(accounts),
        bank=KNOWN_STOLEN if any(group.bank == KNOWN_STOLEN for group in groups) else None,
    )


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


def _by_age(ring: Ring) -> tuple[datetime, str]:
    return ring.accounts[0].first_seen, ring.groups[0].group


def _by_size(ring: Ring) -> tuple[int, int, datetime, str]:
    return -len(ring.accounts), -ring.strength, ring.opened_at, ring.ring
