"""Publishing: engine files are written anew by one process at a time, while others read and write the catalog.

Where shards hold the engines, this machine needs no files: they are dropped, and shards are told what is gone.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from imgmatch.catalog.places import note_files
from imgmatch.catalog.row_counts import forget_tombstones, tombstones
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.shards import tending
from imgmatch.progress import SILENT

if TYPE_CHECKING:
    from imgmatch.engines.header import Header
    from imgmatch.engines.parts import Parts
    from imgmatch.progress import Progress

PUBLICATION = "publication"
"""The lease that is held meanwhile; whoever wants it waits its turn."""

_ALL = (1 << 63) - 1


def publish(parts: Parts, *, leave_nothing: bool = False) -> tuple[str, ...]:
    """Write engine files without what the catalog has lost, and with what is new where that is worth it.

    Args:
        parts: of the index.
        leave_nothing: also drop what somebody who was killed while publishing may have left.

    Returns:
        names of the shards, where these hold the engines, that may hold still what the catalog has lost.

    Raises:
        IndexUnusableError: they cannot be written.
    """
    if (record := parts.search.record()) is not None:
        _drop_files(parts)
        behind = tending.forget_removed(parts.catalog, parts.search.holders, record)
        tending.save_snapshots(parts.catalog, parts.search.holders, record)
        return behind
    engines = (parts.fingerprints, parts.features)
    if not leave_nothing and all(engine.is_current(parts.folder.header()) for engine in engines):
        return ()
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        header = parts.folder.header()
        for engine in engines:
            if not engine.is_current(header):  # another one may have published meanwhile
                header = engine.publish(header, lease)
        if leave_nothing:
            parts.folder.drop_leftovers()
    return ()


def _drop_files(parts: Parts) -> None:
    """Drop the engine files of this machine, and what was kept in mind for them."""
    filed = [parts.folder.noted_as(rows.table) for rows in ENGINES]
    with parts.catalog.read() as session:
        gone = {kind: rows for kind in filed if (rows := tombstones(session, kind, None, _ALL))}
    if not (gone or parts.folder.header().files):
        return
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        parts.folder.change_header(
            lambda header: replace(header, snapshot=None, features=None, generation=header.generation + 1)
        )
        parts.folder.drop_leftovers()
        with parts.catalog.write(lease) as session:
            for kind, rows in gone.items():
                forget_tombstones(session, kind, rows)
            if parts.folder.place:
                note_files(session, parts.folder.place, dict.fromkeys(rows.table for rows in ENGINES))


def rebuild(parts: Parts, progress: Progress = SILENT) -> Header:
    """Make the engine files anew from the catalog alone; where shards hold the engines, have them do so.

    Args:
        parts: of the index.
        progress: hears how many ``fingerprints``, then ``features``, are read of how many.

    Raises:
        IndexUnusableError: they cannot be written; or a shard does not answer.
    """
    if (record := parts.search.record()) is not None:
        tending.rebuild(parts.catalog, parts.search.holders, record)
        return parts.folder.header()
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        header = parts.fingerprints.rebuild(parts.folder.header(), progress, lease)
        return parts.features.rebuild(header, progress, lease)
