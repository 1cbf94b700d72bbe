"""Whether an engine holds what the catalog says, compared row by row without holding either.

Both are read once, in blocks. Each pair of a row id and what is held under it becomes a number of 64 bits by a function
that is drawn anew each time, so that no two contents can be made to look equal; the numbers are added up in buckets by
row id, since the two come in different orders. What differs shows in its bucket, but for a chance of 1 in 2^64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imgmatch.catalog.row_counts import tombstones
from imgmatch.engines.header import filed_as

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Engine, Ids, Words
    from imgmatch.engines.header import Header
    from imgmatch.engines.rows import EngineRows

_BUCKETS = 1 << 16
_MOST_WORDS = 8
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
"""By how many bits SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) shifts, and what it multiplies by, to mix."""


def differing_buckets(
    session: Session, rows: EngineRows[Engine[Any]], header: Header, engine: Engine[Any], *, after: int = 0
) -> int:
    """In how many of 65,536 buckets an engine holds something else than the catalog; 0 where all is equal.

    Rows that are damaged in the catalog are left out. Takes 2 MB, and what a block of either takes.

    Args:
        session: of the catalog.
        rows: which of its rows the engine is made of.
        header: of the index.
        engine: as it was opened from its file; what the catalog has lost since is left out.
        after: compare only the rows with an id above this one, and of the others how many there are.

    Raises:
        ValueError: the file of the engine is damaged.
    """
    part, through = rows.part(header), engine.watermark
    engine = engine.removed(np.array(tombstones(session, filed_as(rows.table, header.place), part, through), np.int64))
    if len(engine) != rows.count(session, part) - rows.count_after(session, part, through):
        return _BUCKETS
    damaged = rows.unreadable(session, part)
    keys = np.random.default_rng().integers(1 << 63, size=_MOST_WORDS, dtype=np.uint64) * 2 + 1
    held = _summed(_between(engine.contents(), after, through, damaged), keys)
    kept = _summed(_between(_in_catalog(session, rows, header, after, through), after, through, damaged), keys)
    return int((held != kept).sum())


def _in_catalog(
    session: Session, rows: EngineRows[Engine[Any]], header: Header, after: int, through: int
) -> Iterator[tuple[Ids, Words]]:
    """What an engine would hold that is made anew, a portion after the other."""
    for portion, last in rows.after(session, rows.part(header), after, lambda _: None):
        yield from rows.empty(header).appended(portion, last).contents()
        if last >= through:
            return


def _between(
    blocks: Iterable[tuple[Ids, Words]], after: int, through: int, but: Collection[int]
) -> Iterator[tuple[Ids, Words]]:
    damaged = np.array(but, np.int64)
    for ids, words in blocks:
        kept = (ids > after) & (ids <= through) & ~np.isin(ids, damaged)
        yield ids[kept], words[kept]


def _summed(blocks: Iterable[tuple[Ids, Words]], keys: Words) -> Words:
    """The sums of all buckets, shape (65536,)."""
    sums = np.zeros(_BUCKETS, np.uint64)
    for ids, words in blocks:
        mixed = ids.view(np.uint64) * keys[0]
        for place in range(words.shape[1]):
            mixed += words[:, place] * keys[place + 1]
        for shift, factor in _STEPS:
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        np.add.at(sums, ids % _BUCKETS, mixed)
    return sums
