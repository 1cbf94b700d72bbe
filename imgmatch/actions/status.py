"""Counts and health of an index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from imgmatch.catalog.lookups import counts, unfinished_scans
from imgmatch.engines.sync import load_features, load_fingerprints

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.engines.folder import Layout
    from imgmatch.engines.header import Header, Snapshot
    from imgmatch.index import Index


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """Whole-number counts, and what the index is made of.

    Attributes:
        photos: photos that can be found.
        accounts: accounts with at least one photo.
        fingerprints: distinct fingerprints, of all hashers.
        features: distinct pictures whose local features are kept.
        ties: pairs of pictures that nights have judged.
        decisions: what moderators have said so far.
        bank_pictures: known pictures.
        skipped: photos and lines that could not be used when their source was last read.
        sources: folders and manifests read so far.
        scans: scans begun so far.
        unfinished_scans: scans that were interrupted, or are under way.
        format: version of the on-disk format.
        hashers: what is computed for every photo; the first is searched.
        engine: which engine searches.
        codebook: what local features are coded by.
        generation: of the engine files.
        snapshot: of the fingerprints, ``ok``, ``missing`` or ``damaged``; what is not ``ok`` costs time at every start
            until ``rebuild``.
        features_snapshot: the same of the local features.
    """

    photos: int
    accounts: int
    fingerprints: int
    features: int
    ties: int
    decisions: int
    bank_pictures: int
    skipped: int
    sources: int
    scans: int
    unfinished_scans: int
    format: int
    hashers: tuple[str, ...]
    engine: str
    codebook: str
    generation: int
    snapshot: str
    features_snapshot: str


def status(index: Index, *, verify: bool = False) -> IndexStatus:
    """Look at an index; with ``verify`` read its engine files from end to end, else only whether they are complete."""
    header = index.header
    with index.catalog.read() as connection:
        return IndexStatus(
            **counts(connection),
            unfinished_scans=unfinished_scans(connection),
            format=header.format,
            hashers=header.hashers,
            engine=header.engine,
            codebook=header.codebook,
            generation=header.generation,
            snapshot=_health(index, header.snapshot, partial(load_fingerprints, verify=verify)),
            features_snapshot=_health(index, header.features, partial(load_features, verify=verify)),
        )


def _health(index: Index, snapshot: Snapshot | None, load: Callable[[Layout, Header], object | None]) -> str:
    if snapshot is None or not (index.path / snapshot.file).is_file():
        return "missing"
    return "ok" if load(index.layout, index.header) is not None else "damaged"
