"""What has become of rings from one report to the next: the same ring keeps its id, however it has changed."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch.model import Change, Gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from imgmatch.catalog.reports import Report, ReportedRing
    from imgmatch.model import Ring

_ID_DIGITS = 10


def ring_id(of: str) -> str:
    """The id of a ring by what names it, its earliest photo."""
    return "r" + hashlib.sha256(of.encode()).hexdigest()[:_ID_DIGITS]


def identified(
    rings: Sequence[Ring], last: Report | None, is_taken: Callable[[str], bool] = lambda _: False
) -> list[Ring]:
    """Give rings the ids they had.

    A ring takes over the id of that earlier ring with which it shares most accounts, unless another ring shares more
    with that one; each id goes to one ring. Ties go to the ring that comes first. A new ring whose own id is taken gets
    one that follows from it.

    Args:
        rings: in order of their age.
        last: the last report, or of it at least the rings that share accounts with these.
        is_taken: whether an id goes to no new ring, beyond those in ``last``.
    """
    shared: Counter[tuple[int, str]] = Counter()
    if last is not None:
        was_in = {account: ring.ring for ring in last.rings for account in ring.accounts}
        for number, ring in enumerate(rings):
            shared.update((number, was_in[one.account]) for one in ring.accounts if one.account in was_in)
    given: dict[int, str] = {}
    taken: set[str] = set()
    for (number, before), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if number not in given and before not in taken:
            given[number] = before
            taken.add(before)
    taken |= {ring.ring for ring in last.rings} if last is not None else set()
    named = []
    for number, ring in enumerate(rings):
        name = given.get(number)
        if name is None:
            name = ring.ring
            while name in taken or is_taken(name):
                name = ring_id(name)
            taken.add(name)
        named.append(replace(ring, ring=name))
    return named


def compared(rings: Sequence[Ring], last: Report | None) -> tuple[list[Ring], tuple[Gone, ...]]:
    """Say of each ring what has become of it since the last report, and which rings are gone."""
    if last is None:
        return list(rings), ()
    now_in = {one.account: ring.ring for ring in rings for one in ring.accounts}
    before = {ring.ring: ring for ring in last.rings}
    was_in = {account: ring.ring for ring in last.rings for account in ring.accounts}
    successors: dict[str, set[str]] = defaultdict(set)
    for account, ring in was_in.items():
        if account in now_in:
            successors[ring].add(now_in[account])
    changed = [_changed(ring, before.get(ring.ring), was_in, now_in, successors) for ring in rings]
    gone = [ring for ring in last.rings if not successors[ring.ring]]
    return changed, tuple(Gone(ring.ring, tuple(sorted(ring.accounts))) for ring in gone)


def _changed(
    ring: Ring,
    before: ReportedRing | None,
    was_in: Mapping[str, str],
    now_in: Mapping[str, str],
    successors: Mapping[str, set[str]],
) -> Ring:
    accounts = [member.account for member in ring.accounts]
    came_from = sorted({was_in[account] for account in accounts if account in was_in} - {ring.ring})
    had = before.accounts if before is not None else frozenset()
    joined = [account for account in accounts if account not in had]
    left = sorted(account for account in had if account not in now_in)
    went_to = sorted(successors.get(ring.ring, set()) - {ring.ring}) if before is not None else []
    changes = []
    if before is None:
        # What was cut off from a ring is not new: its accounts were known to hang together.
        changes.append(Change.SPLIT if came_from else Change.NEW)
    else:
        changes += [Change.GROWN] if any(account not in was_in for account in joined) else []
        changes += [Change.SHRUNK] if left else []
        changes += [Change.MERGED] if came_from else []
        changes += [Change.SPLIT] if went_to else []
        changes += [Change.PICTURES] if not changes and before.pictures != ring.strength else []
    return replace(
        ring,
        new=before is None and not came_from,
        changes=tuple(changes),
        joined=tuple(joined),
        left=tuple(left),
        came_from=tuple(came_from),
        went_to=tuple(went_to),
    )
