"""Stored photos compared with the bare PDQ values on banks: what is new with all, old with old never again."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from imgmatch import registry
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.bank_entries import change_entry, end_mutes, last_entry, read_hashes
from imgmatch.catalog.bank_hits import flooded, join_watermarks, note_compared, store_hits
from imgmatch.catalog.fingerprints import last_fingerprint, read_fingerprints
from imgmatch.catalog.row_counts import row_count
from imgmatch.catalog.times import now
from imgmatch.clustering.nodes import in_orientations
from imgmatch.joins.hamming import cross_join
from imgmatch.joins.near import BACK
from imgmatch.model import FINGERPRINT_BYTES, PDQ, PDQ_DISTANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from imgmatch.catalog.bank_hits import Hit
    from imgmatch.catalog.leases import Lease
    from imgmatch.catalog.session import Session
    from imgmatch.engines.parts import Parts
    from imgmatch.joins.blocks import JoinOptions
    from imgmatch.progress import Progress

FLOOD_ACCOUNTS, FLOOD_SHARE = 100, 0.01
"""An entry that photos of so many accounts hit, and of so large a share of all, is no picture of one victim."""

_TURNED_AT_ONCE = 50_000
_WRITTEN_AT_ONCE = 5_000

_Rows = tuple["NDArray[np.int64]", "NDArray[np.uint8]"]


def banks_are_compared(session: Session, hashers: Iterable[str]) -> bool:
    """Whether every photo has been compared with every entry."""
    if PDQ not in hashers:
        return True
    prints, entries = join_watermarks(session)
    last = last_entry(session)
    return entries == last and (last == 0 or prints == last_fingerprint(session))


def join_banks(parts: Parts, lease: Lease, how: JoinOptions, progress: Progress) -> None:
    """Keep which photos hit which entries; entries that suddenly hit very many are put in quarantine.

    One that is cut off is made again: what it has kept is kept once.

    Args:
        parts: of the index.
        lease: that lets this process alone do so.
        how: to run the joins.
        progress: hears of it.
    """
    with parts.catalog.write(lease) as session:
        end_mutes(session)
    if PDQ not in parts.header.hashers:
        return
    with parts.catalog.read() as session:
        if banks_are_compared(session, parts.header.hashers):
            return
        compared, known = join_watermarks(session)
        through, last = last_fingerprint(session), last_entry(session)
        entries = _together(read_hashes(session, bare=True))
        new = entries[0] > known
        prints = _together(read_fingerprints(session, PDQ, 0 if new.any() else compared))
    later = prints[0] > compared
    hits = [
        _near(_those(prints, later), entries, how, turned_back=False),
        _near(_those(entries, new), _those(prints, ~later), how, turned_back=True),
    ]
    for number, found in enumerate(hits):
        while some := list(islice(found, _WRITTEN_AT_ONCE)):
            with parts.catalog.write(lease) as session:
                store_hits(session, some)
        progress.step("photos compared with banks", number + 1, len(hits))
    with parts.catalog.write(lease) as session:
        note_compared(session, through, last)
        _quarantine(session)


def _quarantine(session: Session) -> None:
    least = max(FLOOD_ACCOUNTS, round(FLOOD_SHARE * row_count(session, "accounts")))
    for entry, bank, accounts in flooded(session, least):
        change_entry(session, bank, entry, quarantined_at=now())
        append_audit(session, "imgmatch", "quarantine", f"entry {entry}, hit by {accounts} accounts")


def _together(blocks: Iterable[_Rows]) -> _Rows:
    every = list(blocks)
    ids = np.concatenate([ids for ids, _ in every] or [np.empty(0, np.int64)])
    return ids, np.concatenate([bits for _, bits in every] or [np.empty((0, FINGERPRINT_BYTES), np.uint8)])


def _those(rows: _Rows, wanted: NDArray[np.bool_]) -> _Rows:
    return rows[0][wanted], rows[1][wanted]


def _near(turning: _Rows, others: _Rows, how: JoinOptions, *, turned_back: bool) -> Iterator[Hit]:
    """Near pairs of some that are turned and others that are not; ``turned_back``: entries are turned."""
    hasher = registry.hasher(PDQ)
    if not len(others[0]):
        return
    for start in range(0, len(turning[0]), _TURNED_AT_ONCE):
        some = slice(start, start + _TURNED_AT_ONCE)
        ids, bits = turning[0][some], turning[1][some]
        turned = in_orientations(hasher, bits)
        every = np.ascontiguousarray(turned.reshape(-1, FINGERPRINT_BYTES))
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for block in cross_join(every, others[1], PDQ_DISTANCE, how):
            ways, rows = np.divmod(block.left, len(ids))
            distances = np.bitwise_count(every[block.left] ^ others[1][block.right]).sum(axis=1)
            found = zip(ids[rows].tolist(), others[0][block.right].tolist(), distances.tolist(), ways, strict=True)
            for one, other, distance, way in found:
                key = (one, other) if turned_back else (other, one)
                reached = int(distance), int(BACK[way] if turned_back else way)
                best[key] = min(best.get(key, reached), reached)
        yield from ((*key, *reached) for key, reached in sorted(best.items()))
