"""What a run has found, as it is shown: read from what is kept, or made of everything anew."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from imgmatch import damage
from imgmatch.catalog.clusterings import read_clustering
from imgmatch.catalog.kept_groups import KeptGroup, read_groups
from imgmatch.catalog.kept_rings import KeptRing, accounts_in_rings, groups_of_rings, read_rings, ring_row
from imgmatch.catalog.reports import last_report
from imgmatch.catalog.times import from_microseconds
from imgmatch.clustering.changes import compared, identified
from imgmatch.clustering.expected import expected_false
from imgmatch.clustering.graph import draw, read_everything
from imgmatch.clustering.grouping import Grouper
from imgmatch.clustering.keeping import with_kept
from imgmatch.clustering.options import ClusteringOptions
from imgmatch.clustering.rings import as_groups, by_age, by_size, ring_of, tied
from imgmatch.model import Gone, Group, RingsReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.catalog.session import Session
    from imgmatch.clustering.expected import ExpectedFalse
    from imgmatch.hashers.base import Hasher
    from imgmatch.model import Ring


def kept_report(session: Session) -> RingsReport:
    """The groups and rings that are kept."""
    kept = list(read_groups(session))
    groups = as_groups(session, kept)
    names = read_rings(session)
    of_ring: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(kept):
        if group.ring_id is not None and not group.common:
            of_ring[group.ring_id].append(place)
    rings = [_kept_or_own(_ring(kept, groups, places), names.get(row)) for row, places in of_ring.items()]
    last = last_report(session)
    within = accounts_in_rings(session) if last is not None else set()
    before = () if last is None else last.rings
    gone = [Gone(ring.ring, tuple(sorted(ring.accounts))) for ring in before if not ring.accounts & within]
    state = read_clustering(session)
    least = math.inf if state is None else ClusteringOptions.of(state.options).least_log_odds
    return _report(groups, rings, gone, None if last is None else last.made_at, expected_false(session, least))


def kept_ring(session: Session, ring: str) -> Ring | None:
    """One ring as it is kept, by its id."""
    row = ring_row(session, ring)
    if row is None:
        return None
    kept = [one for one in read_groups(session, groups_of_rings(session, [row])) if not one.common]
    if not kept:
        return None
    groups = as_groups(session, kept)
    return _kept_or_own(_ring(kept, groups, range(len(kept))), read_rings(session, [row]).get(row))


def _kept_or_own(ring: Ring, kept: KeptRing | None) -> Ring:
    """A ring as it is kept; under the id it would have if it were new, where what is kept of it is gone by damage."""
    if kept is None:
        damage.note("groups.ring_id", "such rings go by an id of their own")
        return ring
    return with_kept(ring, kept)


def whole_report(session: Session, hasher: Hasher, options: ClusteringOptions) -> RingsReport:
    """The same, of everything the catalog holds, as if nothing had been kept but what was judged: slow."""
    graph = draw(read_everything(session, hasher, options), options)
    kept = Grouper(session, graph, hasher.profile, options.common).groups()
    groups = as_groups(session, kept)
    tying = [place for place, group in enumerate(groups) if not group.common]
    found = tied([groups[place] for place in tying])
    rings = sorted((_ring(kept, groups, [tying[number] for number in some]) for some in found), key=by_age)
    last = last_report(session)
    rings, gone = compared(identified(rings, last), last)
    expected = expected_false(session, options.least_log_odds)
    return _report(groups, rings, gone, None if last is None else last.made_at, expected)


def _ring(kept: Sequence[KeptGroup], groups: Sequence[Group], places: Sequence[int]) -> Ring:
    return ring_of([groups[place] for place in places], [kept[place].decided for place in places])


def _report(
    groups: Sequence[Group], rings: Sequence[Ring], gone: Sequence[Gone], made_at: int | None, expected: ExpectedFalse
) -> RingsReport:
    return RingsReport(
        rings=tuple(sorted(rings, key=by_size)),
        common=tuple(sorted((group for group in groups if group.common), key=_by_time)),
        gone=tuple(gone),
        since=None if made_at is None else from_microseconds(made_at),
        expected_false=round(expected.ties, 3),
        expected_false_between=(expected.low, expected.high),
    )


def _by_time(group: Group) -> tuple[object, str]:
    return group.photos[0].seen_at, group.group
