"""Groups and rings as rows: made anew where something has changed, and nowhere else.

All of it happens inside the caller's transaction, which sees one state of the catalog: a decision and what it does to
the groups it touches are written together.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgmatch.catalog import kept_rings
from imgmatch.catalog.clusterings import read_clustering
from imgmatch.catalog.kept_groups import groups_of_fingerprints, read_groups, remove_groups, store_groups
from imgmatch.catalog.kept_rings import KeptRing, TiedRing
from imgmatch.catalog.reports import Report, ReportedRing, has_report, is_reported, reported_rings
from imgmatch.catalog.stale import forget_stale, note_stale, stale_fingerprints
from imgmatch.clustering.changes import compared, identified
from imgmatch.clustering.components import connected
from imgmatch.clustering.graph import draw, read_component
from imgmatch.clustering.grouping import Grouper
from imgmatch.clustering.options import ClusteringOptions
from imgmatch.clustering.rings import as_groups, by_age, ring_of, tied
from imgmatch.clustering.verdicts import Unjudged
from imgmatch.model import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from imgmatch.catalog.kept_groups import KeptGroup
    from imgmatch.catalog.session import Session
    from imgmatch.hashers.base import Hasher
    from imgmatch.model import Ring


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was made anew.

    Attributes:
        component: row ids of the fingerprints whose groups were.
        unjudged: what is to be judged before they are what a run would give; the next run will.
        named: how many groups the rings have that were made anew with them.
    """

    component: frozenset[int] = frozenset()
    unjudged: tuple[Unjudged, ...] = ()
    named: int = 0


def refresh(session: Session, hasher: Hasher, fingerprints: Collection[int]) -> Refreshed:
    """Make the groups and rings anew that hang together with these fingerprints.

    Nothing is done before the first run.

    Args:
        session: one that may write.
        hasher: whose fingerprints are compared.
        fingerprints: row ids.
    """
    state = read_clustering(session)
    if state is None or not fingerprints:
        return Refreshed()
    options = ClusteringOptions.of(state.options)
    component = connected(session, hasher.name, fingerprints, options)
    graph = draw(read_component(session, hasher.name, options, component), options)
    groups = Grouper(session, graph, hasher.profile, options.common).groups()
    named = _replace(session, groups_of_fingerprints(session, component), groups)
    forget_stale(session, component)
    note_stale(session, {row for pair in graph.unjudged for row in pair.fingerprints})
    return Refreshed(frozenset(component), tuple(graph.unjudged), named)


@contextmanager
def kept_current(session: Session, hasher: Hasher, account: str | None = None) -> Iterator[set[int]]:
    """Make anew, at the end of the block, the groups and rings that what is removed in it has left out of date.

    Others that were out of date before are left to the next run, but for those that the block adds to what it is given:
    fingerprints, by their row ids, of which nothing may be kept as it was.

    Args:
        session: one that may write.
        hasher: whose fingerprints are compared.
        account: what is said of rings must not name it any more.
    """
    before = set(stale_fingerprints(session))
    touched = set[int]()
    yield touched
    stale = set(stale_fingerprints(session))
    refresh(session, hasher, (stale - before) | (stale & touched))
    naming = set() if account is None else kept_rings.rings_naming(session, account)
    if naming:
        rename_rings(session, naming)


def _replace(session: Session, old: Collection[int], groups: Sequence[KeptGroup]) -> int:
    """Let groups take the place of others, and make the rings anew that either tie; how many groups those have."""
    rings = kept_rings.rings_of_groups(session, old)
    remove_groups(session, old)
    ids = store_groups(session, groups)
    tying = [(row, group) for row, group in zip(ids, groups, strict=True) if not group.common]
    accounts = {kept.photo.account for _, group in tying for kept in group.photos}
    return rename_rings(session, rings, accounts, [row for row, _ in tying]) if rings or tying else 0


def rename_rings(
    session: Session, rings: Collection[int], accounts: Collection[str] = (), groups: Collection[int] = ()
) -> int:
    """Make rings anew from the groups that tie them, and say what has become of them since the last report.

    What is said of a ring depends on those that share accounts with it in the report: these are made anew as well, and
    those that share accounts with them, and so on.

    Args:
        session: one that may write.
        rings: row ids.
        accounts: those in ``groups``.
        groups: row ids of those that tie no ring yet.

    Returns:
        how many groups the rings have.
    """
    reached = set(rings)
    reported: dict[str, ReportedRing] = {}
    within: set[str] = set()
    edge = set(accounts) | kept_rings.accounts_of_rings(session, reached)
    while edge:
        within |= edge
        before = reported_rings(session, edge)
        reported |= {ring.ring: ring for ring in before}
        beside = {account for ring in before for account in ring.accounts}
        found = kept_rings.rings_of_accounts(session, beside | edge) - reached
        reached |= found
        edge = (beside | kept_rings.accounts_of_rings(session, found)) - within
    kept = list(read_groups(session, kept_rings.groups_of_rings(session, reached) | set(groups)))
    kept_rings.remove_rings(session, reached)
    made_at = has_report(session)
    last = None if made_at is None else Report(made_at, tuple(reported[name] for name in sorted(reported)))
    _store_rings(session, kept, last)
    return len(kept)


def _store_rings(session: Session, kept: Sequence[KeptGroup], last: Report | None) -> None:
    groups = as_groups(session, kept)
    rows: dict[str, list[int]] = defaultdict(list)
    made: list[Ring] = []
    for places in tied(groups):
        ring = ring_of([groups[place] for place in places], [kept[place].decided for place in places])
        rows[ring.ring] = [kept[place].id or 0 for place in places]
        made.append(ring)
    made.sort(key=by_age)
    own = [ring.ring for ring in made]
    named, _ = compared(identified(made, last, lambda name: is_reported(session, name)), last)
    tied_rings = [
        TiedRing(_kept_ring(ring), rows[natural], [member.account for member in ring.accounts])
        for natural, ring in zip(own, named, strict=True)
    ]
    kept_rings.store_rings(session, tied_rings)


def _kept_ring(ring: Ring) -> KeptRing:
    changes = tuple(str(change) for change in ring.changes)
    return KeptRing(ring.ring, ring.new, changes, ring.joined, ring.left, ring.came_from, ring.went_to)


def with_kept(ring: Ring, kept: KeptRing) -> Ring:
    """A ring under the id, and with the changes, that are kept of it."""
    return replace(
        ring,
        ring=kept.ring,
        new=kept.new,
        changes=tuple(Change(change) for change in kept.changes),
        joined=kept.joined,
        left=kept.left,
        came_from=kept.came_from,
        went_to=kept.went_to,
    )
