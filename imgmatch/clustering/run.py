"""A clustering run: what is new is joined, searched and judged, and the groups it touches are made anew."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.catalog.bank_entries import has_ended_mutes
from imgmatch.catalog.clusterings import begin_clustering, note_finished, note_joined, note_options, read_clustering
from imgmatch.catalog.near_pairs import NearPairRows, store_near_pairs
from imgmatch.catalog.stale import count_stale, has_new, note_all, note_new, stale_fingerprints
from imgmatch.clustering.asking import SearchCounts
from imgmatch.clustering.bank_joining import banks_are_compared, join_banks
from imgmatch.clustering.components import connected
from imgmatch.clustering.graph import draw, read_component
from imgmatch.clustering.joining import join_new
from imgmatch.clustering.judging import Judging
from imgmatch.clustering.keeping import refresh
from imgmatch.clustering.nodes import read_bits
from imgmatch.clustering.search import is_searched, search_new
from imgmatch.joins.blocks import JoinOptions
from imgmatch.joins.sending import JoinSender

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgmatch.catalog.clusterings import Clustering
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.clustering.options import ClusteringOptions
    from imgmatch.clustering.verdicts import Unjudged
    from imgmatch.engines.parts import Parts
    from imgmatch.model import Searched
    from imgmatch.progress import Progress

LEASE = "clustering"

JOINED_AT_ONCE = 100_000
"""New fingerprints joined with all before them; what a kill can lose."""

_WRITTEN_AT_ONCE = 5_000
_REFRESHED_AT_ONCE = 200
"""Fingerprints whose components are made anew in one transaction; where they are of one large ring, which is made anew
with each, as many as that has groups."""

_JUDGED_TOGETHER = 3
"""Rounds in which all that is asked is judged together, before components are gone through with a judge at hand: nearly
all are settled by then. Of thousands of near strangers each round would settle one."""


def is_current(parts: Parts, options: ClusteringOptions) -> bool:
    """Whether the groups that are kept are those a run with these options would give."""
    with parts.catalog.read() as session:
        state = read_clustering(session)
        if state is None or state.finished_at is None or not _is_joined(state, options):
            return False
        if count_stale(session) or has_new(session, parts.hasher_name, state.joined_watermark):
            return False
        if not banks_are_compared(session, parts.header.hashers) or has_ended_mutes(session):
            return False
    return is_searched(parts)


def run(parts: Parts, options: ClusteringOptions, progress: Progress) -> Searched:
    """Bring the kept groups up to date.

    Every write is short, so that others may write meanwhile; a run that is killed goes on where it was.

    Raises:
        IndexLockedError: another run is under way.
        IndexUnusableError: the index cannot be written.
    """
    counted = SearchCounts()
    with parts.catalog.lease(LEASE) as lease:
        with parts.catalog.write(lease) as session:
            _begin(session, parts.hasher_name, options)
        with _joining(parts) as how:
            join_banks(parts, lease, how, progress)
            _join(parts, lease, how, progress)
        search_new(parts, lease, options, counted, progress)
        _settle(parts, lease, options, Judging(parts, lease, counted, progress), progress)
        with parts.catalog.write(lease) as session:
            note_finished(session)
    return counted.result()


def _begin(session: Session, hasher: str, options: ClusteringOptions) -> None:
    state = read_clustering(session)
    if state is None:
        begin_clustering(session, options.max_distance, options.as_json())
        note_all(session, hasher, 0)
    elif not _is_joined(state, options):
        note_options(session, max(options.max_distance, state.joined_distance), options.as_json())
        note_all(session, hasher, state.joined_watermark)


def _is_joined(state: Clustering, options: ClusteringOptions) -> bool:
    """Whether the near pairs that are kept are those of these options, and groups are made with them."""
    return dict(state.options) == options.as_json() and state.joined_distance >= options.max_distance


@contextmanager
def _joining(parts: Parts) -> Iterator[JoinOptions]:
    """How fingerprints are joined: here, or where the runner works."""
    tasks = parts.runner.tasks
    if tasks is None:
        yield JoinOptions()
        return
    sender = JoinSender(tasks)
    try:
        yield JoinOptions(sender=sender)
    finally:
        sender.close()


def _join(parts: Parts, lease: Lease, how: JoinOptions, progress: Progress) -> None:
    """Find the near pairs of new fingerprints, some at a time."""
    with parts.catalog.read() as session:
        state = read_clustering(session)
        if state is None or not has_new(session, parts.hasher_name, state.joined_watermark):
            return
        ids, bits = read_bits(session, parts.hasher_name)
    joined = state.joined_watermark
    for end in range(
        int(np.searchsorted(ids, joined, "right")) + JOINED_AT_ONCE, len(ids) + JOINED_AT_ONCE, JOINED_AT_ONCE
    ):
        some, first = slice(min(end, len(ids))), int(np.searchsorted(ids, joined, "right"))
        found = join_new(parts.hasher, ids[some], bits[some], first, state.joined_distance, how)
        for block in _gathered(found):
            with parts.catalog.write(lease) as session:
                store_near_pairs(session, block)
        last = int(ids[some][-1])
        with parts.catalog.write(lease) as session:
            note_new(session, parts.hasher_name, joined, last)
            note_joined(session, last)
        joined = last
        progress.step("fingerprints joined", min(end, len(ids)), len(ids))


def _gathered(blocks: Iterator[NearPairRows]) -> Iterator[NearPairRows]:
    """The same pairs in blocks that are written in a moment."""
    for block in blocks:
        order = np.lexsort((block.high, block.low))  # as they are kept: what is written together lies together
        for start in range(0, len(block), _WRITTEN_AT_ONCE):
            part = order[start : start + _WRITTEN_AT_ONCE]
            yield NearPairRows(block.low[part], block.high[part], block.distances[part], block.orientations[part])


def _settle(parts: Parts, lease: Lease, options: ClusteringOptions, judging: Judging, progress: Progress) -> None:
    """Make groups anew and judge what they ask for, until nothing is left to ask."""
    with parts.catalog.read() as session:
        rows = stale_fingerprints(session)
    asked: set[tuple[int, int]] = set()
    for number in count():
        fresh = [pair for pair in _refresh_all(parts, lease, rows, progress) if (pair.row, pair.other) not in asked]
        if not fresh:
            return
        asked.update((pair.row, pair.other) for pair in fresh)
        rows = sorted({row for pair in fresh for row in pair.fingerprints})
        if number < _JUDGED_TOGETHER:
            judging.judge(fresh)
        else:
            _judge_as_asked(parts, options, rows, judging)


def _judge_as_asked(parts: Parts, options: ClusteringOptions, rows: Sequence[int], judging: Judging) -> None:
    """Draw the components of these fingerprints with a judge at hand, so that all is asked that will ever be."""
    done = set[int]()
    for row in rows:
        if row in done:
            continue
        with parts.catalog.read() as session:
            found = connected(session, parts.hasher_name, [row], options)
            component = read_component(session, parts.hasher_name, options, found)
        draw(component, options, lambda pairs: judging.answer(pairs, options.least_log_odds))
        judging.keep()
        done |= found


def _refresh_all(parts: Parts, lease: Lease, rows: list[int], progress: Progress) -> list[Unjudged]:
    """Make the groups of all these fingerprints anew, some components in each transaction."""
    done: set[int] = set()
    unjudged: list[Unjudged] = []
    left = iter(rows)
    size = _REFRESHED_AT_ONCE
    while batch := list(islice((row for row in left if row not in done), size)):
        with parts.catalog.write(lease) as session:
            refreshed = refresh(session, parts.hasher, batch)
        done |= refreshed.component | set(batch)
        unjudged += refreshed.unjudged
        size = max(_REFRESHED_AT_ONCE, refreshed.named)
        progress.step("groups made", min(len(done), len(rows)), len(rows))
    return unjudged
