"""Counts and health of an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.catalog.lookups import counts, unfinished_scans
from imgmatch.searcher import load_snapshot

if TYPE_CHECKING:
    from imgmatch.index import Index


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """Whole-number counts, and what the index is made of.

    Attributes:
        photos: photos that can be found.
        accounts: accounts with at least one photo.
        fingerprints: distinct fingerprints, of all hashers.
        skipped: photos and lines that could not be used when their source was last read.
        sources: folders and manifests read so far.
        scans: scans begun so far.
        unfinished_scans: scans that were interrupted, or are under way.
        format: version of the on-disk format.
        hashers: what is computed for every photo; the first is searched.
        engine: which engine searches.
        generation: of the engine's snapshot.
        snapshot: ``ok``, ``missing`` or ``damaged``; what is not ``ok`` costs time at every start until ``rebuild``.
    """

    photos: int
    accounts: int
    fingerprints: int
    skipped: int
    sources: int
    scans: int
    unfinished_scans: int
    format: int
    hashers: tuple[str, ...]
    engine: str
    generation: int
    snapshot: str


def status(index: Index) -> IndexStatus:
    """Look at an index."""
    header = index.header
    with index.catalog.read() as connection:
        return IndexStatus(
            **counts(connection),
            unfinished_scans=unfinished_scans(connection),
            format=header.format,
            hashers=header.hashers,
            engine=header.engine,
            generation=header.generation,
            snapshot=_snapshot_health(index),
        )


def _snapshot_health(index: Index) -> str:
    header = index.header
    if header.snapshot is None or not (index.path / header.snapshot.file).is_file():
        return "missing"
    return "ok" if load_snapshot(index.layout, header) is not None else "damaged"
